// The highest counter of each life that wrote a key: what clips a partition clock to the key's own dots. Knows nothing of what lies below
// them. Invariant: immutable; lives ascend, each once; counters are at least 1.

import type { Dot, Life } from './dot.ts'
import { type Lives, sameLives } from './lives.ts'

export class Span {
  readonly lives: Lives
  /** Of the life at the same place. */
  readonly tops: readonly number[]

  /** Both arrays belong to it from now on. */
  constructor(lives: Lives, tops: readonly number[]) {
    this.lives = lives
    this.tops = tops
  }

  /** Of what these dots say by themselves. */
  static of(dots: readonly Dot[]): Span {
    const tops = new Map<Life, number>()
    for (const { life, counter } of dots) if (counter > (tops.get(life) ?? 0)) tops.set(life, counter)
    const lives = [...tops.keys()].sort()
    return new Span(
      lives,
      lives.map((life) => tops.get(life) as number),
    )
  }

  get size(): number {
    return this.lives.length
  }

  /** 0: the life is not in it. */
  top(life: Life): number {
    return this.tops[this.lives.indexOf(life)] ?? 0
  }

  /** For each life the higher of both. */
  raised(other: Span): Span {
    const mine = this.lives
    const theirs = other.lives
    if (sameLives(mine, theirs)) {
      const tops = this.tops.slice()
      for (let i = 0; i < tops.length; i++) {
        const top = other.tops[i] as number
        if (top > (tops[i] as number)) tops[i] = top
      }
      return new Span(mine, tops)
    }
    const lives: Life[] = []
    const tops: number[] = []
    let i = 0
    let j = 0
    while (i < mine.length || j < theirs.length) {
      const a = mine[i]
      const b = theirs[j]
      const isMine = b === undefined || (a !== undefined && a <= b)
      const isTheirs = a === undefined || (b !== undefined && b <= a)
      lives.push((isMine ? a : b) as Life)
      tops.push(Math.max(isMine ? (this.tops[i++] as number) : 0, isTheirs ? (other.tops[j++] as number) : 0))
    }
    return new Span(lives, tops)
  }

  equals(other: Span): boolean {
    if (!sameLives(this.lives, other.lives)) return false
    for (let i = 0; i < this.tops.length; i++) if (this.tops[i] !== other.tops[i]) return false
    return true
  }
}
