// Walking two trees down to the leaves that differ, one question a level: pure steps, the caller carries them over the
// wire. Knows nothing of links. Invariant: without change in between, the walk ends with exactly the leaves whose
// digests differ; what comes from the other side is checked, never believed.

import { MalformedBytes } from '../bytes.ts'
import { hexOf } from '../hash64.ts'
import { isNode } from './merkle-tree.ts'
import type { MerkleTree } from './merkle-tree.ts'

/** What to ask next (`childDigests` of these nodes, on the other side), or the result. */
export type DiffStep =
  | { readonly type: 'ask'; readonly level: number; readonly nodes: readonly number[] }
  | { readonly type: 'done'; readonly leaves: readonly number[] }

/** The first step, from the other side's root. */
export function beginDiff(mine: MerkleTree, theirRoot: string): DiffStep {
  if (mine.rootHex === theirRoot) return { type: 'done', leaves: [] }
  return mine.shape.depth === 0 ? { type: 'done', leaves: [0] } : { type: 'ask', level: 0, nodes: [0] }
}

/**
 * The answer to a question: all children of these nodes, node by node. Throws `MalformedBytes` for nodes that do not
 * exist.
 */
export function childDigests(tree: MerkleTree, level: number, nodes: readonly number[]): readonly string[] {
  const { fanOut, depth } = tree.shape
  if (level >= depth || nodes.length > fanOut ** level) throw new MalformedBytes('no such tree nodes')
  const digests: string[] = []
  for (const node of nodes) {
    if (!isNode(tree.shape, level, node)) throw new MalformedBytes('no such tree node')
    for (let child = 0; child < fanOut; child++) digests.push(hexOf(tree.digest(level + 1, node * fanOut + child)))
  }
  return digests
}

/** The step after `theirs` answered `asked`. Throws `MalformedBytes` where the answer does not fit the question. */
export function continueDiff(
  mine: MerkleTree,
  asked: Extract<DiffStep, { type: 'ask' }>,
  theirs: readonly string[],
): DiffStep {
  const { fanOut, depth } = mine.shape
  const own = childDigests(mine, asked.level, asked.nodes)
  if (theirs.length !== own.length) throw new MalformedBytes('tree digests do not fit the question')
  const differing: number[] = []
  for (const [i, node] of asked.nodes.entries()) {
    for (let child = 0; child < fanOut; child++) {
      const at = i * fanOut + child
      if (own[at] !== theirs[at]) differing.push(node * fanOut + child)
    }
  }
  if (differing.length === 0 || asked.level + 1 === depth) return { type: 'done', leaves: differing }
  return { type: 'ask', level: asked.level + 1, nodes: differing }
}
