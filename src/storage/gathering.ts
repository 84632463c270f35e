// Group commit that adapts: whether the next batch is worth a wait, and when it has waited enough. A batch costs about as much as
// coordinating a whole write, however few entries are in it; so under load it is. Knows nothing of batches but how many entries they hold.
// Invariant: a lone write never waits, and nobody waits longer than `WITHIN_MS` after the last batch began.

import type { Clock } from '../ports/clock.ts'

/** A smaller batch says nothing of load. */
const ENTRIES_MIN = 4
const WITHIN_MS = 3

function none(): void {}

export class Gathering {
  readonly #clock: Clock
  /** Entries of the last batch, and when it began. */
  #lastEntries = 0
  #lastBegun = 0
  /** The next batch begins with this many entries, or when `#enough` is called. */
  #wanted = Infinity
  #enough: () => void = none

  constructor(clock: Clock) {
    this.#clock = clock
  }

  begun(entries: number, now: number): void {
    this.#lastBegun = now
    this.#lastEntries = entries
  }

  /** The next one holds so many by now. */
  holds(entries: number): void {
    if (entries >= this.#wanted) this.#enough()
  }

  /** Not when it holds as many as the last one: all who were answered then have come back. */
  isWorthAWait(entries: number): boolean {
    if (this.#lastEntries < ENTRIES_MIN || entries >= this.#lastEntries) return false
    return this.#clock.monotonic() < this.#lastBegun + WITHIN_MS
  }

  /** Resolves when the next one holds as many, or it is time. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#enough = (): void => {
        timer.cancel()
        this.#wanted = Infinity
        this.#enough = none
        resolve()
      }
      this.#wanted = this.#lastEntries
      const leftMs = this.#lastBegun + WITHIN_MS - this.#clock.monotonic()
      const timer = this.#clock.after(Math.max(0, leftMs), () => this.#enough())
    })
  }
}
