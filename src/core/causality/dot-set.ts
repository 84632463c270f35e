// A set of dots: partition clocks, contexts and pasts are all of this kind. For each life a list of intervals, so that a clock
// without gaps costs one interval a life however many writes it covers (Gonçalves et al., DAIS 2015, "bitmapped version vectors").
// Invariant: lives ascend and none has an empty list, so equal sets are equal structures and encode to equal bytes.

import type { ByteReader, ByteWriter } from '../bytes.ts'
import type { WordHash } from '../word-hash.ts'
import type { Dot, Life } from './dot.ts'
import { built, decodeLists, encodeLists, hashLists, NO_ENDS, sameNumbers, sharedEnds } from './dot-lists.ts'
import * as intervals from './intervals.ts'
import { type Lives, NO_LIVES, placeFrom, placeOf, sameLives, sharedLives } from './lives.ts'
import { Span } from './span.ts'

/** Bounds, from which on moving them in place is cheaper than a copy. */
const MANY = 64

/**
 * A few lives are the rule, and many sets live for one request: flat arrays cost a set three allocations where maps and lists of
 * their own cost a dozen, and a clone shares them until one of the two changes.
 */
export class DotSet {
  #lives: Lives
  /** Where the intervals of the life at the same place end in `#bounds`; they begin where those before end. Never changed in place. */
  #ends: readonly number[]
  #bounds: number[]
  /** Whether `#bounds` is shared with no other set. */
  #isOwn: boolean

  private constructor(lives: Lives, ends: readonly number[], bounds: number[], isOwn: boolean) {
    this.#lives = lives
    this.#ends = ends
    this.#bounds = bounds
    this.#isOwn = isOwn
  }

  static empty(): DotSet {
    return new DotSet(NO_LIVES, NO_ENDS, [], true)
  }

  static of(...dots: readonly Dot[]): DotSet {
    const set = DotSet.empty()
    for (const dot of dots) set.add(dot)
    return set
  }

  get isEmpty(): boolean {
    return this.#lives.length === 0
  }

  /** Number of lives (not of dots). */
  get lifeCount(): number {
    return this.#lives.length
  }

  /** Number of intervals over all lives; what a clock costs. */
  get intervalCount(): number {
    return this.#bounds.length / 2
  }

  #start(at: number): number {
    return at === 0 ? 0 : (this.#ends[at - 1] as number)
  }

