// Many deadlines on few timers: they are grouped by the tick they fall in, since most never come due.
// Knows nothing of what expires. Invariant: nothing expires before its time, nor later than one tick after it.
//
// Plain arrays, and a cancelled place is emptied: a Map or Set with such a turnover leaves outgrown tables behind that point to their
// successors, and everything in them outlives the young generation, which costs more than the work itself.

import type { Clock, Timer } from '../ports/clock.ts'

const TICK_MS = 8

interface Tick {
  readonly number: number
  readonly timer: Timer
  readonly waiting: (Deadline | undefined)[]
  open: number
}

class Deadline implements Timer {
  readonly expire: () => void
  readonly #deadlines: Deadlines
  readonly #tick: Tick
  readonly #place: number

  constructor(deadlines: Deadlines, tick: Tick, expire: () => void) {
    this.expire = expire
    this.#deadlines = deadlines
    this.#tick = tick
    this.#place = tick.waiting.push(this) - 1
    tick.open++
  }

  cancel(): void {
    const { waiting } = this.#tick
    if (waiting[this.#place] === undefined) return
    waiting[this.#place] = undefined
    if (--this.#tick.open === 0) this.#deadlines.drop(this.#tick)
  }
}

export class Deadlines {
  readonly #clock: Clock
  readonly #ticks = new Map<number, Tick>()
  /** The tick that was asked for last, since those who ask mostly ask for equal delays. */
  #recent: Tick | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `expire` once the delay is over. */
  after(delayMs: number, expire: () => void): Timer {
    const now = this.#clock.monotonic()
    const number = Math.ceil((now + delayMs) / TICK_MS)
    if (this.#recent?.number !== number) this.#recent = this.#ticks.get(number) ?? this.#begin(number, now)
    return new Deadline(this, this.#recent, expire)
  }

  #begin(number: number, now: number): Tick {
    const timer = this.#clock.after(number * TICK_MS - now, () => this.#expire(number))
    const tick = { number, timer, waiting: [], open: 0 }
    this.#ticks.set(number, tick)
    return tick
  }

  /** Nothing waits for this tick any more. */
  drop(tick: Tick): void {
    if (this.#ticks.get(tick.number) !== tick) return
    tick.timer.cancel()
    this.#forget(tick)
  }

  #expire(number: number): void {
    const tick = this.#ticks.get(number)
    if (tick === undefined) return
    this.#forget(tick)
    for (let place = 0; place < tick.waiting.length; place++) {
      const due = tick.waiting[place]
      // One that expires may cancel others of its tick.
      tick.waiting[place] = undefined
      due?.expire()
    }
  }

  #forget(tick: Tick): void {
    this.#ticks.delete(tick.number)
    if (this.#recent === tick) this.#recent = null
  }
}
