// Takes away what is no longer needed: deletions and expired versions that every home has, and the parts of records that the clocks say
// anyway. On proof, never after a time alone. Works through one partition at a time, in short turns.
// Invariant: nothing leaves before every home, by its current storage and complete, has reported a clock that covers it.

import { IDEMPOTENCY_WINDOW_MS } from '../core/causality/attempts.ts'
import type { DotSet } from '../core/causality/dot-set.ts'
import { encodeDotSet } from '../core/causality/dot-set-bytes.ts'
import { expiryOf } from '../core/causality/steady-record.ts'
import type { HybridClock } from '../core/causality/hybrid-clock.ts'
import { msFromHybrid } from '../core/causality/hybrid-clock.ts'
import type { Directory } from '../core/membership/directory.ts'
import { LEAVES } from '../core/merkle/merkle-tree.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import type { DueLeaves } from '../replica/due-leaves.ts'
import type { RepairParts } from './exchange-service.ts'
import { Turns, WORK } from './turns.ts'

export interface CollectionParts extends RepairParts {
  readonly hybrid: HybridClock
  readonly clockBoundMs: number
}

/** What one pass goes by in one partition. */
interface Sifting {
  readonly due: DueLeaves
  /** What every home has. */
  readonly stable: DotSet
  readonly spentBeforeMs: number
  readonly forgetTagsBeforeMs: number
}

export class Collection {
  readonly #parts: CollectionParts
  #collected = 0

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

  /** Leaf by leaf: where nothing has changed, no deadline passed and no news come since the last pass, nothing is looked at. */
  async #partition(partition: PartitionId, directory: Directory, turns: Turns, signal: AbortSignal): Promise<void> {
    const { replica, reported, storage, indexes, clock, hybrid, clockBoundMs } = this.#parts
    if (replica.isFilling(partition) || storage.memtable.count(partition) === 0) return
    const nowMs = msFromHybrid(hybrid.read(clock.now()))
    const spentBeforeMs = nowMs - 2 * clockBoundMs
    const due = indexes.dueLeaves(partition)
    if (due.isIdle(spentBeforeMs)) return
    const own = await replica.syncedClock(partition)
    const stable = reported.stable(partition, directory, own)
    if (stable === null) return
    const news = encodeDotSet(stable).toString('latin1')
    const sifting = { due, stable, spentBeforeMs, forgetTagsBeforeMs: nowMs - IDEMPOTENCY_WINDOW_MS }
    for (let leaf = 0; leaf < LEAVES; leaf++) {
      if (!due.isDue(leaf, spentBeforeMs, news)) continue
      due.begin(leaf)
      for (const work of this.#leaf(partition, leaf, sifting)) {
        if (!turns.isOver(work)) continue
        await turns.next(signal)
        if (!this.#isOutdated(partition, directory, signal)) continue
        due.note(leaf, -Infinity)
        return
      }
    }
    due.heard(news)
  }

  /** Tends what is to be tended in one leaf, and notes what is left to do. Gives the work done whenever a pause may be made. */
  *#leaf(partition: PartitionId, leaf: number, sifting: Sifting): IterableIterator<number> {
    const { replica, storage, indexes } = this.#parts
    const { due, stable, spentBeforeMs, forgetTagsBeforeMs } = sifting
    let passedOver = 0
    // What is neither a deletion nor due, and says no more than the clock does, is passed over without a closer look.
    const needsTending = (buffer: Buffer, at: number): boolean => {
      const expiresAtMs = expiryOf(buffer, at)
      if (expiresAtMs < spentBeforeMs) return true
      due.note(leaf, expiresAtMs)
      passedOver++
      return false
    }
    for (const entry of storage.memtable.sift(partition, indexes.rangeOf(partition, leaf), needsTending)) {
      if (entry !== null) {
        const tended = replica.tend(entry, partition, stable, spentBeforeMs, forgetTagsBeforeMs)
        this.#collected += tended.collected
        if (tended.isWaiting) due.waits(leaf)
        due.note(leaf, tended.againAtMs)
      }
      yield (entry === null ? 0 : WORK.tended) + passedOver * WORK.passedOver
      passedOver = 0
    }
    yield passedOver * WORK.passedOver
  }

  /** What was proof before a pause is none now. */
  #isOutdated(partition: PartitionId, directory: Directory, signal: AbortSignal): boolean {
    const isSame = this.#parts.directory()?.membersDigest === directory.membersDigest
    return signal.aborted || !isSame || this.#parts.replica.isFilling(partition)
  }
}
