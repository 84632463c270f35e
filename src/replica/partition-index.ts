// What one node derives from its records of one (partition, n): the Merkle tree over (key, dots of S), and which of its leaves are due to
// be looked through, both kept up with every change. Nothing here is durable: it is made when first asked for. Invariant: the tree always
// equals one made anew; while it is being made, what lies before the place that was reached is in it, and nothing else.

import { decodeRecord, type KeyRecord } from '../core/causality/record.ts'
import { keyDigest } from '../core/merkle/key-digest.ts'
import { LEAVES, MerkleTree } from '../core/merkle/merkle-tree.ts'
import { type HashRange, type KeyHash, leafOfHash, rangeOfLeaf } from '../core/ring/key-hash.ts'
import { type PartitionId, partitionOf } from '../core/ring/partition.ts'
import { comparePositions, type Memtable, type MemtableEntry, type ScanPosition } from '../storage/memtable.ts'
import { DueLeaves } from './due-leaves.ts'

type Digest = ReturnType<typeof keyDigest>

/** Null for a record without versions and dead tags: a stub of pure past is no difference. */
export function digestOf(hash: KeyHash, record: KeyRecord | null): Digest | null {
  if (record === null || (record.versions.length === 0 && record.deadTags.length === 0)) return null
  return keyDigest(hash, record.versions, record.deadTags)
}

interface Making {
  readonly tree: MerkleTree
  readonly entries: Iterator<MemtableEntry>
  /** All records up to this one are in the tree. */
  reached: ScanPosition | null
}

export class PartitionIndexes {
  readonly #memtable: Memtable
  /** Q, once there is a cluster. */
  readonly #partitions: () => number
  readonly #trees = new Map<PartitionId, MerkleTree>()
  readonly #making = new Map<PartitionId, Making>()
  readonly #due = new Map<PartitionId, DueLeaves>()

  constructor(memtable: Memtable, partitions: () => number) {
    this.#memtable = memtable
    this.#partitions = partitions
  }

  /** The leaf of the tree that a key falls into. */
  leafOf(hash: KeyHash): number {
    return leafOfHash(hash, this.#partitions(), LEAVES)
  }

  /** Where the records of a leaf lie. */
  rangeOf(partition: PartitionId, leaf: number): HashRange {
    return rangeOfLeaf(partitionOf(partition), leaf, this.#partitions(), LEAVES)
  }

  /** Notes that a key's record changed, and when the new one is to be looked at; free while nobody has asked for tree and leaves. */
  update(partition: PartitionId, at: ScanPosition, before: KeyRecord, after: KeyRecord | null, dueAtMs: number): void {
    const tree = this.#trees.get(partition) ?? this.#treeThatReached(partition, at)
    if (tree) tree.update(this.leafOf(at.hash), digestOf(at.hash, before), digestOf(at.hash, after))
    this.#due.get(partition)?.note(this.leafOf(at.hash), dueAtMs)
  }

  dueLeaves(partition: PartitionId): DueLeaves {
    let due = this.#due.get(partition)
    if (due === undefined) this.#due.set(partition, (due = new DueLeaves()))
    return due
  }

  #treeThatReached(partition: PartitionId, at: ScanPosition): MerkleTree | undefined {
    if (this.#making.size === 0) return undefined
    const making = this.#making.get(partition)
    return making?.reached && comparePositions(at, making.reached) <= 0 ? making.tree : undefined
  }

  tree(partition: PartitionId): MerkleTree {
    while (!this.prepare(partition, Infinity));
    return this.#trees.get(partition) as MerkleTree
  }

  /**
   * Brings the tree nearer to being made, by so many records; true: it is there. To be called until then, with pauses, before `tree` is
   * asked for where a partition may be large.
   */
  prepare(partition: PartitionId, records: number): boolean {
    if (this.#trees.has(partition)) return true
    let making = this.#making.get(partition)
    if (!making) {
      making = { tree: new MerkleTree(), entries: this.#memtable.scan(partition, null), reached: null }
      this.#making.set(partition, making)
    }
    for (let left = records; ; left--) {
      if (left <= 0) return false
      const next = making.entries.next()
      if (next.done) break
      const { hash, bytes } = next.value
      making.tree.update(this.leafOf(hash), null, digestOf(hash, decodeRecord(bytes)))
      making.reached = next.value
    }
    this.#making.delete(partition)
    this.#trees.set(partition, making.tree)
    return true
  }

  forget(partition: PartitionId): void {
    this.#trees.delete(partition)
    this.#making.delete(partition)
    this.#due.delete(partition)
  }
}
