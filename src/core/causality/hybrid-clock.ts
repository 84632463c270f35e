// Hybrid logical time (Kulkarni et al., OPODIS 2014) in one integer: never before the wall clock, never before any time heard of,
// and strictly increasing at each event. It decides last-writer-wins order and expiry. `now` is an argument; nothing here reads a clock.

/** Units of 1/1024 ms since the epoch: the fraction is the logical part. A safe integer until the year 2248. */
export type HybridTime = number

const UNITS_PER_MS = 1024

/** How far apart the clocks of a cluster may be, unless its settings say otherwise. */
export const CLOCK_BOUND_MS = 500

export function hybridFromMs(ms: number): HybridTime {
  return Math.floor(ms * UNITS_PER_MS)
}

/** Milliseconds since the epoch, rounded down. */
export function msFromHybrid(time: HybridTime): number {
  return Math.floor(time / UNITS_PER_MS)
}

export class HybridClock {
  #last: HybridTime = 0

  /**
   * The time of a new event: later than all before it, and than `after`, a time that a client's context names. One that is more than
   * `boundMs` ahead of the wall clock orders this event alone (replicas refuse it): a client must not drag the clock along either.
   */
  tick(wallMs: number, after: HybridTime = 0, boundMs: number = CLOCK_BOUND_MS): HybridTime {
    const own = Math.max(hybridFromMs(wallMs), this.#last + 1)
    const time = Math.max(own, after + 1)
    this.#last = time <= hybridFromMs(wallMs + boundMs) ? time : own
    return time
  }

  /** The time now, without an event. */
  read(wallMs: number): HybridTime {
    this.#last = Math.max(hybridFromMs(wallMs), this.#last)
    return this.#last
  }

  /**
   * Takes over a time heard from a peer. One that is more than `boundMs` ahead of the own wall clock is not taken
   * (a runaway clock must not drag the cluster along); returns whether it was.
   */
  observe(time: HybridTime, wallMs: number, boundMs: number): boolean {
    if (time > hybridFromMs(wallMs + boundMs)) return false
    if (time > this.#last) this.#last = time
    return true
  }
}
