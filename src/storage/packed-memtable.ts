// All records of this node in memory, by (partition, bucket, key): bytes in an arena outside the JavaScript heap, and an index for each
// partition; no object for an entry. Knows bytes and where they belong, nothing of their meaning or of disks.
// Invariant: every live item has one index entry, which names it; a scan is in (hash, key, bucket) order whatever happens between its steps.

import { kept, Split } from '../core/bytes.ts'
import { type HashRange, type KeyHash, keyHash, keyHashOfBytes } from '../core/ring/key-hash.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import { Arena, type Ref } from './arena.ts'
import { BucketTable } from './bucket-table.ts'
import type { Lsn } from './entries.ts'
import type { IndexPage } from './index-page.ts'
import {
  bytesOfKey,
  isKey,
  itemBytes,
  type ItemHead,
  type KeyText,
  readHead,
  readU32,
  sizeAt,
  sizeOf,
  writeHead,
  writeKey,
  writeU32,
} from './item.ts'
import {
  comparePositions,
  Entry,
  type Memtable,
  type MemtableEntry,
  type RecordTest,
  type ScanPosition,
  SIFTED,
  type Usage,
} from './memtable.ts'
import { PartitionTable } from './partition-table.ts'
import { keptTail, Tails } from './tails.ts'

const NOTHING: Usage = { keys: 0, bytes: 0 }
const NO_REF: Ref = 0
const EVERYTHING: HashRange = { from: 0, to: 0xffff_ffff }

