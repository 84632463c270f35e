// The hash tree of one (partition, n): tells two homes which leaves (stretches of the hash range) they hold
// differently. Knows nothing of keys, only of their leaf and digest. Invariant: a node's digest is the sum of the
// digests of all keys below it, in two 32-bit lanes, whatever the order in which they came and went.
//
//   level 0                [ root ]
//   level 1      [ 0 ] [ 1 ]  …   [ 15 ]            16 children each
//   level 2   [0]…[15] [16]…[31] … [240]…[255]      leaves
//
// Sums instead of hashes of hashes make a removal the inverse of an insertion. (A sum, not exclusive or: a key counted
// twice must not look like a key that is absent.) And they need not all be kept: a write changes its leaf and the root,
// and the nodes between are added up when a comparison asks for them. That is sound between replicas that trust each
// other, which is all that anti-entropy needs; it resists accidents, not forgery.

import { invariant } from '../../errors.ts'
import type { Hash64 } from '../hash64.ts'
import { hexOf } from '../hash64.ts'

/** Both ends of a comparison must agree on it: part of the protocol. */
export interface TreeShape {
  /** Children of an inner node, a power of two. */
  readonly fanOut: number
  /** Levels below the root; the last one holds the leaves. */
  readonly depth: number
}

const TREE_SHAPE: TreeShape = { fanOut: 16, depth: 2 }

function leavesOf(shape: TreeShape): number {
  return shape.fanOut ** shape.depth
}

/** The leaves of the default shape: what `leafOfHash` takes. */
export const LEAVES: number = leavesOf(TREE_SHAPE)

const ZERO: Hash64 = { hi: 0, lo: 0 }

export class MerkleTree {
  readonly shape: TreeShape
  readonly leaves: number
  #keys = 0
  /** The root's digest, as two signed words. */
  #high = 0
  #low = 0
  /** Two words a leaf; null as long as the tree is empty. */
  #lanes: Uint32Array | null = null

  constructor(shape: TreeShape = TREE_SHAPE) {
    this.shape = shape
    this.leaves = leavesOf(shape)
  }

  /** How many keys it counts. */
  get keys(): number {
    return this.#keys
  }

  /** A key of this leaf changed: from `before` (null: it was not there) to `after` (null: it is gone). */
  update(leaf: number, before: Hash64 | null, after: Hash64 | null): void {
    if (!(leaf >= 0 && leaf < this.leaves)) invariant(false, `leaf ${leaf} of ${this.leaves}`)
    const lanes = (this.#lanes ??= new Uint32Array(2 * this.leaves))
    const high = ((after?.hi ?? 0) - (before?.hi ?? 0)) | 0
    const low = ((after?.lo ?? 0) - (before?.lo ?? 0)) | 0
    // All wrap at 2^32.
    lanes[2 * leaf] = (lanes[2 * leaf] as number) + high
    lanes[2 * leaf + 1] = (lanes[2 * leaf + 1] as number) + low
    this.#high = (this.#high + high) | 0
    this.#low = (this.#low + low) | 0
    this.#keys += (after === null ? 0 : 1) - (before === null ? 0 : 1)
    if (this.#keys > 0) return
    // A wrong `before` would otherwise stay in the sums for ever and repair would never end.
    invariant(this.#keys === 0 && this.#high === 0 && this.#low === 0, 'a tree without keys sums to zero')
    this.#lanes = null
  }

  get root(): Hash64 {
    return { hi: this.#high >>> 0, lo: this.#low >>> 0 }
  }

  get rootHex(): string {
    return hexOf(this.root)
  }

  /** Level 0 is the root, level `depth` the leaves. */
  digest(level: number, node: number): Hash64 {
    if (!isNode(this.shape, level, node)) invariant(false, `node ${node} on level ${level}`)
    const lanes = this.#lanes
    if (lanes === null) return ZERO
    if (level === 0) return this.root
    const { fanOut, depth } = this.shape
    const leavesBelow = fanOut ** (depth - level)
    let hi = 0
    let lo = 0
    for (let at = 2 * node * leavesBelow; at < 2 * (node + 1) * leavesBelow; at += 2) {
      hi = (hi + (lanes[at] as number)) >>> 0
      lo = (lo + (lanes[at + 1] as number)) >>> 0
    }
    return { hi, lo }
  }

  /** What a tree shows where it holds nothing at all. */
  clear(): void {
    this.#keys = 0
    this.#high = 0
    this.#low = 0
    this.#lanes = null
  }
}

export function isNode(shape: TreeShape, level: number, node: number): boolean {
  const levelExists = Number.isInteger(level) && level >= 0 && level <= shape.depth
  return levelExists && Number.isInteger(node) && node >= 0 && node < shape.fanOut ** level
}
