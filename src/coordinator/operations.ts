// What can be asked of a coordinator and every outcome there is. Types only; HTTP and the simulator's workload both speak these.
// Expected outcomes are values here, never exceptions.

import type { CausalContext } from '../core/causality/context-token.ts'
import type { Dot } from '../core/causality/dot.ts'
import type { Content, Version } from '../core/causality/version.ts'
import type { Level } from '../core/membership/bucket-settings.ts'

/** What every request on a key carries. Absent: the bucket's default. */
export interface KeyOptions {
  readonly bucket: string
  readonly key: string
  readonly r?: Level
  readonly w?: Level
  readonly sloppy?: boolean
  /** Milliseconds for the whole operation. */
  readonly timeoutMs: number
  readonly trace?: string | null
  /** Note each replica's answer in the outcome. */
  readonly explain?: boolean
}

/** If-Match / If-None-Match, as the versions that entity tags name (see `etag.ts`). */
export type Precondition =
  | { readonly type: 'match'; readonly etags: readonly string[] | '*' }
  | { readonly type: 'none' } // If-None-Match: *

export interface GetOptions extends KeyOptions {
  /** The answer must include this. */
  readonly context?: CausalContext
}

export interface PutOptions extends KeyOptions {
  readonly content: Content
  readonly context?: CausalContext | 'latest'
  readonly precondition?: Precondition
  /** Relative expiry, milliseconds; absent: the bucket's. */
  readonly ttlMs?: number
  readonly idempotencyKey?: string
  readonly returnRepresentation?: boolean
}

export interface DeleteOptions extends KeyOptions {
  /** Default: latest. */
  readonly context?: CausalContext | 'latest'
  readonly precondition?: Precondition
}

export type Guarantee = 'strict' | 'sloppy' | 'eventual'

/** What happened, and nothing else. */
export interface Receipt {
  /** N in force. */
  readonly n: number
  /** R or W asked for, resolved. */
  readonly required: number
  /** Distinct replicas that counted. */
  readonly replied: number
  /** Of these, fallbacks that hold a hint (writes) or answered from hints (reads). */
  readonly hinted: number
  /** Writes: acknowledgements given after their bytes were synced. Reads: 0. */
  readonly durable: number
  readonly guarantee: Guarantee
  /** The coordinator. */
  readonly node: string
  /** Version of the ring that placed the key. */
  readonly ring: number
  /** DELETE only: live versions that it superseded. */
  readonly superseded?: number
}

/** One replica's part, for `?explain=1`. */
export interface ExplainEntry {
  readonly node: string
  readonly role: 'home' | 'fallback'
  /** stored, already, hinted, answered, same (digest), empty, filling, refused:<reason>, failed, unreachable, not-asked, late */
  readonly answer: string
  readonly versions: readonly string[]
  readonly elapsedMs: number
}

interface Told {
  readonly receipt: Receipt
  readonly explain?: readonly ExplainEntry[]
}

export type GetOutcome = Found | NotFound | Failure

export interface Found extends Told {
  readonly type: 'found'
  /** Live versions without twins, in the order that all nodes list them; at least one. */
  readonly versions: readonly Version[]
  readonly context: CausalContext
  /** Names the set of live versions; equal on all nodes. Unquoted. */
  readonly etag: string
}

export interface NotFound extends Told {
  readonly type: 'not-found'
  /** Where a deletion or expiry is known. */
  readonly context: CausalContext | null
}

export type PutOutcome = Stored | Failure

export interface Stored extends Told {
  readonly type: 'stored'
  /** No counted replica held a live value before: 201. */
  readonly created: boolean
  readonly context: CausalContext
  readonly version: Dot
  /** The greatest count that an acknowledging replica saw. */
  readonly siblings: number
  /** When siblings is 1. */
  readonly etag: string | null
  /** With returnRepresentation: what is stored now (live, without twins). */
  readonly representation?: readonly Version[]
}

export type DeleteOutcome = Deleted | Failure

export interface Deleted extends Told {
  readonly type: 'deleted'
  /** Null where nothing was found, so nothing was written. */
  readonly version: Dot | null
  readonly context: CausalContext | null
}

/** The closed list of ways in which an operation can fail; HTTP maps each to one status. */
export type Failure =
  | (Told & { readonly type: 'bad-quorum'; readonly detail: string })
  | (Told & {
      readonly type: 'quorum-not-met'
      readonly operation: 'read' | 'write'
      readonly required: number
      readonly acknowledged: number
      readonly replicas: readonly { readonly node: string; readonly answer: string }[]
      /** Writes: whether some replica may hold it. Reads: always `not-applied`. */
      readonly outcome: 'unknown' | 'not-applied'
    })
  | (Told & { readonly type: 'context-not-reached' })
  | (Told & { readonly type: 'precondition-failed'; readonly etag: string | null })
  | (Told & { readonly type: 'too-many-siblings' })
  | (Told & { readonly type: 'idempotency-mismatch' })
  | (Told & { readonly type: 'context-too-large' })
  | (Told & { readonly type: 'storage-full' })
  | (Told & { readonly type: 'clock-ahead' })
  | (Told & { readonly type: 'not-serving'; readonly detail: string })

// ── listing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface ListOptions {
  readonly bucket: string
  readonly prefix: string
  readonly limit: number
  /** Opaque; null: from the start. */
  readonly cursor: string | null
  readonly timeoutMs: number
  readonly r?: Level
}

export type ListOutcome =
  | { readonly type: 'page'; readonly keys: readonly string[]; readonly cursor: string | null; readonly more: boolean }
  | { readonly type: 'bad-cursor' }
  | { readonly type: 'bad-quorum'; readonly detail: string }
  | {
      readonly type: 'quorum-not-met'
      readonly partition: number
      readonly required: number
      readonly acknowledged: number
      readonly cursor: string
    }
  | { readonly type: 'not-serving'; readonly detail: string }

export interface Coordinator {
  get(options: GetOptions): Promise<GetOutcome>
  put(options: PutOptions): Promise<PutOutcome>
  delete(options: DeleteOptions): Promise<DeleteOutcome>
  list(options: ListOptions): Promise<ListOutcome>
}
