// What one node derives from its records of one (partition, n): the Merkle tree over (key, dots of S), kept up with every change.
// Nothing here is durable: it is rebuilt from the memtable when first asked for. Invariant: the tree always equals one recomputed.

import { decodeRecord, type KeyRecord } from '../core/causality/record.ts'
import { keyDigest } from '../core/merkle/key-digest.ts'
import { LEAVES, MerkleTree } from '../core/merkle/merkle-tree.ts'
import { type KeyHash, leafOfHash } from '../core/ring/key-hash.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import type { Memtable } from '../storage/memtable.ts'

type Digest = ReturnType<typeof keyDigest>

/** Null for a record without versions and dead tags: a stub of pure past is no difference. */
export function digestOf(hash: KeyHash, record: KeyRecord | null): Digest | null {
  if (record === null || (record.versions.length === 0 && record.deadTags.length === 0)) return null
  return keyDigest(hash, record.versions, record.deadTags)
}

export class PartitionIndexes {
  readonly #memtable: Memtable
  /** Q, once there is a cluster. */
  readonly #partitions: () => number
  readonly #trees = new Map<PartitionId, MerkleTree>()

  constructor(memtable: Memtable, partitions: () => number) {
    this.#memtable = memtable
    this.#partitions = partitions
  }

  /** The leaf of the tree that a key falls into. */
  leafOf(hash: KeyHash): number {
    return leafOfHash(hash, this.#partitions(), LEAVES)
  }

  /** Notes that a key's record changed; free while nobody has asked for the tree. */
  update(partition: PartitionId, hash: KeyHash, before: KeyRecord, after: KeyRecord | null): void {
    const tree = this.#trees.get(partition)
    if (tree) tree.update(this.leafOf(hash), digestOf(hash, before), digestOf(hash, after))
  }

  tree(partition: PartitionId): MerkleTree {
    const known = this.#trees.get(partition)
    if (known) return known
    const tree = new MerkleTree()
    for (const entry of this.#memtable.scan(partition, null)) {
      tree.update(this.leafOf(entry.hash), null, digestOf(entry.hash, decodeRecord(entry.bytes)))
    }
    this.#trees.set(partition, tree)
    return tree
  }

  forget(partition: PartitionId): void {
    this.#trees.delete(partition)
  }
}
