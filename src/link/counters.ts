// What links count, for metrics. Knows nothing of how it is shown. Invariant: labels come from closed lists, never from a peer.

import type { Frame, Reply, Request } from '../protocol/messages.ts'

export interface Traffic {
  frames: number
  bytes: number
}

/** Frames of each kind, in places of their own: they are counted with every frame, and labels are made only when somebody looks. */
class TrafficCounter {
  readonly #requests = places<Request['type']>({
    write: nothing(),
    read: nothing(),
    list: nothing(),
    members: nothing(),
    settings: nothing(),
    compare: nothing(),
    exchange: nothing(),
    tree: nothing(),
    handoff: nothing(),
  })
  readonly #replies = places<Reply['type']>({
    write: nothing(),
    read: nothing(),
    list: nothing(),
    members: nothing(),
    settings: nothing(),
    compare: nothing(),
    exchange: nothing(),
    tree: nothing(),
    handoff: nothing(),
    refused: nothing(),
  })
  readonly #others = places<Exclude<Frame['type'], 'request' | 'reply'>>({
    hello: nothing(),
    proof: nothing(),
    heartbeat: nothing(),
    goodbye: nothing(),
  })

  count(frame: Frame, bytes: number): void {
    const place =
      frame.type === 'request'
        ? this.#requests[frame.request.type]
        : frame.type === 'reply'
          ? this.#replies[frame.reply.type]
          : this.#others[frame.type]
    place.frames++
    place.bytes += bytes
  }

  /** By `request.write`, `reply.read`, `heartbeat`, …: those of which there were any. */
  byLabel(): Map<string, Traffic> {
    const all = [
      ...Object.entries(this.#requests).map(([type, traffic]) => [`request.${type}`, traffic] as const),
      ...Object.entries(this.#replies).map(([type, traffic]) => [`reply.${type}`, traffic] as const),
      ...Object.entries(this.#others),
    ]
    return new Map(all.filter(([, { frames }]) => frames > 0))
  }
}

function places<T extends string>(all: Readonly<Record<T, Traffic>>): Readonly<Record<T, Traffic>> {
  return all
}

function nothing(): Traffic {
  return { frames: 0, bytes: 0 }
}

export class LinkCounters {
  readonly #sent = new TrafficCounter()
  readonly #received = new TrafficCounter()
  /** Closed links by reason. */
  readonly closed: Map<string, number> = new Map()
  opened = 0
  dials = 0
  timeouts = 0
  overloads = 0
  handlerErrors = 0

  get sent(): ReadonlyMap<string, Traffic> {
    return this.#sent.byLabel()
  }

  get received(): ReadonlyMap<string, Traffic> {
    return this.#received.byLabel()
  }

  /** Plain values, for statistics. */
  figures(): Record<string, unknown> {
    const { opened, dials, timeouts, overloads, handlerErrors } = this
    const [sent, received, closed] = [this.sent, this.received, this.closed].map((map) =>
      Object.fromEntries<unknown>(map),
    )
    return { opened, dials, timeouts, overloads, handlerErrors, closed, sent, received }
  }

  countSent(frame: Frame, bytes: number): void {
    this.#sent.count(frame, bytes)
  }

  countReceived(frame: Frame, bytes: number): void {
    this.#received.count(frame, bytes)
  }

  countClosed(reason: string): void {
    this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1)
  }
}
