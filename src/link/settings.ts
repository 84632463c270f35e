// Every bound and interval of the links in one place, what the rooms above decide for them, and what else all links of a node share.
// Types, defaults, and how large frames have to be.

import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import { GROWTH_MAX } from '../protocol/bounds.ts'
import type { GoodbyeFrame, HelloFrame } from '../protocol/messages.ts'
import type { Logger } from '../telemetry/log.ts'
import type { LinkCounters } from './counters.ts'
import type { Impairment } from './impairment.ts'
import type { Schedule } from './outbox.ts'
import type { RequestHandler } from './peers.ts'

export interface LinkSettings {
  readonly heartbeatMs: number
  /** A link on which nothing was heard for so long is closed. */
  readonly failureTimeoutMs: number
  readonly connectTimeoutMs: number
  /** From the connection to the end of the handshake. */
  readonly greetingTimeoutMs: number
  readonly backoffLeastMs: number
  readonly backoffMostMs: number
  /** Requests of ours that wait for replies, per link. */
  readonly inFlightMax: number
  /** Requests of the peer that are being worked on, per link; beyond it the link stops reading. */
  readonly inboundMax: number
  /** Bytes said and not yet on the wire, per link; beyond it requests are refused and reading stops. */
  readonly pendingBytesMax: number
  readonly frameBytesMax: number
  /** Larger frames leave in parts of so many bytes, so that others need not wait for them. */
  readonly partBytes: number
  /** The larger of hello and proof; strangers get no more memory. */
  readonly greetingBytesMax: number
  /** Incoming connections that have not yet greeted. */
  readonly greetingsMax: number
  /** How often seeds are resolved again once all of them are linked. */
  readonly seedIntervalMs: number
}

export const DEFAULT_LINK_SETTINGS: LinkSettings = {
  heartbeatMs: 500,
  failureTimeoutMs: 2000,
  connectTimeoutMs: 1000,
  greetingTimeoutMs: 2000,
  backoffLeastMs: 50,
  backoffMostMs: 1000,
  inFlightMax: 16_384,
  inboundMax: 4096,
  pendingBytesMax: 32 * 1024 * 1024,
  frameBytesMax: 24 * 1024 * 1024,
  partBytes: 128 * 1024,
  greetingBytesMax: 1024 * 1024,
  greetingsMax: 64,
  seedIntervalMs: 5000,
}

const HOMES = 3

/**
 * Frames that hold the union of what the homes of a key may hold of it when each holds something else: a view travels whole or not at
 * all. Equal on both ends of a link, or what one sends the other refuses.
 */
export function frameBounds(siblingBytesMax: number): Pick<LinkSettings, 'frameBytesMax' | 'pendingBytesMax'> {
  const { frameBytesMax, pendingBytesMax } = DEFAULT_LINK_SETTINGS
  const more = Math.max(0, HOMES * GROWTH_MAX * siblingBytesMax + MARGIN_BYTES - frameBytesMax)
  return { frameBytesMax: frameBytesMax + more, pendingBytesMax: pendingBytesMax + more }
}

/** Names, contexts and metadata of the siblings. */
const MARGIN_BYTES = 4 * 1024 * 1024

/** Frames below both this and `partBytes` always leave whole and in order: from this size on a value stays where it is. */
const LARGE_BYTES_MIN = 64 * 1024

/** Of ids that are lost with their frames: on a bad network on purpose. */
const LOST_MAX = 1024

/**
 * So many requests of a peer may be missing while later ones are here: only a large frame is ever overtaken, and at any time those that
 * wait have room in the peer's queue together.
 */
export function overtakenMax({ frameBytesMax, pendingBytesMax, partBytes }: LinkSettings): number {
  const bytesMax = Math.max(frameBytesMax, pendingBytesMax)
  return LOST_MAX + Math.ceil(bytesMax / Math.min(partBytes, LARGE_BYTES_MIN))
}

/** What this node says of itself; link adds the type, the nonce and whom it speaks to. */
export type LocalHello = Omit<HelloFrame, 'type' | 'nonce' | 'to'>

export type Admission =
  | { readonly accept: true }
  | { readonly accept: false; readonly reason: GoodbyeFrame['reason']; readonly detail: string }

/** What the rooms above decide and want to know. All are called synchronously and must not throw. */
export interface LinkHooks {
  readonly localHello: () => LocalHello
  /** Asked once the peer has proven the secret; cluster id and name were compared before. */
  readonly admit: (hello: HelloFrame) => Admission
  /** An admitted peer's hello. */
  readonly onHello: (hello: HelloFrame) => void
  /** The peer closed the link and said why; `peer` is null when it never said who it is. */
  readonly onGoodbye: (peer: string | null, reason: GoodbyeFrame['reason'], detail: string) => void
  readonly handler: RequestHandler
  /** The peer's wall clock minus ours, and how long the question took. */
  readonly onClockSample: (member: string, offsetMs: number, rttMs: number) => void
  readonly hybridTime: () => number
  readonly observeTime: (time: number) => void
  readonly digests: () => { readonly members: string; readonly settings: string }
  readonly onHeartbeatDigests: (member: string, membersDigest: string, settingsDigest: string) => void
  /** The members that should be linked, and where; this node itself may be among them. */
  readonly members: () => Iterable<{ readonly name: string; readonly peerAddress: string }>
}

/** What all links of a node share. */
export interface LinkEnvironment {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly schedule: Schedule
  readonly settings: LinkSettings
  readonly hooks: LinkHooks
  readonly counters: LinkCounters
  readonly impairment: Impairment
  readonly secrets: readonly string[]
}
