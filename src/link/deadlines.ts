// Many deadlines on few timers: they are grouped by the tick they fall in, since most never come due.
// Knows nothing of what expires. Invariant: nothing expires before its time, nor later than one tick after it.

import type { Clock, Timer } from '../ports/clock.ts'

const TICK_MS = 8

interface Tick {
  readonly timer: Timer
  readonly waiting: Set<() => void>
}

export class Deadlines {
  readonly #clock: Clock
  readonly #ticks = new Map<number, Tick>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `expire` once the delay is over; returns what `remove` needs. */
  add(delayMs: number, expire: () => void): number {
    const now = this.#clock.monotonic()
    const tick = Math.ceil((now + delayMs) / TICK_MS)
    const existing = this.#ticks.get(tick)
    if (existing !== undefined) existing.waiting.add(expire)
    else {
      const waiting = new Set([expire])
      const timer = this.#clock.after(tick * TICK_MS - now, () => {
        this.#ticks.delete(tick)
        for (const due of waiting) due()
      })
      this.#ticks.set(tick, { timer, waiting })
    }
    return tick
  }

  remove(tick: number, expire: () => void): void {
    const group = this.#ticks.get(tick)
    if (group === undefined || !group.waiting.delete(expire) || group.waiting.size > 0) return
    group.timer.cancel()
    this.#ticks.delete(tick)
  }
}
