// Everything one node can say to another: requests with their replies, and the frames that carry them. Types only.
// Binary fields are formats of core (views, dot sets, clocks), opaque here. The codec is in `codec.ts`.
// Invariant: a member of these unions is never changed in meaning; a new meaning is a new type and a new protocol version.

import type { Split } from '../core/bytes.ts'
import type { PartitionId } from '../core/ring/partition.ts'

/** The version of this protocol; both sides of a link speak the lower of their two. */
export const PROTOCOL_VERSION = 4

/** In the length before a frame: not a whole one, but a part of one that is large. */
export const PART = 0x8000_0000

/** Where a key lives and how its versions meet: what every request on a key carries. */
export interface KeyAddress {
  readonly bucket: string
  readonly key: string
  /** (partition, n): the unit of clock, Merkle tree and repair. */
  readonly partition: PartitionId
}

/** Why a replica refused; it then holds nothing of the request. */
export type RefusalReason =
  | 'stale-members' // the sender's member table names another storage than mine does; tables must be exchanged
  | 'stale-settings' // the bucket's settings differ; settings must be exchanged
  | 'not-home' // neither a home of the partition nor asked to hold a hint
  | 'too-many-siblings'
  | 'idempotency-mismatch' // the tag is held with another body
  | 'clock-ahead' // the stamp is more than the clock bound ahead
  | 'hints-full'
  | 'storage-full'
  | 'not-serving' // starting, draining, or stopped by a failed disk

// ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Merge a view. `intent` tells a client's first write (limits apply) from healing (they do not). */
export interface WriteRequest extends KeyAddress {
  readonly type: 'write'
  readonly intent: 'client' | 'repair' | 'handoff'
  /** Encoded `View` (core/causality/view.ts); in one piece when it has come. */
  readonly view: Uint8Array | Split
  /** Set: hold this as a hint for that member instead of merging it. */
  readonly hintFor: string | null
  /** Acknowledge after the bytes are synced (false: after they are merged in memory). */
  readonly durable: boolean
  /** Digest of (member name, storage) pairs as the sender knows them. */
  readonly membersDigest: string
  readonly settingsVersion: number
}

/** Tell what you know of a key. */
export interface ReadRequest extends KeyAddress {
  readonly type: 'read'
  /** `digest`: versions stay home unless their digest differs from `expectDigest`. */
  readonly expectDigest: string | null
  /** Encoded `DotSet` that the answer must include, or null. */
  readonly mustInclude: Uint8Array | null
  /** Answer from hints: the receiver stands in for unreachable homes. */
  readonly fallback: boolean
  readonly membersDigest: string
  readonly settingsVersion: number
}

/** Keys of one (partition, n) and bucket with a live version, in (hash, key) order. */
export interface ListRequest {
  readonly type: 'list'
  readonly bucket: string
  readonly partition: PartitionId
  readonly prefix: string
  /** Only what comes after this position; hash as 16 hex digits. Null: from the start. */
  readonly after: { readonly hash: string; readonly key: string } | null
  readonly limit: number
}

/** Exchange member tables (mergeable; encoded by core/membership). */
export interface MembersRequest {
  readonly type: 'members'
  readonly table: Uint8Array
}

/** Exchange bucket settings: everything of mine; answer with everything of yours, merged. */
export interface SettingsRequest {
  readonly type: 'settings'
  readonly settings: Uint8Array
}

/** Anti-entropy, step 1: digests of (clock, root) for every partition that we share; answered with those that differ. */
export interface CompareRequest {
  readonly type: 'compare'
  /** Digest over all entries; when it equals the receiver's own, nothing else need be said. */
  readonly digest: string
  /** Packed entries, or null in the first, cheap question. */
  readonly entries: Uint8Array | null
}

/** Anti-entropy, step 2: send me what my clock lacks of this partition. Pages until `next` is null. */
export interface ExchangeRequest {
  readonly type: 'exchange'
  readonly partition: PartitionId
  /** The asker's synced clock: only records with a dot outside it travel. */
  readonly clock: Uint8Array
  /** Whether that clock is the whole truth of a complete storage (counts as its reported clock). */
  readonly filling: boolean
  /** Echoed; ties every page to one snapshot and to the asker's current storage. */
  readonly epoch: string
  /** Where to go on (opaque), or null at first. */
  readonly cursor: Uint8Array | null
  readonly bytesMax: number
  /** Non-null: send these leaves' records whatever the clock says (damage found by the tree). */
  readonly leaves: readonly number[] | null
}

/** Anti-entropy, step 3: digests of the children of these tree nodes. */
export interface TreeRequest {
  readonly type: 'tree'
  readonly partition: PartitionId
  readonly level: number
  readonly nodes: readonly number[]
}

/** May I deliver hints to you now? The receiver paces: it answers with how many bytes it will take. */
export interface HandoffRequest {
  readonly type: 'handoff'
  readonly pendingBytes: number
}

export type Request =
  | WriteRequest
  | ReadRequest
  | ListRequest
  | MembersRequest
  | SettingsRequest
  | CompareRequest
  | ExchangeRequest
  | TreeRequest
  | HandoffRequest

// ── replies ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface WriteReply {
  readonly type: 'write'
  /** `stored`: merged now. `already`: knew it before. `hinted`: held for another member. */
  readonly outcome: 'stored' | 'already' | 'hinted'
  /** True when the bytes were synced before this reply. */
  readonly durable: boolean
  /** A live version, other than this write's own tag, was there before. */
  readonly heldLive: boolean
  /** Live versions now, those of one tag counted once. */
  readonly siblings: number
  /**
   * Encoded `DotSet`: the replica's context, sent only by a complete replica that now holds exactly this version, and only to who is no
   * home of the key.
   */
  readonly context: Uint8Array | null
  /** Encoded dots of the view that this replica has dropped as superseded (a read leaves them out), or null. */
  readonly refusedDots: Uint8Array | null
  readonly filling: boolean
}

