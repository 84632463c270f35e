// Whether a request came before on this link. No transport that is right repeats one; if it happens, a write that was refused must not
// be tried again when nobody waits for it any more. Invariant: memory is bounded, and an id is new at most once until ids begin again.

/** Of ids that were overtaken, or never given, so many are remembered; one that comes later still is taken for a repetition. */
const OPEN_MAX = 1024
const HALF = 2 ** 31

export class Once {
  #highest = 0
  /** Below the highest, and not here yet; the lowest first. */
  readonly #open = new Set<number>()

  /** Ids are given in order, from 1 to 2^32 − 1 and then from 1 again, a few of them to nobody. */
  isNew(id: number): boolean {
    if (id === this.#highest + 1) {
      this.#highest = id
      return true
    }
    if (id <= this.#highest && this.#highest - id < HALF) return this.#open.delete(id)
    if (id < this.#highest) {
      this.#open.clear()
      this.#highest = 0
    }
    for (let passed = Math.max(this.#highest + 1, id - OPEN_MAX); passed < id; passed++) this.#open.add(passed)
    this.#highest = id
    for (const lowest of this.#open) {
      if (this.#open.size <= OPEN_MAX) break
      this.#open.delete(lowest)
    }
    return true
  }
}
