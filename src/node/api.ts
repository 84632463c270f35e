// What a running node offers to its own HTTP server (and to tests): the one surface above node/. Types only.

import type { Sealer } from '../core/causality/context-token.ts'
import type { BucketSettings } from '../core/membership/bucket-settings.ts'
import type { Coordinator } from '../coordinator/operations.ts'

export interface MemberStatus {
  readonly name: string
  readonly storage: string
  readonly peerAddress: string
  readonly clientAddress: string
  readonly zone: string | null
  readonly weight: number
  readonly status: 'alive' | 'unreachable' | 'filling' | 'self'
  /** Milliseconds since it was last heard; 0 for this node; null: never. */
  readonly lastHeartbeatMs: number | null
  /** (partition, N=default) pairs that it is a home of. */
  readonly ownedPartitions: number
  /** Of the software there, as it last said; null: never heard. */
  readonly version: string | null
}

export interface ClusterStatus {
  readonly id: string
  readonly name: string
  readonly partitions: number
  readonly members: readonly MemberStatus[]
}

export interface KeyPlacement {
  /** 16 hex digits. */
  readonly hash: string
  readonly partition: number
  /** Version of the ring that places it so, as in receipts. */
  readonly ring: number
  readonly preferenceList: readonly string[]
  readonly fallbacks: readonly string[]
  readonly replicas: readonly { readonly node: string; readonly state: 'reachable' | 'unreachable' | 'filling' }[]
}

export interface RingStatus {
  readonly partitions: number
  readonly n: number
  readonly members: readonly { readonly name: string; readonly primary: number; readonly owned: number }[]
  /** For each partition its preference list, as indexes into `members`. */
  readonly preferenceLists: readonly (readonly number[])[]
}

export interface HintStatus {
  readonly hints: number
  readonly bytes: number
  readonly bytesMax: number
  readonly targets: readonly {
    readonly node: string
    readonly hints: number
    readonly bytes: number
    /** Age of the oldest. */
    readonly oldestMs: number
    readonly reachable: boolean
  }[]
}

export interface RepairStatus {
  readonly running: boolean
  readonly rounds: number
  /** Partitions of this node's storage that are not complete yet. */
  readonly filling: number
  readonly comparisons: number
  readonly keysRepaired: number
  /** All bytes of anti-entropy frames, both directions. */
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly readRepairs: number
  readonly collected: number
  /**
   * Age of the last round with the member that was compared longest ago, in ms; one that never was counts from when this node began to
   * serve. Null: there is no other member.
   */
  readonly oldestComparisonMs: number | null
  /** Rounds with one peer that ended with an error. */
  readonly roundFailures: number
  readonly peers: readonly {
    readonly node: string
    /** Null: no round went through yet. */
    readonly lastRoundMs: number | null
    readonly differing: number
    /** Why the last round failed; null: it went through. */
    readonly error: string | null
  }[]
  /** The newest of those errors, with the peer's name. */
  readonly lastError: string | null
}

export interface RepairOutcome extends RepairStatus {
  /** What failed in the round that was asked for: `node: why`. */
  readonly failed: readonly string[]
}

export type BucketOutcome =
  | { readonly type: 'ok'; readonly settings: BucketSettings }
  | { readonly type: 'bucket-fixed'; readonly property: string }
  | { readonly type: 'members-unreachable'; readonly members: readonly string[] }
  | { readonly type: 'not-serving'; readonly detail: string }

export interface DevLinks {
  readonly cut: readonly (readonly [string, string])[]
  readonly delayMs: number
  readonly dropRate: number
}

export type Readiness =
  | { readonly ready: true }
  /** `finishes`: it is about to end, and takes what its clients had begun before. */
  | { readonly ready: false; readonly reason: string; readonly finishes?: boolean }

export interface NodeApi {
  readonly name: string
  readonly version: string
  readonly coordinator: Coordinator
  /** Known once the cluster is formed (`ready`). */
  readonly clusterId: string | null
  readonly sealer: Sealer
  /** Serving: it has joined, is not draining, its clock and disk are fine. Otherwise why not, in words. */
  readiness(): Readiness
  listBuckets(): readonly { readonly name: string; readonly settings: BucketSettings; readonly configured: boolean }[]
  getBucket(bucket: string): { readonly settings: BucketSettings; readonly configured: boolean }
  putBucket(bucket: string, changes: Partial<BucketSettings>): Promise<BucketOutcome>
  cluster(): ClusterStatus
  ring(n?: number): RingStatus
  place(bucket: string, key: string): KeyPlacement
  hints(): HintStatus
  repairStatus(): RepairStatus
  /** Starts a round with every reachable peer now; resolves with the status after it. */
  repairNow(): Promise<RepairOutcome>
  /** The other members, as far as they are known, and whether each is heard now. */
  peers(): readonly { readonly name: string; readonly reachable: boolean }[]
  /** Free-form gauges and counters by area, for /v1/stats; plain JSON. */
  stats(): Record<string, unknown>
  /** Only in dev. */
  readonly devLinks: ((links: DevLinks) => void) | null
  /** This node's clock, for HTTP dates and TTLs. */
  nowMs(): number
}