export interface ReadReply {
  readonly type: 'read'
  /** Digest of what is held: over the dots of the versions (deletions too), dead tags and context. */
  readonly digest: string
  /** Encoded `View` (in one piece when it has come), or null when the digest was the expected one, or when nothing at all is known. */
  readonly view: Uint8Array | Split | null
  /** Encoded `DotSet`: the part of `mustInclude` that this replica does not know; null when it knows all. */
  readonly missing: Uint8Array | null
  /** Then it counts in no R, and nobody merges from it. */
  readonly filling: boolean
}

export interface ListReply {
  readonly type: 'list'
  readonly filling: boolean
  /** In order; `digest` is the record's (as in ReadReply), so that equal answers need no second look. */
  readonly keys: readonly {
    readonly hash: string
    readonly key: string
    readonly digest: string
    readonly live: boolean
  }[]
  readonly more: boolean
}

export interface MembersReply {
  readonly type: 'members'
  readonly table: Uint8Array
}

export interface SettingsReply {
  readonly type: 'settings'
  readonly settings: Uint8Array
}

export interface CompareReply {
  readonly type: 'compare'
  readonly equal: boolean
  /** When entries were sent: the partitions that differ, packed with the receiver's digests. */
  readonly differing: Uint8Array | null
}

export interface ExchangeReply {
  readonly type: 'exchange'
  readonly epoch: string
  /** Encoded views with their addresses, in order; each is merged as a whole. */
  readonly records: readonly { readonly bucket: string; readonly key: string; readonly view: Uint8Array }[]
  readonly next: Uint8Array | null
  /** The sender's synced clock and its tree's root at that moment, taken before any record was read; on the first page. */
  readonly clock: Uint8Array | null
  readonly root: string | null
  readonly filling: boolean
}

export interface TreeReply {
  readonly type: 'tree'
  readonly digests: readonly string[]
}

export interface HandoffReply {
  readonly type: 'handoff'
  readonly bytesGranted: number
}

export interface Refusal {
  readonly type: 'refused'
  readonly reason: RefusalReason
  /** For stale-members and stale-settings: the receiver's table or settings, so that the sender can catch up. */
  readonly correction: Uint8Array | null
}

export type Reply =
  | WriteReply
  | ReadReply
  | ListReply
  | MembersReply
  | SettingsReply
  | CompareReply
  | ExchangeReply
  | TreeReply
  | HandoffReply
  | Refusal

/** The reply that belongs to each request (besides `Refusal`). */
export interface ReplyOf {
  readonly write: WriteReply
  readonly read: ReadReply
  readonly list: ListReply
  readonly members: MembersReply
  readonly settings: SettingsReply
  readonly compare: CompareReply
  readonly exchange: ExchangeReply
  readonly tree: TreeReply
  readonly handoff: HandoffReply
}

// ── frames ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** First frame in both directions. Nothing else is heard before it was accepted. */
export interface HelloFrame {
  readonly type: 'hello'
  readonly version: number
  readonly name: string
  /** The member this connection was opened for, or null when only an address is known yet. */
  readonly to: string | null
  readonly storage: string
  /** Peer and client addresses that others may use, `host:port`. */
  readonly peerAddress: string
  readonly clientAddress: string
  /** Null while founding. */
  readonly clusterId: string | null
  readonly clusterName: string
  readonly nonce: Uint8Array
  /** Encoded member table, or founding view (cluster/founding.ts). */
  readonly table: Uint8Array
  /** What the software there calls its own version, for operators. Null or absent: it does not say. */
  readonly software?: string | null
}

/** Second frame in both directions when a secret is set: HMAC-SHA256 over both hellos. Empty otherwise. */
export interface ProofFrame {
  readonly type: 'proof'
  readonly proof: Uint8Array
}

export interface RequestFrame {
  readonly type: 'request'
  readonly id: number
  /** How long the sender will wait, in milliseconds from its sending. */
  readonly budgetMs: number
  /** The sender's hybrid time (core/causality/hybrid-clock.ts). */
  readonly time: number
  /** W3C traceparent, or null. */
  readonly trace: string | null
  readonly request: Request
}

export interface ReplyFrame {
  readonly type: 'reply'
  readonly id: number
  readonly time: number
  readonly reply: Reply
}

/** Sent when nothing else was for a while; `echo` brings back the last one's `sentAt` to measure round trip and offset. */
export interface HeartbeatFrame {
  readonly type: 'heartbeat'
  /** The sender's monotonic milliseconds at sending. */
  readonly sentAt: number
  /** The `sentAt` of the heartbeat that this answers, or null. */
  readonly echo: number | null
  /** The sender's wall clock. */
  readonly wall: number
  readonly time: number
  readonly membersDigest: string
  readonly settingsDigest: string
}

/** Why the connection is about to be closed; said once, best effort. */
export interface GoodbyeFrame {
  readonly type: 'goodbye'
  readonly reason:
    | 'closing'
    | 'protocol'
    | 'wrong-cluster'
    | 'bad-secret'
    | 'unknown-member'
    | 'name-taken' // the name's old storage is still heard
    | 'replaced' // the name has another storage now
    | 'wrong-peer' // another member answers at this address
    | 'duplicate' // another link of the same pair won
  readonly detail: string
}

export type Frame = HelloFrame | ProofFrame | RequestFrame | ReplyFrame | HeartbeatFrame | GoodbyeFrame
