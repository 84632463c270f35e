// The ring as the rooms above ask it: names instead of indexes, and the replication factor in force.
// Knows nothing of who is reachable. Invariant: immutable; two rings of equal names and Q answer alike on every node.

import { invariant } from '../../errors.ts'
import { isPartitionCount, keyHash, partitionOfHash } from './key-hash.ts'
import { partitionId, partitionOf, replicationOf, REPLICAS_MAX } from './partition.ts'
import type { PartitionId } from './partition.ts'
import { foldPlacement, foundingChanges } from './placement.ts'
import type { Placement, PlacementChange } from './placement.ts'

export class Ring {
  /** Q */
  readonly partitions: number
  /** Sorted. */
  readonly members: readonly string[]
  /** How many membership changes this ring has folded; what receipts show as `ring`. */
  readonly version: number
  readonly #preferenceLists: readonly (readonly string[])[]
  // Cut from the lists on first use: most (partition, n) of the 15 · Q are never asked for.
  // By n, then by partition.
  readonly #homes: (readonly string[] | undefined)[][] = []
  readonly #fallbacks: (readonly string[] | undefined)[][] = []

  private constructor(placement: Placement, version: number) {
    this.partitions = placement.partitions
    this.members = placement.members.toSorted()
    this.version = version
    this.#preferenceLists = placement.orders.map((order) =>
      Array.from(order, (member) => placement.members[member] as string),
    )
  }

  /** The ring of a cluster founded by these members. */
  static ofFounders(names: readonly string[], partitions: number): Ring {
    return Ring.ofChanges(foundingChanges(names), partitions)
  }

  static ofChanges(changes: readonly PlacementChange[], partitions: number): Ring {
    invariant(isPartitionCount(partitions), `Q must be a power of two, got ${partitions}`)
    return new Ring(foldPlacement(changes, partitions), changes.length)
  }

  /** The smaller of n and the number of members. */
  nInForce(n: number): number {
    return Math.min(n, this.members.length)
  }

  /** Where a key of a bucket with replication factor n lives. */
  partitionIdOf(bucket: string, key: string, n: number): PartitionId {
    return partitionId(partitionOfHash(keyHash(bucket, key), this.partitions), n)
  }

  /** All members, most preferred first. */
  preferenceList(partition: number): readonly string[] {
    const list = this.#preferenceLists[partition]
    invariant(list !== undefined, `partition ${partition} of ${this.partitions}`)
    return list
  }

  /** The first min(n, members) of the preference list. */
  homes(id: PartitionId): readonly string[] {
    const n = replicationOf(id)
    const partition = partitionOf(id)
    const homes = (this.#homes[n] ??= new Array<undefined>(this.partitions).fill(undefined))
    return (homes[partition] ??= this.preferenceList(partition).slice(0, n))
  }

  /** Everybody else, in the order in which they stand in for homes. */
  fallbacks(id: PartitionId): readonly string[] {
    const n = replicationOf(id)
    const partition = partitionOf(id)
    const fallbacks = (this.#fallbacks[n] ??= new Array<undefined>(this.partitions).fill(undefined))
    return (fallbacks[partition] ??= this.preferenceList(partition).slice(n))
  }

  isHome(id: PartitionId, member: string): boolean {
    return this.homes(id).includes(member)
  }

  /** The numbers (0..Q−1) of the partitions of which `member` is a home for replication factor n, ascending. */
  ownedPartitions(member: string, n: number): readonly number[] {
    invariant(n >= 1 && n <= REPLICAS_MAX, `replication factor ${n}`)
    const owned: number[] = []
    for (const [partition, list] of this.#preferenceLists.entries()) {
      const place = list.indexOf(member)
      if (place !== -1 && place < n) owned.push(partition)
    }
    return owned
  }

  /** The same as (partition, n). */
  partitionsOf(member: string, n: number): readonly PartitionId[] {
    return this.ownedPartitions(member, n).map((partition) => partitionId(partition, n))
  }
}