  has(dot: Dot): boolean {
    const at = placeOf(this.#lives, dot.life)
    return at >= 0 && intervals.contains(this.#bounds, this.#start(at), this.#ends[at] as number, dot.counter)
  }

  /** Adds in place; returns whether it was new. O(log n) where it extends an interval, as in-order arrivals do. */
  add(dot: Dot): boolean {
    const { life, counter } = dot
    const at = placeOf(this.#lives, life)
    if (at < 0) {
      const place = ~at
      const start = this.#start(place)
      this.#lives = sharedLives(this.#lives.toSpliced(place, 0, life), this.#lives.length + 1)
      this.#ends = this.#ends.toSpliced(place, 0, start)
      this.#insert(place, start, counter)
      return true
    }
    const start = this.#start(at)
    const end = this.#ends[at] as number
    const next = intervals.locate(this.#bounds, start, end, counter)
    if (next < end && (this.#bounds[next] as number) <= counter) return false
    const touchesPrevious = next > start && this.#bounds[next - 1] === counter - 1
    const touchesNext = next < end && this.#bounds[next] === counter + 1
    if (!touchesPrevious && !touchesNext) {
      this.#insert(at, next, counter)
      return true
    }
    this.#own()
    if (touchesPrevious && touchesNext) {
      this.#bounds.splice(next - 1, 2)
      this.#shift(at, -2)
    } else {
      this.#bounds[touchesPrevious ? next - 1 : next] = counter
    }
    return true
  }

  /** An interval of one dot. */
  #insert(at: number, where: number, counter: number): void {
    const bounds = this.#bounds
    if (this.#isOwn && bounds.length > MANY) {
      bounds.splice(where, 0, counter, counter)
    } else {
      for (let i = 0; i < where; i++) built.bounds[i] = bounds[i] as number
      built.bounds[where] = counter
      built.bounds[where + 1] = counter
      for (let i = where; i < bounds.length; i++) built.bounds[i + 2] = bounds[i] as number
      this.#bounds = built.bounds.slice(0, bounds.length + 2)
      this.#isOwn = true
    }
    this.#shift(at, 2)
  }

  #shift(from: number, by: number): void {
    const ends = this.#ends.slice()
    for (let at = from; at < ends.length; at++) ends[at] = (ends[at] as number) + by
    this.#ends = sharedEnds(ends, ends.length, this.#bounds.length)
  }

  #own(): void {
    if (this.#isOwn) return
    this.#bounds = this.#bounds.slice()
    this.#isOwn = true
  }

  /** Takes the place of this set; nobody else uses it. */
  #become(other: DotSet): void {
    this.#lives = other.#lives
    this.#ends = other.#ends
    this.#bounds = other.#bounds
    this.#isOwn = true
  }

  /** Adds all of `other` in place; returns whether anything was new. */
  addAll(other: DotSet): boolean {
    if (other.isSubsetOf(this)) return false
    this.#become(this.#united(other))
    return true
  }

  /** Takes one dot out in place; returns whether it was there. */
  remove(dot: Dot): boolean {
    if (!this.has(dot)) return false
    this.#become(this.subtract(DotSet.of(dot)))
    return true
  }

  clone(): DotSet {
    this.#isOwn = false
    return new DotSet(this.#lives, this.#ends, this.#bounds, false)
  }

  union(other: DotSet): DotSet {
    return other.isSubsetOf(this) ? this.clone() : this.#united(other)
  }

  #united(other: DotSet): DotSet {
    const mine = this.#lives
    const theirs = other.#lives
    let count = 0
    let last = 0
    let i = 0
    let j = 0
    while (i < mine.length || j < theirs.length) {
      const a = mine[i]
      const b = theirs[j]
      const isMine = b === undefined || (a !== undefined && a <= b)
      const isTheirs = a === undefined || a === b || !isMine
      const start = isMine ? this.#start(i) : 0
      const end = isMine ? (this.#ends[i++] as number) : 0
      const otherStart = isTheirs ? other.#start(j) : 0
      const otherEnd = isTheirs ? (other.#ends[j++] as number) : 0
      last = intervals.appendUnion(built.bounds, last, this.#bounds, start, end, other.#bounds, otherStart, otherEnd)
      built.lives[count] = (isMine ? a : b) as Life
      built.ends[count++] = last
    }
    return DotSet.#built(count, last)
  }

  /** What stands in `built`. */
  static #built(count: number, last: number): DotSet {
    const lives = sharedLives(built.lives, count)
    return new DotSet(lives, sharedEnds(built.ends, count, last), built.bounds.slice(0, last), true)
  }

  /** this ∖ other */
  subtract(other: DotSet): DotSet {
    let count = 0
    let last = 0
    let j = 0
    for (let i = 0; i < this.#lives.length; i++) {
      const life = this.#lives[i] as Life
      const place = placeFrom(other.#lives, j, life)
      const start = this.#start(i)
      const end = this.#ends[i] as number
      let otherStart = 0
      let otherEnd = 0
      if (place >= 0) {
        otherStart = other.#start(place)
        otherEnd = other.#ends[place] as number
        j = place + 1
      }
      const before = last
      last = intervals.appendDifference(
        built.bounds,
        last,
        this.#bounds,
        start,
        end,
        other.#bounds,
        otherStart,
        otherEnd,
      )
      if (last === before) continue
      built.lives[count] = life
      built.ends[count++] = last
    }
    return DotSet.#built(count, last)
  }

  intersect(other: DotSet): DotSet {
    return this.subtract(this.subtract(other))
  }

  isSubsetOf(other: DotSet): boolean {
    if (this.#bounds === other.#bounds) return true
    let j = 0
    for (let i = 0; i < this.#lives.length; i++) {
      const place = placeFrom(other.#lives, j, this.#lives[i] as Life)
      if (place < 0) return false
      j = place + 1
      const end = this.#ends[i] as number
      const otherStart = other.#start(place)
      const otherEnd = other.#ends[place] as number
      if (!intervals.isSubset(this.#bounds, this.#start(i), end, other.#bounds, otherStart, otherEnd)) return false
    }
    return true
  }

  /** Whether it is within `other` and the one dot: the same as asking a copy of `other` with the dot added, without the copy. */
  isSubsetWith(other: DotSet, dot: Dot): boolean {
    const { counter } = dot
    let j = 0
    for (let i = 0; i < this.#lives.length; i++) {
      const life = this.#lives[i] as Life
      const place = placeFrom(other.#lives, j, life)
      if (place < 0 && life !== dot.life) return false
      const otherStart = place < 0 ? 0 : other.#start(place)
      const otherEnd = place < 0 ? 0 : (other.#ends[place] as number)
      if (place >= 0) j = place + 1
      for (let at = this.#start(i); at < (this.#ends[i] as number); at += 2) {
        const lo = this.#bounds[at] as number
        const hi = this.#bounds[at + 1] as number
        const isCovered =
          life === dot.life && lo <= counter && counter <= hi
            ? intervals.covers(other.#bounds, otherStart, otherEnd, lo, counter - 1) &&
              intervals.covers(other.#bounds, otherStart, otherEnd, counter + 1, hi)
            : intervals.covers(other.#bounds, otherStart, otherEnd, lo, hi)
        if (!isCovered) return false
      }
    }
    return true
  }

  equals(other: DotSet): boolean {
    return (
      this.#bounds === other.#bounds ||
      (sameLives(this.#lives, other.#lives) &&
        sameNumbers(this.#ends, other.#ends) &&
        sameNumbers(this.#bounds, other.#bounds))
    )
  }

  /** {(l, c) in this : c ≤ span[l]}: a partition clock seen through the lives that wrote one key. */
  clip(span: Span): DotSet {
    let count = 0
    let last = 0
    let j = 0
    for (let i = 0; i < span.lives.length; i++) {
      const life = span.lives[i] as Life
      const place = placeFrom(this.#lives, j, life)
      if (place < 0) continue
      j = place + 1
      const before = last
      const start = this.#start(place)
      const end = this.#ends[place] as number
      last = intervals.appendClipped(built.bounds, last, this.#bounds, start, end, span.tops[i] as number)
      if (last === before) continue
      built.lives[count] = life
      built.ends[count++] = last
    }
    return DotSet.#built(count, last)
  }

  /** The highest counter of each life. */
  tops(): Span {
    const tops = this.#ends.slice()
    for (let i = 0; i < tops.length; i++) tops[i] = this.#bounds[(tops[i] as number) - 1] as number
    return new Span(this.#lives, tops)
  }

  /** In order. */
  lives(): Lives {
    return this.#lives
  }

  /** The intervals of one life, flat; empty when the life is not in the set. */
  of(life: Life): readonly number[] {
    const at = placeOf(this.#lives, life)
    return at < 0 ? [] : this.#bounds.slice(this.#start(at), this.#ends[at])
  }

  /** Every dot, in order. For tests and small sets only. */
  dots(): Dot[] {
    const dots: Dot[] = []
    for (const life of this.#lives) {
      const list = this.of(life)
      for (let i = 0; i < list.length; i += 2) {
        for (let counter = list[i] as number; counter <= (list[i + 1] as number); counter++)
          dots.push({ life, counter })
      }
    }
    return dots
  }

  /** Canonical: lives ascending; intervals as (gap before, length − 1) so that a base costs two small varints. */
  encode(writer: ByteWriter): void {
    encodeLists(writer, this.#lives, this.#ends, this.#bounds)
  }

  static decode(reader: ByteReader): DotSet {
    const count = decodeLists(reader)
    return DotSet.#built(count, count === 0 ? 0 : (built.ends[count - 1] as number))
  }

  /** Equal sets, and but for collisions only those, leave equal hashes. */
  hashInto(hash: WordHash): void {
    hashLists(hash, this.#lives, this.#ends, this.#bounds)
  }

  /** For traces and messages: `a1b2…:1-7,9`. */
  toString(): string {
    const parts: string[] = []
    for (const life of this.#lives) {
      const list = this.of(life)
      const ranges: string[] = []
      for (let i = 0; i < list.length; i += 2)
        ranges.push(list[i] === list[i + 1] ? `${list[i]}` : `${list[i]}-${list[i + 1]}`)
      parts.push(`${life.slice(0, 4)}:${ranges.join(',')}`)
    }
    return `{${parts.join(' ')}}`
  }
}
