// Brings hints home: as soon as a member can be reached, and at the pace that it grants. Decides order and concurrency; what a hint is
// and when it is durable is storage's. Invariant: a hint is removed only after its home, by its current storage, acknowledged the very
// revision that is held; one that cannot be delivered holds up no other for longer than a turn.

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
  /** Its home was there and did not take it: it is left for the next pass. */
  readonly onPassedOver?: (hint: Hint) => void
}

/** One way through a target's queue; what is left behind is come back to after its end. */
interface Pass {
  /** The place of the last hint that was tried. */
  position: number
  passedOver: boolean
}

export class HintDelivery {
  readonly #parts: HintDeliveryParts
  readonly #passes = new Map<string, Pass>()
  #delivered = 0
  #passedOver = 0

  constructor(parts: HintDeliveryParts) {
    this.#parts = parts
  }

  get delivered(): number {
    return this.#delivered
  }

  /** How often a hint was not taken by a home that was there. */
  get passedOver(): number {
    return this.#passedOver
  }

  /**
   * Delivers what the target grants now. Resolves with whether to go on at once: some of that was taken, and some was not tried yet.
   * Never rejects.
   */
  async deliver(target: string): Promise<boolean> {
    const { self, storage, peers, budgetMs } = this.#parts
    const pendingBytes = storage.hints.stats().perTarget.find((entry) => entry.target === target)?.bytes ?? 0
    if (pendingBytes === 0 || !this.#isThere(target)) return false
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
    let pass = this.#passes.get(target) ?? begun()
    if (storage.hints.next(target, 1, pass.position).length === 0) pass = begun()
    this.#passes.set(target, pass)
    for (const batch of batchesOf(storage.hints.next(target, granted, pass.position), this.#parts.concurrency)) {
      const delivered = await Promise.all(batch.map((hint) => this.#deliverOne(hint)))
      pass.position = (batch.at(-1) as Hint).position
      if (!delivered.includes(false)) continue
      pass.passedOver = true
      // Gone, too slow or unwilling: no more now, and the next turn begins with others.
      if (!delivered.includes(true) || !this.#isThere(target)) return false
    }
    if (storage.hints.next(target, 1, pass.position).length > 0) return true
    this.#passes.delete(target)
    // What was merged into while it was on its way is still held, and came before.
    return !pass.passedOver && storage.hints.next(target, 1).length > 0
  }

  async #deliverOne(hint: Hint): Promise<boolean> {
    const { send, budgetMs, onDelivered, now } = this.#parts
    if (!(await send(hint, budgetMs))) return this.#passOver(hint)
    if (!this.#remove(hint)) return false
    this.#delivered++
    onDelivered(Math.max(0, now() - hint.sinceMs))
    return true
  }

  #passOver(hint: Hint): false {
    if (this.#isThere(hint.target)) {
      this.#passedOver++
      this.#parts.onPassedOver?.(hint)
    }
    return false
  }

  #isThere(target: string): boolean {
    const { self, peers } = this.#parts
    return target === self || peers.reachable(target)
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

function begun(): Pass {
  return { position: 0, passedOver: false }
}

function batchesOf(hints: readonly Hint[], size: number): Hint[][] {
  const batches: Hint[][] = []
  for (let i = 0; i < hints.length; i += size) batches.push(hints.slice(i, i + size))
  return batches
}
