// What links count, for metrics. Knows nothing of how it is shown. Invariant: labels come from closed lists, never from a peer.

import type { Frame } from '../protocol/messages.ts'

export interface Traffic {
  frames: number
  bytes: number
}

/** `request.write`, `reply.read`, `heartbeat`, … */
export function labelOf(frame: Frame): string {
  if (frame.type === 'request') return REQUEST_LABELS[frame.request.type]
  if (frame.type === 'reply') return REPLY_LABELS[frame.reply.type]
  return frame.type
}

export class LinkCounters {
  readonly sent: Map<string, Traffic> = new Map()
  readonly received: Map<string, Traffic> = new Map()
  /** Closed links by reason. */
  readonly closed: Map<string, number> = new Map()
  opened = 0
  dials = 0
  timeouts = 0
  overloads = 0
  handlerErrors = 0

  /** Plain values, for statistics. */
  figures(): Record<string, unknown> {
    const { opened, dials, timeouts, overloads, handlerErrors } = this
    const [sent, received, closed] = [this.sent, this.received, this.closed].map((map) =>
      Object.fromEntries<unknown>(map),
    )
    return { opened, dials, timeouts, overloads, handlerErrors, closed, sent, received }
  }

  countSent(label: string, bytes: number): void {
    add(this.sent, label, bytes)
  }

  countReceived(label: string, bytes: number): void {
    add(this.received, label, bytes)
  }

  countClosed(reason: string): void {
    this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1)
  }
}

function add(traffic: Map<string, Traffic>, label: string, bytes: number): void {
  const entry = traffic.get(label)
  if (entry === undefined) traffic.set(label, { frames: 1, bytes })
  else {
    entry.frames++
    entry.bytes += bytes
  }
}

const REQUEST_LABELS = {
  write: 'request.write',
  read: 'request.read',
  list: 'request.list',
  members: 'request.members',
  settings: 'request.settings',
  compare: 'request.compare',
  exchange: 'request.exchange',
  tree: 'request.tree',
  handoff: 'request.handoff',
} as const

const REPLY_LABELS = {
  write: 'reply.write',
  read: 'reply.read',
  list: 'reply.list',
  members: 'reply.members',
  settings: 'reply.settings',
  compare: 'reply.compare',
  exchange: 'reply.exchange',
  tree: 'reply.tree',
  handoff: 'reply.handoff',
  refused: 'reply.refused',
} as const
