// The unit of clock, Merkle tree, repair and accounting: one of Q equal parts of the hash space, for one replication factor n.
// Pure arithmetic; who owns a partition is placement's business.

/** (partition, n) packed into one integer: partition · 16 + n. */
export type PartitionId = number

/** The greatest replication factor that a bucket can ask for. */
export const REPLICAS_MAX = 15

export function partitionId(partition: number, n: number): PartitionId {
  return partition * 16 + n
}

/** 0..Q−1 */
export function partitionOf(id: PartitionId): number {
  return id >>> 4
}

/** The bucket's configured replication factor. */
export function replicationOf(id: PartitionId): number {
  return id & 15
}
