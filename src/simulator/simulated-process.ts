// One run of one node's program: its clock, and the life and death of everything it waits for. Knows nothing of what runs in it.
// Invariant: after `kill` no callback of this process ever runs again, so its promises stay pending for ever, as after kill -9.

import type { Clock, Timer } from '../ports/clock.ts'
import type { VirtualTime } from './virtual-clock.ts'

/** 2026-01-01T00:00:00Z: where simulated wall clocks begin. */
const WALL_EPOCH_MS = 1_767_225_600_000

export interface ClockSettings {
  /** Wall clock minus true time. */
  readonly offsetMs?: number
  /** Local milliseconds in a true one, minus 1: 0.0001 gains 0.1 ms a second. */
  readonly drift?: number
}

export class SimulatedProcess {
  readonly name: string
  readonly clock: SimulatedClock
  readonly #time: VirtualTime
  #alive = true
  #heldUntil = 0

  constructor(time: VirtualTime, name: string, settings: ClockSettings = {}) {
    this.name = name
    this.#time = time
    this.clock = new SimulatedClock(time, this, settings)
  }

  get alive(): boolean {
    return this.#alive
  }

  /** Paused (SIGSTOP, a long collection): what comes due meanwhile runs when the pause ends, in order. */
  get paused(): boolean {
    return this.#heldUntil > this.#time.now
  }

  kill(): void {
    this.#alive = false
  }

  pause(milliseconds: number): void {
    this.#heldUntil = Math.max(this.#heldUntil, this.#time.now + milliseconds)
  }

  /** Runs `callback` in this process after that much true time, unless it is dead by then. */
  after(delayMs: number, callback: () => void): Timer {
    return this.at(this.#time.now + delayMs, callback)
  }

  at(time: number, callback: () => void): Timer {
    let timer: Timer
    const due = (): void => {
      if (!this.#alive) return
      if (this.#heldUntil > this.#time.now) timer = this.#time.at(this.#heldUntil, due)
      else callback()
    }
    timer = this.#time.at(time, due)
    return {
      cancel() {
        timer.cancel()
      },
    }
  }
}

export class SimulatedClock implements Clock {
  readonly #time: VirtualTime
  readonly #process: SimulatedProcess
  #offsetMs: number
  #rate: number
  // Local monotonic time and true time at the last change of rate.
  #localBase: number
  #trueBase: number

  constructor(time: VirtualTime, process: SimulatedProcess, settings: ClockSettings) {
    this.#time = time
    this.#process = process
    this.#offsetMs = settings.offsetMs ?? 0
    this.#rate = 1 + (settings.drift ?? 0)
    this.#trueBase = time.now
    this.#localBase = time.now
  }

  now(): number {
    return WALL_EPOCH_MS + this.#offsetMs + this.monotonic()
  }

  monotonic(): number {
    return this.#localBase + (this.#time.now - this.#trueBase) * this.#rate
  }

  after(delayMs: number, callback: () => void): Timer {
    const due = this.monotonic() + Math.max(0, delayMs)
    let timer: Timer
    const check = (): void => {
      // A clock that slowed down since must not fire early.
      const left = due - this.monotonic()
      if (left > 0.001) timer = this.#process.after(left / this.#rate, check)
      else callback()
    }
    timer = this.#process.after((due - this.monotonic()) / this.#rate, check)
    return {
      cancel() {
        timer.cancel()
      },
    }
  }

  /** The wall clock is set forward or back; monotonic time does not notice. */
  jump(milliseconds: number): void {
    this.#offsetMs += milliseconds
  }

  setDrift(drift: number): void {
    this.#localBase = this.monotonic()
    this.#trueBase = this.#time.now
    this.#rate = 1 + drift
  }

  /** Wall clock minus true time, for checkers. */
  get errorMs(): number {
    return this.now() - WALL_EPOCH_MS - this.#time.now
  }
}
