// At which position a newcomer enters each partition's order, so that every member's load stays even for every n. Knows
// member indexes only. Invariants: position i is used floor or ceil of Q/k times (k members with the newcomer), so the
// newcomer's load is exact for every n; the plan is a pure function of the orders, in integers only, the same
// everywhere.
//
// The load of member m at n is the number of partitions with m among the first n. Entering at a position below n pushes
// the member at place n−1 out. So with S(n) = partitions entered below n, the new load is load(n, m) − |{p ∈ S(n):
// place n−1 of p is m}|, and S(1) ⊂ S(2) ⊂ …: choosing the sets one after the other comes near, and exchanging the
// positions of two partitions, as long as the sum of squared deviations falls, does the rest (some sweeps, as each join
// has much freedom).

import { REPLICAS_MAX } from './partition.ts'

const SWEEPS_MAX = 24
const PARTNERS_PER_SWEEP = 24

/** The position (0..newcomer) for each partition. `orders` hold the members 0..newcomer−1, all of them each. */
export function planInsertion(orders: readonly Uint16Array[], newcomer: number): Uint16Array {
  const plan = new InsertionPlan(orders, newcomer)
  plan.chooseGreedily()
  plan.improve()
  return plan.positions
}

class InsertionPlan {
  readonly positions: Uint16Array
  readonly #orders: readonly Uint16Array[]
  readonly #members: number // k, the newcomer included
  readonly #levels: number // the n that are balanced: 1..levels
  readonly #random: Draw
  /** [(n − 1) · k + m] = k · (load of m at n) − n · Q: the deviation from the even share, in k-ths of a partition. */
  readonly #excess: Int32Array

  constructor(orders: readonly Uint16Array[], newcomer: number) {
    this.#orders = orders
    this.#members = newcomer + 1
    // One level more than any bucket's n: the first fallback is the next home when one is away.
    this.#levels = Math.min(newcomer, REPLICAS_MAX + 1)
    this.#random = new Draw(newcomer)
    this.positions = new Uint16Array(orders.length).fill(newcomer)
    this.#excess = new Int32Array(this.#levels * this.#members)
    for (let n = 1; n <= this.#levels; n++) {
      for (let m = 0; m < newcomer; m++) this.#excess[this.#cell(n, m)] = -n * orders.length
    }
    for (const order of orders) {
      for (let place = 0; place < this.#levels; place++) {
        const m = order[place] as number
        for (let n = place + 1; n <= this.#levels; n++) this.#add(n, m, this.#members)
      }
    }
  }

  #cell(n: number, member: number): number {
    return (n - 1) * this.#members + member
  }

  #add(n: number, member: number, amount: number): void {
    const cell = this.#cell(n, member)
    this.#excess[cell] = (this.#excess[cell] as number) + amount
  }

  /**
   * For n = 1, 2, …: grow S(n) to floor(n·Q/k) partitions, always by one whose place n−1 is held by the most loaded
   * member.
   */
  chooseGreedily(): void {
    const waiting = this.#random.shuffle(this.#orders.length)
    let entered = 0
    for (let n = 1; n <= this.#levels; n++) {
      // Whoever entered below n already pushes place n−1 out as well.
      for (let p = 0; p < this.positions.length; p++) {
        if ((this.positions[p] as number) < n - 1) this.#add(n, this.#place(p, n), -this.#members)
      }
      const size = Math.floor((n * this.#orders.length) / this.#members)
      for (; entered < size; entered++) {
        const at = this.#mostLoaded(waiting, n)
        const partition = waiting[at] as number
        waiting[at] = waiting[waiting.length - 1] as number
        waiting.pop()
        this.positions[partition] = n - 1
        this.#add(n, this.#place(partition, n), -this.#members)
      }
    }
    // Positions beyond the balanced levels serve as late fallbacks only: spread evenly, at random.
    for (let position = this.#levels; position < this.#members - 1; position++) {
      const size = Math.floor(((position + 1) * this.#orders.length) / this.#members)
      for (; entered < size; entered++) this.positions[waiting.pop() as number] = position
    }
  }

  #place(partition: number, n: number): number {
    return (this.#orders[partition] as Uint16Array)[n - 1] as number
  }

  #mostLoaded(waiting: readonly number[], n: number): number {
    let best = 0
    let bestExcess = Number.NEGATIVE_INFINITY
    for (let at = 0; at < waiting.length; at++) {
      const excess = this.#excess[this.#cell(n, this.#place(waiting[at] as number, n))] as number
      if (excess > bestExcess) {
        best = at
        bestExcess = excess
      }
    }
    return best
  }

  /** Exchanges positions between partitions while that evens the loads; stops when no load is a partition off. */
  improve(): void {
    const partitions = this.#orders.length
    for (let sweep = 0; sweep < SWEEPS_MAX && !this.#even(); sweep++) {
      for (const p of this.#random.shuffle(partitions)) {
        let best = -1
        let bestGain = 0
        for (let draw = 0; draw < PARTNERS_PER_SWEEP; draw++) {
          const q = this.#random.below(partitions)
          const gain = this.#gain(p, q)
          if (gain > bestGain || (gain === 0 && best === -1)) {
            best = q
            bestGain = gain
          }
        }
        if (best !== -1) this.#exchange(p, best)
      }
    }
  }

  #even(): boolean {
    return this.#excess.every((excess) => Math.abs(excess) < this.#members)
  }

  /** By how much the sum of squares falls when p and q exchange positions, in units of k. */
  #gain(p: number, q: number): number {
    const [inner, outer] = (this.positions[p] as number) <= (this.positions[q] as number) ? [p, q] : [q, p]
    const from = (this.positions[inner] as number) + 1
    const to = Math.min(this.positions[outer] as number, this.#levels)
    let gain = 0
    for (let n = from; n <= to; n++) {
      const spared = this.#place(inner, n)
      const pushed = this.#place(outer, n)
      if (spared === pushed) continue
      const excessOfSpared = this.#excess[this.#cell(n, spared)] as number
      const excessOfPushed = this.#excess[this.#cell(n, pushed)] as number
      gain += 2 * (excessOfPushed - excessOfSpared - this.#members)
    }
    return gain
  }

  #exchange(p: number, q: number): void {
    const [inner, outer] = (this.positions[p] as number) <= (this.positions[q] as number) ? [p, q] : [q, p]
    const from = this.positions[inner] as number
    const to = this.positions[outer] as number
    for (let n = from + 1; n <= Math.min(to, this.#levels); n++) {
      this.#add(n, this.#place(inner, n), this.#members)
      this.#add(n, this.#place(outer, n), -this.#members)
    }
    this.positions[inner] = to
    this.positions[outer] = from
  }
}

/** A fixed stream of integers for a seed (Marsaglia, Xorshift RNGs, 2003): choice without chance. */
class Draw {
  #state: number

  constructor(seed: number) {
    this.#state = (seed * 0x9e3779b1 + 0x7f4a7c15) | 0 || 1
    for (let i = 0; i < 8; i++) this.#next()
  }

  #next(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return x >>> 0
  }

  below(limit: number): number {
    return this.#next() % limit
  }

  /** 0..length−1 in some order (Fisher and Yates). */
  shuffle(length: number): number[] {
    const list = Array.from({ length }, (_, i) => i)
    for (let i = length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const swapped = list[i] as number
      list[i] = list[j] as number
      list[j] = swapped
    }
    return list
  }
}
