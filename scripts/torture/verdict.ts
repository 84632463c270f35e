// What a story found: violations of guarantees, what was injected, and figures. Decides nothing. Invariant: a violation is never lost,
// though only the first ones keep their words.

import type { SeededRandom } from '../../src/simulator/seeded-random.ts'

export interface StoryOptions {
  /** How long the story's load and faults last, where it is not counted in cycles. */
  readonly seconds: number
  /** How many faults of each kind; 0: as many as the time allows. */
  readonly cycles: number
  /** Seconds-long form, for the integration tests. */
  readonly short: boolean
  /** All that is left to chance, one fork for each who chooses. The same seed chooses alike; processes still race as they like. */
  readonly random: SeededRandom
  readonly say: (line: string) => void
}

export type Story = (options: StoryOptions) => Promise<Verdict>

/** How the healing of what differed went. */
export interface Convergence {
  readonly keys: number
  readonly seconds: number
}

const WORDS_MAX = 50

export class Verdict {
  readonly #words: string[] = []
  #violations = 0
  readonly figures: Record<string, number | string> = {}
  /** Faults by kind. */
  readonly injected: Record<string, number> = {}
  /** What could not be done on this system, and why. */
  readonly skipped: Record<string, string> = {}
  /** Writes by what became of them, each once however often it was sent. */
  readonly writes: Record<'acknowledged' | 'failed' | 'unknown', number> = { acknowledged: 0, failed: 0, unknown: 0 }
  /** Sloppy puts sent through nodes that reached W nodes until they answered. */
  readonly sloppy: Record<'sent' | 'acknowledged', number> = { sent: 0, acknowledged: 0 }
  readonly convergences: Convergence[] = []

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

  /** A fault was injected. */
  inject(fault: string): void {
    this.injected[fault] = (this.injected[fault] ?? 0) + 1
  }

  skip(what: string, why: string): this {
    this.skipped[what] = why
    return this
  }

  get violated(): number {
    return this.#violations
  }

  get violations(): readonly string[] {
    return this.#words
  }
}
