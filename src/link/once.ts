// Whether a request came before on this link. No transport that is right repeats one; if it happens, a write that was refused must not
// be tried again when nobody waits for it any more. Invariant: memory is bounded, an id is new at most once until ids begin again, and
// one that is new is never taken for a repetition.

import { QuorateError } from '../errors.ts'

const HALF = 2 ** 31

export class Once {
  readonly #openMax: number
  #highest = 0
  /** Below the highest, and not here yet; the lowest first. */
  readonly #open = new Set<number>()
  /** Up to here, what is not open may have come or not. */
  #forgotten = 0

  /** Of ids that were overtaken, or are lost, `openMax` are remembered. */
  constructor(openMax: number) {
    this.#openMax = openMax
  }

  /** Ids are given in order, from 1 to 2^32 − 1 and then from 1 again. Throws `protocol` where too many others came before. */
  isNew(id: number): boolean {
    if (id === this.#highest + 1) {
      this.#highest = id
      return true
    }
    if (id <= this.#highest && this.#highest - id < HALF) return this.#isOpen(id)
    if (id < this.#highest) {
      this.#open.clear()
      this.#highest = 0
      this.#forgotten = 0
    }
    const from = Math.max(this.#highest + 1, id - this.#openMax)
    if (from > this.#highest + 1) this.#forgotten = from - 1
    for (let passed = from; passed < id; passed++) this.#open.add(passed)
    this.#highest = id
    for (const lowest of this.#open) {
      if (this.#open.size <= this.#openMax) break
      this.#open.delete(lowest)
      this.#forgotten = Math.max(this.#forgotten, lowest)
    }
    return true
  }

  #isOpen(id: number): boolean {
    if (this.#open.delete(id)) return true
    if (id > this.#forgotten) return false
    throw new QuorateError('protocol', `request ${id} came after too many others`)
  }
}
