// How long to wait before the next attempt: doubling, bounded, jittered so that nodes which failed together do not retry together.
// Knows nothing of what is attempted.

import type { Random } from '../ports/random.ts'

export class Backoff {
  readonly #random: Random
  readonly #leastMs: number
  readonly #mostMs: number
  #failures = 0

  constructor(random: Random, leastMs: number, mostMs: number) {
    this.#random = random
    this.#leastMs = leastMs
    this.#mostMs = mostMs
  }

  /** Milliseconds to wait after one more failure: between half and all of the doubled step. */
  nextMs(): number {
    const step = Math.min(this.#mostMs, this.#leastMs * 2 ** this.#failures)
    if (step < this.#mostMs) this.#failures++
    return step * (0.5 + this.#random.next() / 2)
  }

  reset(): void {
    this.#failures = 0
  }
}
