// What a node's records in memory can be asked, and what an entry is: the reading side of `packed-memtable.ts`. Knows bytes and where they
// belong, nothing of their meaning or of disks. Invariant: a scan is in (hash, key, bucket) order whatever happens between its steps.

import type { Split } from '../core/bytes.ts'
import { compareHash64 } from '../core/hash64.ts'
import { compareText } from '../core/membership/identity.ts'
import { type HashRange, type KeyHash, keyHash } from '../core/ring/key-hash.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import type { Lsn } from './entries.ts'

export interface ScanPosition {
  readonly hash: KeyHash
  readonly key: string
  readonly bucket: string
}

export interface MemtableEntry extends ScanPosition {
  /** The encoded record (core/causality/record.ts). Of one that is split the tail may be kept as it is. */
  readonly bytes: Buffer | Split
  /** The change that wrote it; the record is durable once the storage has synced this. */
  readonly lsn: Lsn
}

/** What is held, as it lies in memory: with the keys, and what an item costs besides. */
export interface Usage {
  readonly keys: number
  readonly bytes: number
}

/** Reading only: changes go through `Storage`, which logs them. */
export interface Memtable {
  /** A copy, to be kept. */
  get(partition: PartitionId, bucket: string, key: string): MemtableEntry | undefined
  /** Not a copy: `bytes` is good until the next change of the memtable. */
  peek(partition: PartitionId, bucket: string, key: string): MemtableEntry | undefined
  has(partition: PartitionId, bucket: string, key: string): boolean
  count(partition: PartitionId): number
  usageOf(bucket: string): Usage
  readonly totalKeys: number
  /** Of live items. */
  readonly totalBytes: number
  /** Taken from the system: live items, dead ones, room that is not used yet, and the index. */
  readonly memoryBytes: number
  /** Of its live items. */
  bytesOf(partition: PartitionId): number
  /** Partitions that hold records, ascending. */
  partitions(): PartitionId[]
  /**
   * Records in (hash, key, bucket) order, strictly after the position; `bytes` of each is good until the next change. Each step goes on
   * from the one that was given last over what is there by then, so it may wait as long as it likes, whatever changes.
   */
  scan(partition: PartitionId, after: ScanPosition | null): IterableIterator<MemtableEntry>
  /**
   * The same, of those records in a range alone that `isWanted` names by their bytes in `buffer`, since an entry costs ten times that
   * look. Null after every `SIFTED` records that were passed over: time to let others have a turn.
   */
  sift(partition: PartitionId, range: HashRange, isWanted: RecordTest): IterableIterator<MemtableEntry | null>
}

/** The record is `bytes` long, but for its tail, and begins at `at`. */
export type RecordTest = (buffer: Buffer, at: number, bytes: number) => boolean

/** Records that `sift` passes over in one go. */
export const SIFTED = 512

export class Entry implements MemtableEntry {
  readonly bucket: string
  readonly key: string
  readonly bytes: Buffer | Split
  readonly lsn: Lsn
  #hash: KeyHash | null

  constructor(bucket: string, key: string, hash: KeyHash | null, bytes: Buffer | Split, lsn: Lsn) {
    this.bucket = bucket
    this.key = key
    this.bytes = bytes
    this.lsn = lsn
    this.#hash = hash
  }

  get hash(): KeyHash {
    return (this.#hash ??= keyHash(this.bucket, this.key))
  }
}

export function comparePositions(a: ScanPosition, b: ScanPosition): number {
  return compareHash64(a.hash, b.hash) || compareText(a.key, b.key) || compareText(a.bucket, b.bucket)
}
