// The node's clock for work that sets timers with every request and nearly always cancels them: they are grouped into ticks.
// Decides nothing. Invariant: nothing runs before its time, nor later than one tick after it; time itself is the given clock's.

import { Deadlines } from '../link/deadlines.ts'
import type { Clock, Timer } from '../ports/clock.ts'

export class CoarseClock implements Clock {
  readonly #clock: Clock
  readonly #deadlines: Deadlines

  constructor(clock: Clock) {
    this.#clock = clock
    this.#deadlines = new Deadlines(clock)
  }

  now(): number {
    return this.#clock.now()
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#deadlines.after(Math.max(0, delayMs), callback)
  }
}
