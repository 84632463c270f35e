// Brings hints home: as soon as a member can be reached, and at the pace that it grants. Decides order and concurrency; what a hint is
// and when it is durable is storage's. Invariant: a hint is removed only after its home, by its current storage, acknowledged the very
// revision that is held.

import { QuorateError } from '../errors.ts'
import type { Peers } from '../link/peers.ts'
import type { Hint } from '../storage/hint-store.ts'
import type { Storage } from '../storage/storage.ts'

export interface HintDeliveryParts {
  readonly self: string
  readonly storage: Storage
  readonly peers: Peers
  /** Merges the hint at its home; true: the home's current storage acknowledged it, as durable as the bucket asks. */
  readonly send: (hint: Hint, budgetMs: number) => Promise<boolean>
  /** A hint reached its home, so many milliseconds after it was first held. */
  readonly onDelivered: (ageMs: number) => void
  readonly now: () => number
  readonly budgetMs: number
  /** Hints on their way to one member at a time. */
  readonly concurrency: number
}

export class HintDelivery {
  readonly #parts: HintDeliveryParts
  #delivered = 0

  constructor(parts: HintDeliveryParts) {
    this.#parts = parts
  }

  get delivered(): number {
    return this.#delivered
  }

  /** Delivers what the target grants now. Resolves with whether to go on at once: all of that was taken, and some is left. Never rejects. */
  async deliver(target: string): Promise<boolean> {
    const { self, storage, peers, budgetMs } = this.#parts
    const pendingBytes = storage.hints.stats().perTarget.find((entry) => entry.target === target)?.bytes ?? 0
    if (pendingBytes === 0 || (target !== self && !peers.reachable(target))) return false
    let granted: number
    try {
      if (target === self) granted = pendingBytes
      else {
        const { reply } = await peers.request(target, { type: 'handoff', pendingBytes }, { budgetMs })
        // A page is never empty, so "nothing" must be heard here.
        if (reply.type === 'refused' || reply.bytesGranted === 0) return false
        granted = reply.bytesGranted
      }
    } catch {
      return false
    }
    const hints = storage.hints.next(target, granted)
    for (let i = 0; i < hints.length; i += this.#parts.concurrency) {
      const batch = hints.slice(i, i + this.#parts.concurrency)
      const results = await Promise.all(batch.map((hint) => this.#deliverOne(hint)))
      if (results.includes(false)) return false
    }
    return storage.hints.next(target, 1).length > 0
  }

  async #deliverOne(hint: Hint): Promise<boolean> {
    const { send, budgetMs, onDelivered, now } = this.#parts
    if (!(await send(hint, budgetMs))) return false
    if (!this.#remove(hint)) return false
    this.#delivered++
    onDelivered(Math.max(0, now() - hint.sinceMs))
    return true
  }

  /** A disk that failed or is being closed keeps its hints: they are delivered again. */
  #remove(hint: Hint): boolean {
    try {
      this.#parts.storage.hints.remove(hint)
      return true
    } catch (error) {
      if (error instanceof QuorateError) return false
      throw error
    }
  }
}
