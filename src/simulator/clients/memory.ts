// What one client remembers of each key: the context that it saw last, some from before, the last entity tag; and what it says of that
// when it writes. Knows nothing of requests. Invariant: what is said follows from the client's habit and what it was told, nothing else.

import { type CausalContext, uniteContexts } from '../../core/causality/context-token.ts'
import type { KeyHistory } from '../history.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { Habit } from '../seed-plan.ts'

interface Remembered {
  context: CausalContext | null
  /** Contexts from before, for those who do not let go. */
  readonly earlier: CausalContext[]
  etag: string | null
}

const EARLIER_MAX = 30

export class Memory {
  readonly #habit: Habit
  readonly #remembered = new Map<string, Remembered>()

  constructor(habit: Habit) {
    this.#habit = habit
  }

  /** What was seen last. */
  contextOf(key: KeyHistory): CausalContext | null {
    return this.#of(key).context
  }

  /** Of the last read; null: it found nothing. */
  etagOf(key: KeyHistory): string | null {
    return this.#of(key).etag
  }

  /** What a write says that its client has seen. */
  contextToWriteOn(key: KeyHistory, random: SeededRandom): CausalContext | 'latest' | null {
    const { context, earlier } = this.#of(key)
    switch (this.#habit) {
      case 'blind':
        return null
      case 'latest':
        return 'latest'
      case 'stale':
        return earlier.length > 0 ? random.pick(earlier) : null
      default:
        return context
    }
  }

  learn(key: KeyHistory, context: CausalContext | null): void {
    if (!context) return
    const known = this.#of(key)
    known.context = known.context && this.#habit === 'session' ? uniteContexts(known.context, context) : context
    if (known.earlier.length < EARLIER_MAX) known.earlier.push(context)
  }

  learnEtag(key: KeyHistory, etag: string | null): void {
    this.#of(key).etag = etag
  }

  #of(key: KeyHistory): Remembered {
    let known = this.#remembered.get(key.name)
    if (!known) this.#remembered.set(key.name, (known = { context: null, earlier: [], etag: null }))
    return known
  }
}
