// Which partitions of this storage are complete. A storage that came under a known name (or lost bytes to damage) knows that it lacks
// what its predecessor had: such a partition takes writes and counts in no read until repair has made it complete.
// Invariant: the marks are durable before they are acted on; a partition never goes back to complete without an exchange.

import type { PartitionId } from '../core/ring/partition.ts'
import type { Storage } from '../storage/storage.ts'

const ALL = 'filling'
const DONE = 'filled/'

export class Filling {
  readonly #storage: Storage
  #all: boolean
  /** Ties exchanges to this fill: an answer asked for before it began proves nothing. */
  #epoch: string
  readonly #done = new Set<PartitionId>()

  constructor(storage: Storage) {
    this.#storage = storage
    const mark = storage.catalog(ALL)
    this.#all = mark !== undefined
    this.#epoch = mark === undefined ? '' : Buffer.from(mark).toString('latin1')
    for (const name of storage.catalogNames(DONE)) this.#done.add(Number(name.slice(DONE.length)))
  }

  /** From now on every partition must be filled anew. Returns when that is durable. */
  async begin(epoch: string): Promise<void> {
    this.#all = true
    this.#epoch = epoch
    this.#done.clear()
    for (const name of this.#storage.catalogNames(DONE)) this.#storage.setCatalog(name, null)
    await this.#storage.synced(this.#storage.setCatalog(ALL, Buffer.from(epoch, 'latin1')))
  }

  /** The current fill, or '' when this storage was never filled. */
  get epoch(): string {
    return this.#epoch
  }

  get isActive(): boolean {
    return this.#all
  }

  isFilling(partition: PartitionId): boolean {
    return this.#all && !this.#done.has(partition)
  }

  /** Durable when the returned promise resolves; counted as complete only then. */
  async complete(partition: PartitionId): Promise<void> {
    if (!this.isFilling(partition)) return
    await this.#storage.synced(this.#storage.setCatalog(`${DONE}${partition}`, Buffer.alloc(0)))
    this.#done.add(partition)
  }

  /** Every partition that this node is a home of is complete: the marks are no longer needed. */
  async finish(): Promise<void> {
    this.#all = false
    const lsn = this.#storage.setCatalog(ALL, null)
    for (const name of this.#storage.catalogNames(DONE)) this.#storage.setCatalog(name, null)
    this.#done.clear()
    await this.#storage.synced(lsn)
  }
}
