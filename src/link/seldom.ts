// What happens again and again and is to be said seldom: the first time, and then once an interval. Decides only whether it is due.
// Invariant: what strangers make up as names takes bounded memory.

const INTERVAL_MS = 60_000
const KEYS_MAX = 1000

export class Seldom {
  readonly #monotonic: () => number
  readonly #saidAt = new Map<string, number>()

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
  }

  /** True where nobody was told so within the interval; whoever asks tells then. */
  isDue(...key: readonly (string | null)[]): boolean {
    const text = key.join('\n')
    const now = this.#monotonic()
    const saidAt = this.#saidAt.get(text)
    if (saidAt !== undefined && now - saidAt < INTERVAL_MS) return false
    if (saidAt === undefined && this.#saidAt.size >= KEYS_MAX) this.#saidAt.clear()
    this.#saidAt.set(text, now)
    return true
  }
}
