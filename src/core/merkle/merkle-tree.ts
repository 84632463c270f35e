// The hash tree of one (partition, n): tells two homes which leaves (stretches of the hash range) they hold
// differently. Knows nothing of keys, only of their leaf and digest. Invariant: a node's digest is the sum of the
// digests of all keys below it, in two 32-bit lanes, whatever the order in which they came and went.
//
//   level 0                [ root ]
//   level 1      [ 0 ] [ 1 ]  …   [ 15 ]            16 children each
//   level 2   [0]…[15] [16]…[31] … [240]…[255]      leaves
//
// Sums instead of hashes of hashes make an update O(depth) without reading a neighbour, and a removal the inverse of an
// insertion. (A sum, not exclusive or: a key counted twice must not look like a key that is absent.) That is sound
// between replicas that trust each other, which is all that anti-entropy needs; it resists accidents, not forgery.

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

export const TREE_SHAPE: TreeShape = { fanOut: 16, depth: 2 }

export function leavesOf(shape: TreeShape): number {
  return shape.fanOut ** shape.depth
}

/** The leaves of the default shape: what `leafOfHash` takes. */
export const LEAVES: number = leavesOf(TREE_SHAPE)

const ZERO: Hash64 = { hi: 0, lo: 0 }

export class MerkleTree {
  readonly shape: TreeShape
  readonly leaves: number
  #keys = 0
  /** Two words a node, level after level, the leaves last; null as long as the tree is empty. */
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
    invariant(leaf >= 0 && leaf < this.leaves, `leaf ${leaf} of ${this.leaves}`)
    const lanes = (this.#lanes ??= new Uint32Array(2 * nodesAbove(this.shape, this.shape.depth + 1)))
    const hi = (after?.hi ?? 0) - (before?.hi ?? 0)
    const lo = (after?.lo ?? 0) - (before?.lo ?? 0)
    let node = leaf
    for (let level = this.shape.depth; level >= 0; level--) {
      // The array wraps at 2^32, in either direction.
      const at = 2 * (nodesAbove(this.shape, level) + node)
      lanes[at] = (lanes[at] as number) + hi
      lanes[at + 1] = (lanes[at + 1] as number) + lo
      node = Math.floor(node / this.shape.fanOut)
    }
    this.#keys += (after === null ? 0 : 1) - (before === null ? 0 : 1)
    if (this.#keys > 0) return
    // A wrong `before` would otherwise stay in the sums for ever and repair would never end.
    invariant(this.#keys === 0 && lanes[0] === 0 && lanes[1] === 0, 'a tree without keys sums to zero')
    this.#lanes = null
  }

  get root(): Hash64 {
    return this.digest(0, 0)
  }

  get rootHex(): string {
    return hexOf(this.root)
  }

  /** Level 0 is the root, level `depth` the leaves. */
  digest(level: number, node: number): Hash64 {
    invariant(isNode(this.shape, level, node), `node ${node} on level ${level}`)
    if (this.#lanes === null) return ZERO
    const at = 2 * (nodesAbove(this.shape, level) + node)
    return { hi: this.#lanes[at] as number, lo: this.#lanes[at + 1] as number }
  }

  /** What a tree shows where it holds nothing at all. */
  clear(): void {
    this.#keys = 0
    this.#lanes = null
  }
}

export function isNode(shape: TreeShape, level: number, node: number): boolean {
  const levelExists = Number.isInteger(level) && level >= 0 && level <= shape.depth
  return levelExists && Number.isInteger(node) && node >= 0 && node < shape.fanOut ** level
}

/** 1 + f + f² + … : the nodes on the levels above `level`. */
function nodesAbove(shape: TreeShape, level: number): number {
  let nodes = 0
  for (let above = 0, width = 1; above < level; above++, width *= shape.fanOut) nodes += width
  return nodes
}
