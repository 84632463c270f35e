// Operations as their clients saw them, for the checkers to judge: what was asked, when, what came. Each has what is usual where a test
// does not say otherwise.

import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { formatDot } from '../../../src/core/causality/dot.ts'
import type {
  Deleted,
  DeleteOptions,
  ExplainEntry,
  Failure,
  Found,
  GetOptions,
  NotFound,
  PutOptions,
  Receipt,
  Stored,
} from '../../../src/coordinator/operations.ts'
import type { ObservedFailure, ObservedRead, ObservedWrite } from '../../../src/simulator/observed.ts'
import { contentOf, type Scene, seenOf, type Told } from './scene.ts'

export type Guarantee = Receipt['guarantee']

/** What holds when an operation begins. */
export type Begun = Pick<ObservedRead, 'startedAt' | 'strictAtStart' | 'toldAtStart'>

export function begin(scene: Scene, startedAt: number): Begun {
  return { startedAt, strictAtStart: scene.key.strict.clone(), toldAtStart: scene.key.told.clone() }
}

export interface ReadTold {
  readonly shows?: readonly Told[]
  /** What its context has seen; by default what is shown, with all that it superseded. Null: nothing is known. */
  readonly seen?: DotSet | null
  readonly guarantee?: Guarantee
  readonly receipt?: Partial<Receipt>
  readonly explain?: readonly ExplainEntry[]
  readonly options?: Partial<GetOptions>
  /** The context that its client gave. */
  readonly including?: DotSet
  readonly begun?: Begun
  readonly startedAt?: number
  readonly endedAt?: number
  readonly host?: string
  readonly fillingAtStart?: ReadonlySet<string>
}

export function readOf(scene: Scene, told: ReadTold = {}): ObservedRead {
  const { shows = [], guarantee = 'strict', including } = told
  const begun = told.begun ?? begin(scene, told.startedAt ?? 100)
  const seen = told.seen === undefined ? (shows.length > 0 ? seenOf(...shows) : null) : told.seen
  const context = seen && { seen, stamp: 0, tags: [] }
  const receipt = receiptOf(scene, guarantee, told.receipt)
  const explained = told.explain && { explain: told.explain }
  const versions = shows.map(({ version }) => version)
  const outcome: Found | NotFound =
    versions.length > 0
      ? {
          ...{ type: 'found', versions, receipt, ...explained },
          context: context ?? { seen: DotSet.empty(), stamp: 0, tags: [] },
          etag: versions.map(({ dot }) => formatDot(dot)).join(),
        }
      : { type: 'not-found', context, receipt, ...explained }
  return {
    ...around(scene, told.host, begun, told.endedAt),
    fillingAtStart: told.fillingAtStart ?? new Set(),
    options: {
      ...{ bucket: scene.key.bucket, key: scene.key.key, timeoutMs: 2500 },
      ...(including && { context: { seen: including, stamp: 0, tags: [] } }),
      ...told.options,
    },
    outcome,
  }
}

export interface WriteAnswerTold {
  readonly guarantee?: Guarantee
  readonly receipt?: Partial<Receipt>
  readonly explain?: readonly ExplainEntry[]
  readonly options?: Partial<PutOptions>
  /** What the answer's context has seen; by default what the write superseded, and itself. */
  readonly seen?: DotSet
  readonly representation?: readonly Told[]
  readonly deleted?: boolean
  readonly startedAt?: number
  readonly endedAt?: number
  readonly host?: string
}

export function writeOf(scene: Scene, of: Told, told: WriteAnswerTold = {}): ObservedWrite {
  const { version, write } = of
  const context = { seen: told.seen ?? of.seen, stamp: version.stamp, tags: [] }
  const common = {
    receipt: receiptOf(scene, told.guarantee ?? 'strict', told.receipt),
    ...(told.explain && { explain: told.explain }),
    context,
    version: version.dot,
  }
  const outcome: Stored | Deleted = told.deleted
    ? { type: 'deleted', ...common }
    : {
        ...{ type: 'stored', created: true, siblings: 1, etag: null, ...common },
        ...(told.representation && { representation: told.representation.map((one) => one.version) }),
      }
  return {
    ...around(scene, told.host, begin(scene, told.startedAt ?? 0), told.endedAt),
    fillingAtStart: new Set(),
    write,
    options: { ...putOptions(scene, write.id), ...told.options },
    outcome,
  }
}

export interface FailureTold {
  readonly kind?: ObservedFailure['kind']
  readonly outcome?: Failure
  readonly options?: Partial<PutOptions> | Partial<GetOptions> | Partial<DeleteOptions>
  readonly startedAt?: number
  readonly host?: string
  readonly fillingAtStart?: ReadonlySet<string>
}

export function failureOf(scene: Scene, told: FailureTold = {}): ObservedFailure {
  const { kind = 'put' } = told
  return {
    ...around(scene, told.host, begin(scene, told.startedAt ?? 10_000), undefined),
    fillingAtStart: told.fillingAtStart ?? new Set(),
    kind,
    write: null,
    options: { ...putOptions(scene, 'w'), timeoutMs: 2500, ...told.options },
    outcome: told.outcome ?? quorumNotMet(scene, kind === 'get' ? 'read' : 'write'),
  }
}

export function quorumNotMet(
  scene: Scene,
  operation: 'read' | 'write',
  replicas: readonly { readonly node: string; readonly answer: string }[] = [],
): Failure {
  const receipt = receiptOf(scene, 'eventual', { replied: 1 })
  return { type: 'quorum-not-met', operation, required: 2, acknowledged: 1, replicas, outcome: 'not-applied', receipt }
}

export function receiptOf(scene: Scene, guarantee: Guarantee, given: Partial<Receipt> = {}): Receipt {
  const n = Math.min(scene.settings.n, scene.world.cluster.hosts.length)
  const majority = Math.floor(n / 2) + 1
  const usual = { n, required: majority, replied: majority, hinted: 0, durable: 0, node: 'node-0', ring: 1 }
  return { ...usual, guarantee, ...given }
}

function putOptions(scene: Scene, id: string): PutOptions {
  const { bucket, key } = scene.key
  return { bucket, key, timeoutMs: 2500, content: contentOf(scene.key, id) }
}

function around(
  scene: Scene,
  host: string | undefined,
  begun: Begun,
  endedAt: number | undefined,
): Begun & Pick<ObservedRead, 'key' | 'client' | 'host' | 'endedAt'> {
  return { ...begun, key: scene.key, client: 'c0', host: host ?? 'node-0', endedAt: endedAt ?? begun.startedAt + 1 }
}
