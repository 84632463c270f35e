// All records of this node in memory, by (partition, bucket, key). Knows bytes and where they belong, nothing of their meaning or of disks.
// Invariant: an entry that was handed out never changes; a scan is in (hash, key, bucket) order whatever happens between its steps.

import { compareHash64 } from '../core/hash64.ts'
import { compareText } from '../core/membership/identity.ts'
import { type KeyHash, keyHash } from '../core/ring/key-hash.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import type { Lsn } from './entries.ts'

export interface ScanPosition {
  readonly hash: KeyHash
  readonly key: string
  readonly bucket: string
}

export interface MemtableEntry extends ScanPosition {
  /** The encoded record (core/causality/record.ts). */
  readonly bytes: Buffer
  /** The change that wrote it; the record is durable once the storage has synced this. */
  readonly lsn: Lsn
}

/** Reading only: changes go through `Storage`, which logs them. */
export interface Memtable {
  get(partition: PartitionId, bucket: string, key: string): MemtableEntry | undefined
  has(partition: PartitionId, bucket: string, key: string): boolean
  count(partition: PartitionId): number
  /** Costs a look at every partition. */
  countBucket(bucket: string): number
  readonly totalKeys: number
  /** Of keys, buckets' names and records. */
  readonly totalBytes: number
  bytesOf(partition: PartitionId): number
  /** Partitions that hold records, ascending. */
  partitions(): PartitionId[]
  /**
   * Records in (hash, key, bucket) order, strictly after the position. Changes between steps are tolerated: what was removed is left
   * out, what was overwritten is given as it is now, what was inserted since the scan began may be missing.
   */
  scan(partition: PartitionId, after: ScanPosition | null): IterableIterator<MemtableEntry>
  /** All records, in no order; the same tolerance, and nothing that was there all the time is left out. */
  each(partition: PartitionId): IterableIterator<MemtableEntry>
}

class Slot implements ScanPosition {
  readonly bucket: string
  readonly key: string
  /** Null: removed (a later insertion of the same key makes another slot). */
  bytes: Buffer | null
  lsn: Lsn
  // As two signed words: an object, and two boxed numbers, would cost more memory than all else here.
  #isHashed = false
  #hashHigh = 0
  #hashLow = 0

  constructor(bucket: string, key: string, bytes: Buffer, lsn: Lsn) {
    this.bucket = bucket
    this.key = key
    this.bytes = bytes
    this.lsn = lsn
  }

  // Recovery need not hash every key: most are asked for later, or never.
  get hash(): KeyHash {
    if (this.#isHashed) return { hi: this.#hashHigh >>> 0, lo: this.#hashLow >>> 0 }
    const hash = keyHash(this.bucket, this.key)
    this.#hashHigh = hash.hi | 0
    this.#hashLow = hash.lo | 0
    this.#isHashed = true
    return hash
  }
}

class SlotEntry implements MemtableEntry {
  readonly bytes: Buffer
  readonly lsn: Lsn
  readonly #slot: Slot

  constructor(slot: Slot, bytes: Buffer) {
    this.#slot = slot
    this.bytes = bytes
    this.lsn = slot.lsn
  }

  get bucket(): string {
    return this.#slot.bucket
  }

  get key(): string {
    return this.#slot.key
  }

  get hash(): KeyHash {
    return this.#slot.hash
  }
}

function comparePositions(a: ScanPosition, b: ScanPosition): number {
  return compareHash64(a.hash, b.hash) || compareText(a.key, b.key) || compareText(a.bucket, b.bucket)
}

/** Nested maps, so that a look-up builds no composite key and no Map comes near the engine's limit of 16.7 million entries. */
class PartitionTable {
  readonly buckets = new Map<string, Map<string, Slot>>()
  count = 0
  bytes = 0
  // Most partitions hold keys of one bucket.
  #lastBucket: string | null = null
  #lastKeys: Map<string, Slot> | undefined
  // The order as of the last scan, with what was inserted since; null until somebody scans.
  #ordered: readonly Slot[] | null = null
  #added: Slot[] = []
  #dead = 0

