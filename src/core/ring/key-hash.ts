// Where a key falls: a 64-bit hash of (bucket, key) whose top bits name the partition and whose next bits name the tree
// leaf. Knows nothing of members. Invariant: the value is XXH64(key, seed = XXH64(bucket)) for ever; listings are
// ordered by it, so partitions, and leaves within them, are consecutive stretches of every listing.

import { hash64, hash64OfBytes, seedOf } from '../hash64.ts'
import type { Hash64 } from '../hash64.ts'

/** The hash of a (bucket, key), unsigned; `hexOf` gives the 16 digits that cursors and `/v1/ring` show. */
export type KeyHash = Hash64

/** Q may not exceed this: 16 bits of the hash, and a table of placement that stays small. */
const PARTITIONS_MAX = 65_536

// The bucket as the seed, not as a prefix: boundaries need no separator, and a bucket is hashed once, not once a key.
const bucketSeeds = new Map<string, bigint>()
const BUCKET_SEEDS_MAX = 4096

function bucketSeed(bucket: string): bigint {
  const known = bucketSeeds.get(bucket)
  if (known !== undefined) return known
  if (bucketSeeds.size >= BUCKET_SEEDS_MAX) bucketSeeds.clear()
  const seed = seedOf(bucket)
  bucketSeeds.set(bucket, seed)
  return seed
}

/** About 5 million a second for short keys. */
export function keyHash(bucket: string, key: string): KeyHash {
  return hash64(key, bucketSeed(bucket))
}

/** The same hash from the key's UTF-8 bytes. */
export function keyHashOfBytes(bucket: string, key: Uint8Array): KeyHash {
  return hash64OfBytes(key, bucketSeed(bucket))
}

/** XXH64 of (bucket, key, text), for digests that name a key together with something of it. */
export function keyedHash(bucket: string, key: string, text: string): Hash64 {
  return hash64(text, seedOf(key, bucketSeed(bucket)))
}

/** Whether Q can be the number of partitions of a cluster: a power of two from 1 to `PARTITIONS_MAX`. */
export function isPartitionCount(partitions: number): boolean {
  return Number.isInteger(partitions) && partitions >= 1 && partitions <= PARTITIONS_MAX && isPowerOfTwo(partitions)
}

/** The top log2(Q) bits. `partitions` (Q) is a power of two. */
export function partitionOfHash(hash: KeyHash, partitions: number): number {
  return topBits(hash.hi, log2(partitions))
}

/** The log2(leaves) bits below the partition's. Q · leaves ≤ 2^32, both powers of two. */
export function leafOfHash(hash: KeyHash, partitions: number, leaves: number): number {
  return topBits((hash.hi << log2(partitions)) >>> 0, log2(leaves))
}

/** A stretch of the hash range by the upper words of its hashes, both ends included. */
export interface HashRange {
  readonly from: number
  readonly to: number
}

/** The hashes of one leaf of a partition: those for which `partitionOfHash` and `leafOfHash` say so. */
export function rangeOfLeaf(partition: number, leaf: number, partitions: number, leaves: number): HashRange {
  const width = 2 ** (32 - log2(partitions) - log2(leaves))
  const from = (partition * leaves + leaf) * width
  return { from, to: from + width - 1 }
}

function isPowerOfTwo(value: number): boolean {
  return (value & (value - 1)) === 0
}

function log2(powerOfTwo: number): number {
  return 31 - Math.clz32(powerOfTwo)
}

// `x >>> 32` is `x >>> 0` in JavaScript, so taking no bits is a case of its own.
function topBits(word: number, bits: number): number {
  return bits === 0 ? 0 : word >>> (32 - bits)
}
