// A bad network on purpose, for experiments on real clusters: members cut off, frames delayed or lost. Off in production.
// Knows nothing of connections. Invariant: what is cut looks like silence, never like a refusal.

import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { Frame } from '../protocol/messages.ts'

export class Impairment {
  readonly #clock: Clock
  readonly #random: Random
  readonly #cut = new Set<string>()
  #delayMs = 0
  #dropRate = 0
  #active = false

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  /** Anything at all is impaired. */
  get active(): boolean {
    return this.#active
  }

  isCut(member: string): boolean {
    return this.#active && this.#cut.has(member)
  }

  setCut(member: string, cut: boolean): void {
    if (cut) this.#cut.add(member)
    else this.#cut.delete(member)
    this.#judge()
  }

  set(delayMs: number, dropRate: number): void {
    this.#delayMs = delayMs
    this.#dropRate = dropRate
    this.#judge()
  }

  /** Lets a frame go on, later or never. Greetings are never lost, so that links come up. */
  pass(member: string, type: Frame['type'], go: () => void): void {
    if (this.#cut.has(member)) return
    if (type !== 'goodbye' && this.#dropRate > 0 && this.#random.next() < this.#dropRate) return
    if (this.#delayMs > 0) this.#clock.after(this.#delayMs, go)
    else go()
  }

  #judge(): void {
    this.#active = this.#cut.size > 0 || this.#delayMs > 0 || this.#dropRate > 0
  }
}
