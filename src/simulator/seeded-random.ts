// Chance that repeats: sfc32 (Doty-Humphrey, PractRand) keyed by a seed and a path of labels. Nothing here reads the system.
// Invariant: a fork depends on its parent's seed and the label only, never on how much the parent was used, so adding a
// draw in one place changes no other.

import type { Random } from '../ports/random.ts'

export class SeededRandom implements Random {
  readonly #path: string
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number | string) {
    this.#path = String(seed)
    const [a, b, c] = keyFrom(this.#path)
    this.#a = a
    this.#b = b
    this.#c = c
    for (let i = 0; i < 15; i++) this.uint32()
  }

  fork(label: string): SeededRandom {
    return new SeededRandom(`${this.#path}/${label}`)
  }

  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  next(): number {
    return ((this.uint32() >>> 5) * 0x4000000 + (this.uint32() >>> 6)) / 0x20000000000000
  }

  bytes(length: number): Uint8Array {
    const result = new Uint8Array(length)
    for (let at = 0; at < length; at += 4) {
      const word = this.uint32()
      for (let i = 0; i < 4 && at + i < length; i++) result[at + i] = word >>> (8 * i)
    }
    return result
  }

  /** A uniform integer from `from` up to, not including, `to`. */
  integer(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from))
  }

  /** True with this probability. Draws nothing at 0, so a fault that is off leaves no mark on the history. */
  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.integer(0, items.length)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }

  /** A new array in random order (Fisher–Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const result = items.slice()
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.integer(0, i + 1)
      const swapped = result[i] as T
      result[i] = result[j] as T
      result[j] = swapped
    }
    return result
  }

  /** Exponentially distributed with this mean: waiting times. */
  exponential(mean: number): number {
    return -Math.log(1 - this.next()) * mean
  }
}

// cyrb128-style mixing of text into three words.
function keyFrom(text: string): readonly [number, number, number] {
  let a = 1779033703
  let b = 3144134277
  let c = 1013904242
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = b ^ Math.imul(a ^ unit, 597399067)
    b = c ^ Math.imul(b ^ unit, 2869860233)
    c = a ^ Math.imul(c ^ unit, 951274213)
  }
  a = Math.imul(c ^ (a >>> 18), 597399067)
  b = Math.imul(a ^ (b >>> 22), 2869860233)
  c = Math.imul(b ^ (c >>> 17), 951274213)
  return [a | 0, b | 0, c | 0]
}
