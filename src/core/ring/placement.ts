// Placement: which members hold a partition, and in which order, as the fold over the list of membership changes. Knows
// nothing of addresses, health or keys. Invariants: equal lists give equal placements on every node; every partition
// orders ALL members; a join inserts the newcomer and moves nobody else relative to each other.
//
//   partition p, members 0..4 :  [ 3 1 4 | 0 2 ]      n = 3: homes 3, 1, 4; fallbacks 0, 2
//   member 5 joins at position 1:  [ 3 5 1 | 4 0 2 ]      newcomer in, exactly one owner (4) out, for every n ≥ 2
//
// So a join moves the least for every n at once. What is left to choose is which partitions the newcomer enters at
// which position, so that for every n all members end with n·Q/k partitions: `insertion-plan.ts`.

import { invariant } from '../../errors.ts'
import { planInsertion } from './insertion-plan.ts'

/** One change of the member set; a leave, a weight and a zone are members of this union once they exist. */
export interface JoinChange {
  readonly type: 'join'
  readonly name: string
}

export type PlacementChange = JoinChange

export interface Placement {
  /** Q */
  readonly partitions: number
  /** Names in order of joining; the tables below speak of indexes into this list. */
  readonly members: readonly string[]
  /** For each partition, all member indexes, most preferred first. */
  readonly orders: readonly Uint16Array[]
}

/** The changes that found a cluster: everybody joins, in the order of the names. */
export function foundingChanges(names: readonly string[]): readonly PlacementChange[] {
  return names.toSorted(byCodeUnit).map((name) => ({ type: 'join', name }))
}

export function emptyPlacement(partitions: number): Placement {
  return { partitions, members: [], orders: Array.from({ length: partitions }, () => new Uint16Array(0)) }
}

/** Folds all changes; 30 members at Q = 1024 take some hundred milliseconds, so callers keep the result. */
export function foldPlacement(changes: readonly PlacementChange[], partitions: number): Placement {
  return changes.reduce(applyChange, emptyPlacement(partitions))
}

export function applyChange(placement: Placement, change: PlacementChange): Placement {
  switch (change.type) {
    case 'join':
      return join(placement, change.name)
  }
}

function join(placement: Placement, name: string): Placement {
  invariant(!placement.members.includes(name), `member ${name} joins twice`)
  const newcomer = placement.members.length
  const positions = planInsertion(placement.orders, newcomer)
  const orders = placement.orders.map((order, partition) => inserted(order, positions[partition] ?? 0, newcomer))
  return { partitions: placement.partitions, members: [...placement.members, name], orders }
}

function inserted(order: Uint16Array, position: number, member: number): Uint16Array {
  const longer = new Uint16Array(order.length + 1)
  longer.set(order.subarray(0, position))
  longer[position] = member
  longer.set(order.subarray(position), position + 1)
  return longer
}

// Not localeCompare: the order must not depend on a node's locale.
function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
