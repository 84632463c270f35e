// What a merge must be, for replicas and clients to come to one value whoever merges what first: the same again, in any order, in any
// grouping, and no other for being done twice (a join of a semilattice: Shapiro et al., "Conflict-free Replicated Data Types", 2011).
// Tried on every set of siblings that clients met. Pure; keeps the smallest counterexample to each law.

import { canonical, type Json, type MergeFunction } from './merge-function.ts'

export type Law = 'determinism' | 'order' | 'grouping' | 'repetition'

export const LAWS: readonly Law[] = ['determinism', 'order', 'grouping', 'repetition']

export interface Counterexample {
  /** Two ways to merge the same values, in words, and what came of each. */
  readonly ways: readonly [string, string]
  readonly values: readonly [Json, Json]
  readonly siblings: readonly Json[]
}

export interface LawVerdict {
  tried: number
  broken: number
  smallest: Counterexample | null
}

/** Of more siblings only some orders are tried. */
const ORDERS_MAX = 6

export class MergeLaws {
  readonly verdicts: ReadonlyMap<Law, LawVerdict> = new Map(
    LAWS.map((law): [Law, LawVerdict] => [law, { tried: 0, broken: 0, smallest: null }]),
  )

  get hold(): boolean {
    return [...this.verdicts.values()].every(({ broken }) => broken === 0)
  }

  /** The merged value; on the way all laws are tried. `siblings`: two or more. */
  examine(merging: MergeFunction, siblings: readonly Json[]): Json {
    return merging.limited(() => this.#examine(merging, siblings))
  }

  #examine(merging: MergeFunction, siblings: readonly Json[]): Json {
    const merge = (...values: readonly Json[]): Json => merging.merge(values)
    const merged = merge(...siblings)
    const compare = (law: Law, way: string, value: Json): void =>
      this.#note(law, { ways: ['all at once', way], values: [merged, value], siblings })
    compare('determinism', 'all at once, again', merge(...siblings))
    for (const order of ordersOf(siblings.length).slice(1)) {
      const names = order.map((i) => `#${i + 1}`).join(', ')
      compare('order', `in the order ${names}`, merge(...order.map((i) => siblings[i] as Json)))
    }
    if (siblings.length > 2) {
      const [first, second, ...others] = siblings as [Json, Json, ...Json[]]
      compare('grouping', 'the first two, then the others', merge(merge(first, second), ...others))
      compare('grouping', 'the first with what came of the others', merge(first, merge(second, ...others)))
    } else {
      // Somebody else merges them too, and then both results meet.
      const [first, second] = siblings as [Json, Json]
      compare('grouping', 'the first, then what came of both', merge(first, merge(first, second)))
    }
    compare('repetition', 'and what came of it with itself', merge(merged, merged))
    compare('repetition', 'and what came of it with all of them', merge(merged, ...siblings))
    compare('repetition', 'and what came of it alone', merge(merged))
    return merged
  }

  #note(law: Law, example: Counterexample): void {
    const verdict = this.verdicts.get(law)
    if (!verdict) return
    verdict.tried++
    if (canonical(example.values[0]) === canonical(example.values[1])) return
    verdict.broken++
    if (verdict.smallest === null || sizeOf(example) < sizeOf(verdict.smallest)) verdict.smallest = example
  }
}

function sizeOf({ siblings }: Counterexample): number {
  return JSON.stringify(siblings).length
}

/** Some permutations of 0 … count − 1, the given order first: all of three, of more the turned and reversed ones. */
function ordersOf(count: number): number[][] {
  const given = Array.from({ length: count }, (_, i) => i)
  const orders: number[][] = []
  for (let turn = 0; turn < count && orders.length < ORDERS_MAX; turn++) {
    const turned = [...given.slice(turn), ...given.slice(0, turn)]
    orders.push(turned)
    if (count > 2 && orders.length < ORDERS_MAX) orders.push(turned.toReversed())
  }
  return orders
}