  keysOf(bucket: string): Map<string, Slot> | undefined {
    if (bucket === this.#lastBucket) return this.#lastKeys
    this.#lastKeys = this.buckets.get(bucket)
    this.#lastBucket = this.#lastKeys === undefined ? null : bucket
    return this.#lastKeys
  }

  inserted(slot: Slot): void {
    if (this.#ordered) this.#added.push(slot)
  }

  removed(): void {
    if (this.#ordered) this.#dead++
  }

  /** Never changed afterwards: running scans keep the array that they began with. */
  ordered(): readonly Slot[] {
    if (this.#ordered === null) {
      const all: Slot[] = []
      for (const keys of this.buckets.values()) for (const slot of keys.values()) all.push(slot)
      this.#ordered = all.sort(comparePositions)
    } else if (this.#added.length > 0 || this.#dead * 2 > this.#ordered.length) {
      this.#ordered = mergeAlive(this.#ordered, this.#added.sort(comparePositions))
      this.#added = []
      this.#dead = 0
    }
    return this.#ordered
  }
}

function mergeAlive(a: readonly Slot[], b: readonly Slot[]): Slot[] {
  const merged: Slot[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const fromA = j >= b.length || (i < a.length && comparePositions(a[i] as Slot, b[j] as Slot) <= 0)
    const slot = (fromA ? a[i++] : b[j++]) as Slot
    if (slot.bytes !== null) merged.push(slot)
  }
  return merged
}

function firstAfter(slots: readonly Slot[], position: ScanPosition): number {
  let low = 0
  let high = slots.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (comparePositions(slots[middle] as Slot, position) <= 0) low = middle + 1
    else high = middle
  }
  return low
}

export class MapMemtable implements Memtable {
  readonly #tables = new Map<PartitionId, PartitionTable>()
  // One request asks for one key several times (is it here, what is it, here is its successor): the last one found is remembered.
  #last: Slot | undefined
  #lastPartition: PartitionId = -1
  #totalKeys = 0
  #totalBytes = 0

  get totalKeys(): number {
    return this.#totalKeys
  }

  get totalBytes(): number {
    return this.#totalBytes
  }

  #slot(partition: PartitionId, bucket: string, key: string): Slot | undefined {
    const last = this.#last
    if (last !== undefined && last.key === key && this.#lastPartition === partition && last.bucket === bucket)
      return last
    const slot = this.#tables.get(partition)?.keysOf(bucket)?.get(key)
    this.#last = slot
    this.#lastPartition = partition
    return slot
  }

  get(partition: PartitionId, bucket: string, key: string): MemtableEntry | undefined {
    const slot = this.#slot(partition, bucket, key)
    return slot && slot.bytes !== null ? new SlotEntry(slot, slot.bytes) : undefined
  }

  has(partition: PartitionId, bucket: string, key: string): boolean {
    return this.#slot(partition, bucket, key) !== undefined
  }

  count(partition: PartitionId): number {
    return this.#tables.get(partition)?.count ?? 0
  }

  countBucket(bucket: string): number {
    let count = 0
    for (const table of this.#tables.values()) count += table.buckets.get(bucket)?.size ?? 0
    return count
  }

  bytesOf(partition: PartitionId): number {
    return this.#tables.get(partition)?.bytes ?? 0
  }

  partitions(): PartitionId[] {
    return [...this.#tables.keys()].sort((a, b) => a - b)
  }

  *scan(partition: PartitionId, after: ScanPosition | null): IterableIterator<MemtableEntry> {
    const slots = this.#tables.get(partition)?.ordered() ?? []
    for (let i = after === null ? 0 : firstAfter(slots, after); i < slots.length; i++) {
      const slot = slots[i] as Slot
      if (slot.bytes !== null) yield new SlotEntry(slot, slot.bytes)
    }
  }

  // Iterating a Map while it changes is well defined (ECMA-262, MapIterator): entries that stay are visited once.
  *each(partition: PartitionId): IterableIterator<MemtableEntry> {
    const table = this.#tables.get(partition)
    if (!table) return
    for (const keys of table.buckets.values()) {
      for (const slot of keys.values()) if (slot.bytes !== null) yield new SlotEntry(slot, slot.bytes)
    }
  }

  put(partition: PartitionId, bucket: string, key: string, bytes: Buffer, lsn: Lsn): void {
    const slot = this.#slot(partition, bucket, key)
    if (slot) {
      const grown = bytes.length - (slot.bytes?.length ?? 0)
      slot.bytes = bytes
      slot.lsn = lsn
      if (grown === 0) return
      ;(this.#tables.get(partition) as PartitionTable).bytes += grown
      this.#totalBytes += grown
      return
    }
    let table = this.#tables.get(partition)
    if (!table) this.#tables.set(partition, (table = new PartitionTable()))
    let keys = table.buckets.get(bucket)
    if (!keys) table.buckets.set(bucket, (keys = new Map<string, Slot>()))
    const inserted = new Slot(bucket, key, bytes, lsn)
    keys.set(key, inserted)
    table.inserted(inserted)
    this.#last = inserted
    const size = bytes.length + key.length + bucket.length
    table.count++
    table.bytes += size
    this.#totalKeys++
    this.#totalBytes += size
  }

  /** Returns whether it was there. */
  remove(partition: PartitionId, bucket: string, key: string): boolean {
    const table = this.#tables.get(partition)
    const keys = table?.buckets.get(bucket)
    const slot = keys?.get(key)
    if (!table || !keys || !slot) return false
    const size = (slot.bytes?.length ?? 0) + key.length + bucket.length
    slot.bytes = null
    this.#last = undefined
    keys.delete(key)
    table.removed()
    // A bucket's map stays while a checkpoint may be iterating it; an empty partition holds nothing that a scan could want.
    if (--table.count === 0) this.#tables.delete(partition)
    table.bytes -= size
    this.#totalKeys--
    this.#totalBytes -= size
    return true
  }
}
