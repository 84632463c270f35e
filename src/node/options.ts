// Everything a node is made of and told. The world (ports) and the settings come in here and nowhere else.

import type { Schedule } from '../link/outbox.ts'
import { DEFAULT_LINK_SETTINGS } from '../link/settings.ts'
import type { Clock } from '../ports/clock.ts'
import type { Disk } from '../ports/disk.ts'
import type { Random } from '../ports/random.ts'
import type { Transport } from '../ports/transport.ts'
import type { Logger } from '../telemetry/log.ts'

export interface NodeOptions {
  readonly name: string
  readonly version: string
  readonly clusterName: string
  /** The first seals and proves, all are accepted; empty: none. */
  readonly secrets: readonly string[]
  /** Q; settled by the founders. */
  readonly partitions: number
  /** Founders to wait for. Null with `join`: the cluster exists. One without `join`. */
  readonly expect: number | null
  /** Peer addresses, `host:port`. */
  readonly join: readonly string[]
  /** Where to listen for peers, `host:port`. */
  readonly peerAddress: string
  /** What others are told; null: the address that is listened on. */
  readonly advertisedPeerAddress: string | null
  readonly clientAddress: string
  readonly zone: string | null
  readonly weight: number
  readonly dev: boolean

  readonly clock: Clock
  readonly transport: Transport
  /** Null: memory only; then every start is a new storage. */
  readonly disk: Disk | null
  readonly random: Random
  readonly logger: Logger
  /** How frames of one turn of the event loop are gathered into one write; by default without timers. */
  readonly schedule?: Schedule
  /** What the process takes, in bytes; by default nobody tells. */
  readonly processMemory?: () => { readonly resident: number; readonly buffers: number; readonly heap: number }
  /** Makes the process collect its garbage: asked for now and then where memory is used up and data has given some back. */
  readonly collectGarbage?: () => void

  readonly limits: NodeLimits
  readonly timings: NodeTimings
  readonly healing: Healing
}

export interface NodeLimits {
  readonly siblingsMax: number
  readonly siblingBytesMax: number
  readonly hintBytesMax: number
  /** Resident memory of the process; where nobody tells that: live data, keys and hints included. */
  readonly bytesMax: number
  /** The data directory; null: what the file system has. */
  readonly diskBytesMax: number | null
  readonly segmentBytesMax: number
  readonly checkpointBytesMin: number
  /** So many bytes of what was overwritten may stay in memory, however little is live: cleaning less costs more than it gives. */
  readonly deadBytesMin: number
  /** Messages between nodes that are larger leave in parts of so many bytes. */
  readonly partBytes: number
  /** Granted to a peer that wants to deliver hints, at a time. */
  readonly handoffBytesMax: number
  /** Records on one page of an exchange. */
  readonly exchangeBytesMax: number
}

export interface NodeTimings {
  readonly heartbeatMs: number
  readonly failureTimeoutMs: number
  readonly clockBoundMs: number
  readonly antiEntropyIntervalMs: number
  readonly collectionIntervalMs: number
  readonly hintIntervalMs: number
  /** Without an answer for so long, another replica is asked too. */
  readonly hedgeMs: number
  readonly reachGraceMs: number
  /** For one question between nodes that no client waits for. */
  readonly healingBudgetMs: number
}

/** What heals besides quorums; each can be switched off where it is to be shown that the others suffice. */
export interface Healing {
  readonly readRepair: boolean
  readonly handoff: boolean
  readonly antiEntropy: boolean
  /** Part of reads (0..1) that ask all homes. */
  readonly readAllRate: number
}

export const DEFAULT_LIMITS: NodeLimits = {
  siblingsMax: 100,
  siblingBytesMax: 4 << 20,
  hintBytesMax: 256 << 20,
  bytesMax: 4 * 2 ** 30,
  diskBytesMax: null,
  segmentBytesMax: 64 << 20,
  checkpointBytesMin: 16 << 20,
  deadBytesMin: 4 << 20,
  partBytes: DEFAULT_LINK_SETTINGS.partBytes,
  handoffBytesMax: 1 << 20,
  exchangeBytesMax: 256 << 10,
}

export const DEFAULT_TIMINGS: NodeTimings = {
  heartbeatMs: 500,
  failureTimeoutMs: 2000,
  clockBoundMs: 500,
  antiEntropyIntervalMs: 10_000,
  collectionIntervalMs: 10_000,
  hintIntervalMs: 1000,
  hedgeMs: 250,
  reachGraceMs: 500,
  healingBudgetMs: 5000,
}

export const DEFAULT_HEALING: Healing = { readRepair: true, handoff: true, antiEntropy: true, readAllRate: 0.1 }
