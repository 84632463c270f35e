// One operation as its client saw it, with what was true when it began: what the checkers are given. Types only.

import type { DotSet } from '../core/causality/dot-set.ts'
import type {
  Deleted,
  DeleteOptions,
  Failure,
  Found,
  GetOptions,
  NotFound,
  PutOptions,
  Stored,
} from '../coordinator/operations.ts'
import type { KeyHistory, WriteRecord } from './history.ts'

export interface Observed {
  readonly key: KeyHistory
  readonly client: string
  /** The coordinator. */
  readonly host: string
  readonly startedAt: number
  readonly endedAt: number
  /** Homes that were filling when it began. */
  readonly fillingAtStart: ReadonlySet<string>
  /** Strict operations that had ended when it began, together. */
  readonly strictAtStart: DotSet
  readonly toldAtStart: DotSet
}

export interface ObservedRead extends Observed {
  readonly options: GetOptions
  readonly outcome: Found | NotFound
}

export interface ObservedWrite extends Observed {
  /** Null: a DELETE that found nothing to delete. */
  readonly write: WriteRecord | null
  readonly options: PutOptions | DeleteOptions
  readonly outcome: Stored | Deleted
}

export interface ObservedFailure extends Observed {
  readonly kind: 'get' | 'put' | 'delete'
  readonly write: WriteRecord | null
  readonly options: GetOptions | PutOptions | DeleteOptions
  readonly outcome: Failure
}
