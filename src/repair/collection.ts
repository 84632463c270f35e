// Takes away what is no longer needed: deletions and expired versions that every home has, and the parts of records that the clocks say
// anyway. On proof, never after a time alone. Works through one partition at a time, in short turns.
// Invariant: nothing leaves before every home, by its current storage and complete, has reported a clock that covers it.

import { encodeDotSet } from '../core/causality/dot-set-bytes.ts'
import { expiryOf } from '../core/causality/steady-record.ts'
import type { HybridClock } from '../core/causality/hybrid-clock.ts'
import { msFromHybrid } from '../core/causality/hybrid-clock.ts'
import { IDEMPOTENCY_WINDOW_MS } from '../core/causality/view.ts'
import type { Directory } from '../core/membership/directory.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import type { RepairParts } from './exchange-service.ts'
import { treeMade, Turns, WORK } from './turns.ts'

export interface CollectionParts extends RepairParts {
  readonly hybrid: HybridClock
  readonly clockBoundMs: number
}

export class Collection {
  readonly #parts: CollectionParts
  #collected = 0
  /** Partitions that a whole pass found in order, in the state that they were then. */
  readonly #settled = new Map<PartitionId, { readonly state: string; readonly againAtMs: number }>()

  constructor(parts: CollectionParts) {
    this.#parts = parts
  }

  get collected(): number {
    return this.#collected
  }

  /** One pass over every partition that this node is a home of. */
  async pass(signal: AbortSignal): Promise<void> {
    const { storage, directory } = this.#parts
    const turns = new Turns(this.#parts.clock)
    for (const partition of storage.partitions()) {
      if (turns.isOver(WORK.partition)) await turns.next(signal)
      const current = directory()
      if (!current || signal.aborted) return
      if (current.ring.isHome(partition, current.self)) await this.#partition(partition, current, turns, signal)
    }
  }

  async #partition(partition: PartitionId, directory: Directory, turns: Turns, signal: AbortSignal): Promise<void> {
    const { replica, reported, storage, indexes, clock, hybrid, clockBoundMs } = this.#parts
    if (replica.isFilling(partition) || storage.memtable.count(partition) === 0) return
    await treeMade(indexes, partition, turns)
    const own = await replica.syncedClock(partition)
    const stable = reported.stable(partition, directory, own)
    if (stable === null) return
    const nowMs = msFromHybrid(hybrid.read(clock.now()))
    const spentBeforeMs = nowMs - 2 * clockBoundMs
    const state = `${indexes.tree(partition).rootHex} ${encodeDotSet(stable).toString('latin1')}`
    const settled = this.#settled.get(partition)
    if (settled?.state === state && settled.againAtMs >= spentBeforeMs) return
    let isSettled = true
    let againAtMs = Infinity
    // What is neither a deletion nor due, and says no more than the clock does, is passed over without a closer look.
    const needsTending = (buffer: Buffer, at: number): boolean => {
      const expiresAtMs = expiryOf(buffer, at)
      if (expiresAtMs < spentBeforeMs) return true
      againAtMs = Math.min(againAtMs, expiresAtMs)
      return false
    }
    for (const entry of storage.memtable.sift(partition, needsTending)) {
      if (entry === null) {
        if (!turns.isOver(WORK.sifted)) continue
        await turns.next(signal)
        if (this.#isOutdated(partition, directory, signal)) return
        continue
      }
      const tended = replica.tend(entry, partition, stable, spentBeforeMs, nowMs - IDEMPOTENCY_WINDOW_MS)
      this.#collected += tended.collected
      isSettled &&= tended.isSettled
      againAtMs = Math.min(againAtMs, tended.againAtMs)
      if (!turns.isOver(WORK.tended)) continue
      await turns.next(signal)
      if (this.#isOutdated(partition, directory, signal)) return
    }
    // What this pass itself took away has changed the root: the next one looks once more, finds nothing, and settles.
    if (isSettled) this.#settled.set(partition, { state, againAtMs })
    else this.#settled.delete(partition)
  }

  /** What was proof before a pause is none now. */
  #isOutdated(partition: PartitionId, directory: Directory, signal: AbortSignal): boolean {
    const isSame = this.#parts.directory()?.membersDigest === directory.membersDigest
    return signal.aborted || !isSame || this.#parts.replica.isFilling(partition)
  }
}
