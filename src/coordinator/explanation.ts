// What each replica said and when, for `?explain=1`. Notes only; decides nothing.

import { formatDot } from '../core/causality/dot.ts'
import type { View } from '../core/causality/view.ts'
import type { Clock } from '../ports/clock.ts'
import type { ExplainEntry } from './operations.ts'

export class Explanation {
  readonly #clock: Clock
  readonly #entries: ExplainEntry[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `standsInFor`: the absent home, for a fallback; null for a home. */
  note(node: string, standsInFor: string | null, answer: string, startedAt: number, view: View | null = null): void {
    this.#entries.push({
      node,
      role: standsInFor === null ? 'home' : 'fallback',
      answer,
      versions: view ? view.versions.map((version) => formatDot(version.dot)) : [],
      elapsedMs: Math.round((this.#clock.monotonic() - startedAt) * 100) / 100,
    })
  }

  get entries(): readonly ExplainEntry[] {
    return this.#entries
  }
}
