// A set of dots: partition clocks, contexts and pasts are all of this kind. For each life a list of intervals, so that a clock
// without gaps costs one interval a life however many writes it covers (Gonçalves et al., DAIS 2015, "bitmapped version vectors").
// Invariant: no life maps to an empty list, so equal sets are equal structures and encode to equal bytes.

import { type ByteReader, type ByteWriter, MalformedBytes } from '../bytes.ts'
import { compareDots, type Dot, type Life, LIFE_BYTES } from './dot.ts'
import * as intervals from './intervals.ts'

export class DotSet {
  readonly #lives: Map<Life, number[]>

  private constructor(lives: Map<Life, number[]>) {
    this.#lives = lives
  }

  static empty(): DotSet {
    return new DotSet(new Map())
  }

  static of(...dots: readonly Dot[]): DotSet {
    const set = DotSet.empty()
    for (const dot of dots) set.add(dot)
    return set
  }

  get isEmpty(): boolean {
    return this.#lives.size === 0
  }

  /** Number of lives (not of dots). */
  get lifeCount(): number {
    return this.#lives.size
  }

  /** Number of intervals over all lives; what a clock costs. */
  get intervalCount(): number {
    let count = 0
    for (const list of this.#lives.values()) count += list.length / 2
    return count
  }

  has(dot: Dot): boolean {
    const list = this.#lives.get(dot.life)
    return list !== undefined && intervals.contains(list, dot.counter)
  }

  /** Adds in place; returns whether it was new. */
  add(dot: Dot): boolean {
    const list = this.#lives.get(dot.life)
    if (list) return intervals.insert(list, dot.counter)
    this.#lives.set(dot.life, [dot.counter, dot.counter])
    return true
  }

  /** Adds all of `other` in place; returns whether anything was new. */
  addAll(other: DotSet): boolean {
    let changed = false
    for (const [life, theirs] of other.#lives) {
      const mine = this.#lives.get(life)
      if (!mine) {
        this.#lives.set(life, theirs.slice())
        changed = true
      } else if (!intervals.isSubset(theirs, mine)) {
        this.#lives.set(life, intervals.union(mine, theirs))
        changed = true
      }
    }
    return changed
  }

  /** Takes one dot out in place; returns whether it was there. */
  remove(dot: Dot): boolean {
    const list = this.#lives.get(dot.life)
    if (!list || !intervals.contains(list, dot.counter)) return false
    const rest = intervals.subtract(list, [dot.counter, dot.counter])
    if (rest.length > 0) this.#lives.set(dot.life, rest)
    else this.#lives.delete(dot.life)
    return true
  }

  clone(): DotSet {
    const copy = new Map<Life, number[]>()
    for (const [life, list] of this.#lives) copy.set(life, list.slice())
    return new DotSet(copy)
  }

  union(other: DotSet): DotSet {
    const result = this.clone()
    result.addAll(other)
    return result
  }

  /** this ∖ other */
  subtract(other: DotSet): DotSet {
    const result = new Map<Life, number[]>()
    for (const [life, mine] of this.#lives) {
      const theirs = other.#lives.get(life)
      if (!theirs) result.set(life, mine.slice())
      else if (!intervals.isSubset(mine, theirs)) result.set(life, intervals.subtract(mine, theirs))
    }
    return new DotSet(result)
  }

  intersect(other: DotSet): DotSet {
    return this.subtract(this.subtract(other))
  }

  isSubsetOf(other: DotSet): boolean {
    for (const [life, mine] of this.#lives) {
      const theirs = other.#lives.get(life)
      if (!theirs || !intervals.isSubset(mine, theirs)) return false
    }
    return true
  }

  equals(other: DotSet): boolean {
    if (this.#lives.size !== other.#lives.size) return false
    for (const [life, mine] of this.#lives) {
      const theirs = other.#lives.get(life)
      if (!theirs || !intervals.equal(mine, theirs)) return false
    }
    return true
  }

  /** {(l, c) in this : c ≤ span[l]}: a partition clock seen through the lives that wrote one key. */
  clip(span: ReadonlyMap<Life, number>): DotSet {
    const result = new Map<Life, number[]>()
    for (const [life, limit] of span) {
      const list = this.#lives.get(life)
      if (!list) continue
      const clipped = intervals.clip(list, limit)
      if (clipped.length > 0) result.set(life, clipped)
    }
    return new DotSet(result)
  }

  /** The highest counter of each life. */
  tops(): Map<Life, number> {
    const tops = new Map<Life, number>()
    for (const [life, list] of this.#lives) tops.set(life, list[list.length - 1] as number)
    return tops
  }

  /** Raises each life of `span` to its highest counter here, in place. */
  raiseTops(span: Map<Life, number>): void {
    for (const [life, list] of this.#lives) {
      const top = list[list.length - 1] as number
      if (top > (span.get(life) ?? 0)) span.set(life, top)
    }
  }

  /** Lives in order. */
  lives(): Life[] {
    return sortedLives(this.#lives.keys())
  }

  /** The intervals of one life, flat; empty when the life is not in the set. */
  of(life: Life): readonly number[] {
    return this.#lives.get(life) ?? []
  }

  /** Every dot, in order. For tests and small sets only. */
  dots(): Dot[] {
    const dots: Dot[] = []
    for (const [life, list] of this.#lives) {
      for (let i = 0; i < list.length; i += 2) {
        for (let counter = list[i] as number; counter <= (list[i + 1] as number); counter++)
          dots.push({ life, counter })
      }
    }
    return dots.sort(compareDots)
  }

  /** Canonical: lives ascending; intervals as (gap before, length − 1) so that a base costs two small varints. */
  encode(writer: ByteWriter): void {
    writer.varint(this.#lives.size)
    for (const life of this.lives()) {
      writer.hex(life, LIFE_BYTES)
      encodeIntervals(writer, this.#lives.get(life) as number[])
    }
  }

  static decode(reader: ByteReader): DotSet {
    const count = reader.count(LIFE_BYTES + 3)
    const lives = new Map<Life, number[]>()
    let previous = ''
    for (let i = 0; i < count; i++) {
      const life = reader.hex(LIFE_BYTES)
      if (life <= previous) throw new MalformedBytes('lives out of order')
      previous = life
      lives.set(life, decodeIntervals(reader))
    }
    return new DotSet(lives)
  }

  /** For traces and messages: `a1b2…:1-7,9`. */
  toString(): string {
    const parts: string[] = []
    for (const life of this.lives()) {
      const list = this.#lives.get(life) as number[]
      const ranges: string[] = []
      for (let i = 0; i < list.length; i += 2)
        ranges.push(list[i] === list[i + 1] ? `${list[i]}` : `${list[i]}-${list[i + 1]}`)
      parts.push(`${life.slice(0, 4)}:${ranges.join(',')}`)
    }
    return `{${parts.join(' ')}}`
  }
}

/** Decoded sets are in order already, and stay nearly so: worth a look before sorting. */
export function sortedLives(lives: Iterable<Life>): Life[] {
  const list = [...lives]
  for (let i = 1; i < list.length; i++) if ((list[i - 1] as Life) > (list[i] as Life)) return list.sort()
  return list
}

function encodeIntervals(writer: ByteWriter, list: readonly number[]): void {
  writer.varint(list.length / 2)
  let previous = 0
  for (let i = 0; i < list.length; i += 2) {
    const lo = list[i] as number
    const hi = list[i + 1] as number
    writer.varint(lo - previous - 1)
    writer.varint(hi - lo)
    previous = hi
  }
}

function decodeIntervals(reader: ByteReader): number[] {
  const count = reader.count(2)
  if (count === 0) throw new MalformedBytes('empty life')
  const list: number[] = []
  let previous = 0
  for (let i = 0; i < count; i++) {
    const gap = reader.varint()
    if (i > 0 && gap === 0) throw new MalformedBytes('adjacent intervals')
    const lo = previous + gap + 1
    const hi = lo + reader.varint()
    if (!Number.isSafeInteger(hi)) throw new MalformedBytes('counter too large')
    list.push(lo, hi)
    previous = hi
  }
  return list
}
