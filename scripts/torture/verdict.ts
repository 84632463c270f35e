// What a story found: violations of guarantees, and figures. Decides nothing. Invariant: a violation is never lost, though only the
// first ones keep their words.

import type { SeededRandom } from '../../src/simulator/seeded-random.ts'

export interface StoryOptions {
  /** How long the story's load and faults last. */
  readonly seconds: number
  /** Seconds-long form, for the integration tests. */
  readonly short: boolean
  /** All that is left to chance, one fork for each who chooses. The same seed chooses alike; processes still race as they like. */
  readonly random: SeededRandom
  readonly say: (line: string) => void
}

export type Story = (options: StoryOptions) => Promise<Verdict>

const WORDS_MAX = 50

export class Verdict {
  readonly #words: string[] = []
  #violations = 0
  readonly figures: Record<string, number | string> = {}

  violate(what: string): void {
    this.#violations++
    if (this.#words.length < WORDS_MAX) this.#words.push(what)
  }

  /** Notes a violation unless `holds`. */
  hold(holds: boolean, what: string): boolean {
    if (!holds) this.violate(what)
    return holds
  }

  count(figure: string, by: number = 1): void {
    const before = this.figures[figure]
    this.figures[figure] = (typeof before === 'number' ? before : 0) + by
  }

  get violated(): number {
    return this.#violations
  }

  get violations(): readonly string[] {
    return this.#words
  }
}
