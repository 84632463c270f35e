// Waiting for the log: whoever asks is told when a change is synced, or that his time is over, as it may be long before a full disk has
// room again. Knows nothing of what is waited for. Invariant: who has given up leaves nothing behind, and on the log's promises there is
// one reaction a batch, however many wait. Nobody is let go before his time, nor later than three ticks after it.
//
// Those who wait for one batch until one tick share a promise, so that a wait that is not in vain costs no more than the log's own.

import { QuorateError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Lsn, Storage } from '../storage/storage.ts'

const TICK_MS = 100

interface Group {
  readonly batch: Promise<void>
  /** Infinity where they wait as long as it takes. */
  readonly tick: number
  readonly told: PromiseWithResolvers<void>
  count: number
}

export class SyncWaits {
  readonly #storage: Pick<Storage, 'isSynced' | 'synced'>
  readonly #clock: Clock
  /** By the log's promise for a batch, which is the same for all who wait for it. */
  readonly #batches = new Map<Promise<void>, Group[]>()
  /** Nearly always the next one's too. */
  #recent: Group | null = null
  #count = 0
  /** Once a tick, while somebody waits. */
  #isLooking = false

  constructor(storage: Pick<Storage, 'isSynced' | 'synced'>, clock: Clock) {
    this.#storage = storage
    this.#clock = clock
  }

  get count(): number {
    return this.#count
  }

  /** Resolves with `value` once the change is durable. Rejects with `timeout` after the budget, or as `Storage.synced` does. */
  synced<T>(lsn: Lsn, value: T, budgetMs: number = Infinity): Promise<T> {
    if (this.#storage.isSynced(lsn)) return Promise.resolve(value)
    const batch = this.#storage.synced(lsn)
    const tick = Math.ceil((this.#clock.monotonic() + budgetMs) / TICK_MS)
    let group = this.#recent
    if (group?.batch !== batch || group.tick !== tick) group = this.#recent = this.#groupOf(batch, tick)
    group.count++
    this.#count++
    return group.told.promise.then(() => value)
  }

  #groupOf(batch: Promise<void>, tick: number): Group {
    const groups = this.#batches.get(batch) ?? this.#begin(batch)
    const known = groups.find((group) => group.tick === tick)
    if (known) return known
    const group = { batch, tick, told: Promise.withResolvers<void>(), count: 0 }
    groups.push(group)
    if (!this.#isLooking && tick < Infinity) this.#lookLater()
    return group
  }

  #begin(batch: Promise<void>): Group[] {
    const groups: Group[] = []
    this.#batches.set(batch, groups)
    batch.then(
      () => this.#end(batch, ({ told }) => told.resolve()),
      (error: unknown) => this.#end(batch, ({ told }) => told.reject(error)),
    )
    return groups
  }

  #end(batch: Promise<void>, settle: (group: Group) => void): void {
    const groups = this.#batches.get(batch) ?? []
    this.#batches.delete(batch)
    for (const group of groups) this.#letGo(group, settle)
  }

  #letGo(group: Group, settle: (group: Group) => void): void {
    if (this.#recent === group) this.#recent = null
    this.#count -= group.count
    settle(group)
  }

  #lookLater(): void {
    this.#isLooking = true
    this.#clock.after(TICK_MS, () => this.#look())
  }

  #look(): void {
    const tick = Math.floor(this.#clock.monotonic() / TICK_MS)
    this.#isLooking = false
    let isAwaited = false
    for (const [batch, groups] of this.#batches) {
      const rest = groups.filter((group) => group.tick >= tick)
      this.#batches.set(batch, rest)
      isAwaited ||= rest.some((group) => group.tick < Infinity)
      for (const group of groups) if (group.tick < tick) this.#letGo(group, giveUp)
    }
    if (isAwaited) this.#lookLater()
  }
}

/** Whoever set the deadline has given up by his own timer, which comes first. */
function giveUp({ told }: Group): void {
  told.reject(new QuorateError('timeout', 'the disk took too long to sync'))
}
