// A 64-bit hash of a few numbers, for digests that two nodes compare: no text or bytes have to be made for it, which would cost more
// than the hash. Knows nothing of what is hashed. Invariant: the same numbers in the same order give the same hash on every node. It
// resists accidents, not adversaries. Not for placement: that is XXH64 (hash64.ts).

import { wordsOfLife } from './bytes.ts'
import type { Hash64 } from './hash64.ts'

/**
 * Two lanes of 32 bits, which take one word each and are then stirred into each other. For given words the step is a bijection of the
 * state, for a given state one of the words, and `finish` is one too: a difference is never lost, it can only meet another by accident.
 */
export class WordHash {
  #a: number
  #b: number

  constructor(seedA = 0x2f0b4c47, seedB = 0x6d3a1e95) {
    this.#a = seedA | 0
    this.#b = seedB | 0
  }

  /** Two words of 32 bits. */
  add(first: number, second: number): void {
    const a = Math.imul(this.#a ^ first, 0x9e3779b1 | 0)
    const b = Math.imul(this.#b ^ second, 0x85ebca77 | 0)
    const stirred = (((a << 13) | (a >>> 19)) + b) | 0
    this.#a = stirred
    this.#b = (((b << 17) | (b >>> 15)) + stirred) | 0
  }

  /** Two counting numbers up to 2^53 − 1. */
  addNumbers(first: number, second: number): void {
    // Most are below 2^31. Where they are not, a pair of upper halves comes first, marked by what no such number is.
    if (first > 0x7fffffff || second > 0x7fffffff) {
      this.add(-1, 0)
      this.add(Math.floor(first / 0x1_0000_0000), Math.floor(second / 0x1_0000_0000))
    }
    this.add(first, second)
  }

  /** 8 bytes as 16 hex digits. */
  addLife(life: string): void {
    const { high, low } = wordsOfLife(life)
    this.add(high, low)
  }

  finish(): Hash64 {
    let a = (this.#a + this.#b) | 0
    let b = (this.#b + a) | 0
    a = finalized(a)
    b = finalized(b)
    a = (a + b) | 0
    b = (b + a) | 0
    return { hi: a >>> 0, lo: b >>> 0 }
  }
}

/** Every bit of the input moves every bit of the result (MurmurHash3's last step; Appleby). */
function finalized(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b | 0)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35 | 0)
  return mixed ^ (mixed >>> 16)
}