export class PackedMemtable implements Memtable {
  readonly #tables = new Map<PartitionId, PartitionTable>()
  readonly #buckets = new BucketTable()
  readonly #arena: Arena
  readonly #tails = new Tails()
  readonly #head: ItemHead = { partition: 0, bucket: 0, keyAt: 0, keyBytes: 0, recordAt: 0, recordBytes: 0, tail: -1 }
  #totalKeys = 0
  #indexBytes = 0
  #lastLsn: Lsn = 0
  /** Grows when slots move: what remembers a slot looks again. */
  #moves = 0
  /** What was looked for last: one request asks for one key several times (is it here, what is it, here is its successor). */
  #sought: { partition: PartitionId; bucket: string; key: KeyText; hash: KeyHash; at: number } = {
    partition: -1,
    bucket: '',
    key: '',
    hash: { hi: 0, lo: 0 },
    at: -1,
  }
  /** Where it was found: the item, and its index entry. */
  #ref: Ref = NO_REF
  #page: IndexPage | null = null
  #slot = 0

  /** So many bytes of dead items are left lying in any case. */
  constructor(deadBytesMin = 0) {
    const clean = this.#clean.bind(this)
    this.#arena = new Arena({ sizeAt, clean }, deadBytesMin)
  }

  get totalKeys(): number {
    return this.#totalKeys
  }

  get totalBytes(): number {
    return this.#arena.liveBytes + this.#tails.bytes
  }

  get memoryBytes(): number {
    return this.#arena.bytes + this.#indexBytes + this.#tails.memoryBytes
  }

  /** No more can be addressed, whatever the budget is. */
  get isExhausted(): boolean {
    return this.#arena.isExhausted
  }

  /** The item of this key, or `NO_REF`; `#sought` and the fields after it then say more. */
  #find(partition: PartitionId, bucket: string, key: KeyText): Ref {
    const sought = this.#sought
    const isSame =
      typeof key === 'string' && key === sought.key && partition === sought.partition && bucket === sought.bucket
    if (isSame && sought.at === this.#moves) return this.#ref
    if (!isSame) {
      sought.partition = partition
      sought.bucket = bucket
      sought.key = key
      sought.hash = typeof key === 'string' ? keyHash(bucket, key) : keyHashOfBytes(bucket, key)
    }
    sought.at = this.#moves
    const table = this.#tables.get(partition)
    this.#ref = table === undefined ? NO_REF : this.#lookUp(table, bucket, key)
    return this.#ref
  }

  #lookUp(table: PartitionTable, bucket: string, key: KeyText): Ref {
    const { hi } = this.#sought.hash
    const page = table.pageOf(hi)
    this.#page = page
    for (let slot = page.seek(hi); ; slot++) {
      const ref = page.ref(slot)
      if (ref === NO_REF || page.hash(slot) !== hi) return NO_REF
      const buffer = this.#read(ref)
      const head = this.#head
      if (!isKey(buffer, head.keyAt, head.keyBytes, key) || this.#buckets.name(head.bucket) !== bucket) continue
      this.#slot = slot
      return ref
    }
  }

  /** The item's head, in `#head`. */
  #read(ref: Ref): Buffer {
    const buffer = this.#arena.bufferOf(ref)
    readHead(buffer, this.#arena.offsetOf(ref), this.#head)
    return buffer
  }

  #lsnOf(ref: Ref, buffer: Buffer): Lsn {
    // The latest change with these lower bits. If it is in truth an older one, it only counts as not synced a little longer.
    const behind = ((this.#lastLsn % 2 ** 32) - readU32(buffer, this.#arena.offsetOf(ref)) + 2 ** 32) % 2 ** 32
    return Math.max(0, this.#lastLsn - behind)
  }

  get(partition: PartitionId, bucket: string, key: string): MemtableEntry | undefined {
    const entry = this.peek(partition, bucket, key)
    if (entry === undefined) return undefined
    return new Entry(bucket, key, entry.hash, kept(entry.bytes), entry.lsn)
  }

  peek(partition: PartitionId, bucket: string, key: string): MemtableEntry | undefined {
    const ref = this.#find(partition, bucket, key)
    if (ref === NO_REF) return undefined
    const buffer = this.#read(ref)
    return new Entry(bucket, key, this.#sought.hash, this.#record(buffer), this.#lsnOf(ref, buffer))
  }

  /** Of the item that was read last. */
  #record(buffer: Buffer): Buffer | Split {
    const { recordAt, recordBytes, tail } = this.#head
    const head = buffer.subarray(recordAt, recordAt + recordBytes)
    return tail < 0 ? head : new Split(head, this.#tails.get(tail))
  }

  has(partition: PartitionId, bucket: string, key: string): boolean {
    return this.#find(partition, bucket, key) !== NO_REF
  }

  count(partition: PartitionId): number {
    return this.#tables.get(partition)?.count ?? 0
  }

  usageOf(bucket: string): Usage {
    return this.#buckets.usage(bucket) ?? NOTHING
  }

  bytesOf(partition: PartitionId): number {
    return this.#tables.get(partition)?.bytes ?? 0
  }

  partitions(): PartitionId[] {
    return [...this.#tables.keys()].sort((a, b) => a - b)
  }

  scan(partition: PartitionId, after: ScanPosition | null): IterableIterator<MemtableEntry> {
    return this.#walk(partition, after, EVERYTHING, null) as IterableIterator<MemtableEntry>
  }

  sift(partition: PartitionId, range: HashRange, isWanted: RecordTest): IterableIterator<MemtableEntry | null> {
    return this.#walk(partition, null, range, isWanted)
  }

  *#walk(
    partition: PartitionId,
    after: ScanPosition | null,
    { from, to }: HashRange,
    isWanted: RecordTest | null,
  ): IterableIterator<MemtableEntry | null> {
    let passed = 0
    let position = after
    let moves = -1
    let number = 0
    let slot = -1
    for (;;) {
      const table = this.#tables.get(partition)
      if (table === undefined) return
      if (moves === this.#moves) slot++
      else {
        number = table.numberOf(position?.hash.hi ?? from)
        const page = table.pages[number] as IndexPage
        slot = position === null ? page.seek(from) : this.#firstBehind(page, position)
        moves = this.#moves
      }
      let page = table.pages[number] as IndexPage
      while ((slot = page.next(slot)) >= page.size) {
        const following = table.pages[++number]
        if (following === undefined) return
        page = following
        slot = 0
      }
      if (page.hash(slot) > to) return
      const ref = page.ref(slot)
      if (isWanted !== null && !this.#isWanted(ref, isWanted) && ++passed < SIFTED) continue
      const entry = this.#entryAt(ref)
      position = entry
      yield passed < SIFTED ? entry : null
      if (passed === SIFTED) passed = 0
    }
  }

  #isWanted(ref: Ref, test: RecordTest): boolean {
    const buffer = this.#read(ref)
    return test(buffer, this.#head.recordAt, this.#head.recordBytes)
  }

  #entryAt(ref: Ref): Entry {
    const buffer = this.#read(ref)
    const { bucket, keyAt, keyBytes } = this.#head
    const key = buffer.toString('utf8', keyAt, keyAt + keyBytes)
    return new Entry(this.#buckets.name(bucket), key, null, this.#record(buffer), this.#lsnOf(ref, buffer))
  }

  #firstBehind(page: IndexPage, position: ScanPosition): number {
    const { hi } = position.hash
    let slot = page.seek(hi)
    while (page.ref(slot) !== NO_REF && page.hash(slot) === hi) {
      if (comparePositions(this.#entryAt(page.ref(slot)), position) > 0) break
      slot++
    }
    return slot
  }

  /**
   * A tail outside of the memtable must not change any more; one of another record, as it lies in the arena, would change and is copied.
   * Returns the record as it is kept: what else refers to it must refer to that.
   */
  put<R extends Uint8Array>(
    partition: PartitionId,
    bucket: string,
    key: KeyText,
    given: R | Split,
    lsn: Lsn,
  ): R | Split {
    const record = given instanceof Split ? this.#constant(given) : given
    this.#put(partition, bucket, key, record, lsn)
    return record
  }

  #constant(record: Split): Split {
    const tail = keptTail(record.tail, !this.#arena.isOwn(record.tail.buffer))
    return tail === record.tail ? record : new Split(record.head, tail)
  }

  #put(partition: PartitionId, bucket: string, key: KeyText, record: Uint8Array | Split, lsn: Lsn): void {
    const before = this.#find(partition, bucket, key)
    const number = this.#buckets.numberOf(bucket)
    const keyBytes = bytesOfKey(key)
    const tail = record instanceof Split ? record.tail : null
    const head = record instanceof Split ? record.head : record
    const bytes = itemBytes(partition, number, keyBytes, head.length, tail !== null)
    const bytesBefore = before === NO_REF ? 0 : this.#sizeOf(before)
    const tailBefore = before === NO_REF ? -1 : this.#head.tail
    if (lsn > this.#lastLsn) this.#lastLsn = lsn
    const tailNumber = tail === null ? -1 : this.#tails.add(tail)
    // What has the same size takes the place of the old one.
    const ref = bytes === bytesBefore ? before : this.#allocate(bytes, tailNumber)
    const buffer = this.#arena.bufferOf(ref)
    const keyAt = writeHead(
      buffer,
      this.#arena.offsetOf(ref),
      lsn,
      partition,
      number,
      keyBytes,
      head.length,
      tailNumber >= 0,
    )
    const recordAt = writeKey(buffer, keyAt, key)
    buffer.set(head, recordAt)
    if (tailNumber >= 0) writeU32(buffer, recordAt + head.length, tailNumber)
    const grown = bytes - bytesBefore + (tail?.length ?? 0) - (tailBefore < 0 ? 0 : this.#letGo(tailBefore))
    if (ref !== before && before === NO_REF) this.#insert(ref)
    else if (ref !== before) (this.#page as IndexPage).setRef(this.#slot, ref)
    else if (grown === 0) return
    this.#ref = ref
    this.#account(partition, number, before === NO_REF ? 1 : 0, grown)
    if (before !== NO_REF && ref !== before) this.#free(before, bytesBefore)
  }

  /** Where there is no room, nothing has changed. */
  #allocate(bytes: number, tail: number): Ref {
    try {
      return this.#arena.allocate(bytes)
    } catch (error) {
      if (tail >= 0) this.#tails.remove(tail)
      throw error
    }
  }

  /** Its head is read, for its tail. */
  #sizeOf(ref: Ref): number {
    this.#read(ref)
    return sizeOf(this.#head, this.#arena.offsetOf(ref))
  }

  /** Returns its bytes. */
  #letGo(tail: number): number {
    const { length } = this.#tails.get(tail)
    this.#tails.remove(tail)
    return length
  }

  /** An index entry for what was sought and not found. */
  #insert(ref: Ref): void {
    const { partition, hash } = this.#sought
    let table = this.#tables.get(partition)
    if (table === undefined) this.#tables.set(partition, (table = new PartitionTable()))
    else this.#indexBytes -= table.indexBytes
    table.insert(hash.hi, this.#smallerOfHash(table, ref), ref)
    this.#indexBytes += table.indexBytes
    this.#moves++
  }

  /** How many entries of the same hash the item belongs behind. */
  #smallerOfHash(table: PartitionTable, ref: Ref): number {
    const { hi } = this.#sought.hash
    const page = table.pageOf(hi)
    const first = page.seek(hi)
    let slot = first
    while (page.ref(slot) !== NO_REF && page.hash(slot) === hi) {
      if (comparePositions(this.#entryAt(page.ref(slot)), this.#entryAt(ref)) > 0) break
      slot++
    }
    return slot - first
  }

  /** Returns whether it was there. */
  remove(partition: PartitionId, bucket: string, key: KeyText): boolean {
    const ref = this.#find(partition, bucket, key)
    if (ref === NO_REF) return false
    const bytes = this.#sizeOf(ref)
    const { tail } = this.#head
    const table = this.#tables.get(partition) as PartitionTable
    this.#indexBytes -= table.indexBytes
    table.remove(this.#page as IndexPage, this.#slot)
    this.#indexBytes += table.indexBytes
    this.#moves++
    this.#account(partition, this.#buckets.numberOf(bucket), -1, -bytes - (tail < 0 ? 0 : this.#letGo(tail)))
    if (table.count === 0) {
      this.#indexBytes -= table.indexBytes
      this.#tables.delete(partition)
    }
    this.#free(ref, bytes)
    return true
  }

  #account(partition: PartitionId, bucket: number, keys: number, bytes: number): void {
    this.#totalKeys += keys
    ;(this.#tables.get(partition) as PartitionTable).bytes += bytes
    this.#buckets.add(bucket, keys, bytes)
  }

  #free(ref: Ref, bytes: number): void {
    this.#arena.free(ref, bytes)
    this.#arena.tidy(bytes)
  }

  /** Live is what an index entry names. */
  #clean(ref: Ref, buffer: Buffer, offset: number, bytes: number): void {
    readHead(buffer, offset, this.#head)
    const { partition, bucket, keyAt, keyBytes } = this.#head
    const table = this.#tables.get(partition)
    if (table === undefined) return
    const { hi } = keyHashOfBytes(this.#buckets.name(bucket), buffer.subarray(keyAt, keyAt + keyBytes))
    const page = table.pageOf(hi)
    let slot = page.seek(hi)
    while (page.ref(slot) !== NO_REF && page.hash(slot) === hi && page.ref(slot) !== ref) slot++
    if (page.ref(slot) !== ref) return
    const moved = this.#arena.survive(bytes)
    buffer.copy(this.#arena.bufferOf(moved), this.#arena.offsetOf(moved), offset, offset + bytes)
    page.setRef(slot, moved)
    if (this.#ref === ref) this.#ref = moved
    this.#arena.free(ref, bytes)
  }
}
