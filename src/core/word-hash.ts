// XXH64 of a list of numbers, for digests that two nodes compare: they are laid out as bytes in one place that is used again and again,
// so that no text has to be made for it. Knows nothing of what is hashed. Invariant: the same numbers in the same order give the same
// hash on every node. It resists accidents, not adversaries.

import { type Hash64, hash64OfBytes } from './hash64.ts'
import { wordsOfLife } from './hex.ts'

const PLACE_BYTES = 1024

const place = new DataView(new ArrayBuffer(PLACE_BYTES))
// A view for each length, since making one costs as much as hashing it.
const views: (Uint8Array | undefined)[] = []

function firstBytes(length: number): Uint8Array {
  return (views[length >> 3] ??= new Uint8Array(place.buffer, 0, length))
}

/** One at a time: from its construction to `finish` nobody else may use one. */
export class WordHash {
  #length = 0

  /** Two words of 32 bits. */
  add(first: number, second: number): void {
    if (this.#length === PLACE_BYTES) this.#fold()
    place.setInt32(this.#length, first, true)
    place.setInt32(this.#length + 4, second, true)
    this.#length += 8
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

  /** 8 bytes as 16 hex digits that come again and again. */
  addLife(life: string): void {
    const { high, low } = wordsOfLife(life)
    this.add(high, low)
  }

  finish(): Hash64 {
    return hash64OfBytes(firstBytes(this.#length))
  }

  /** What filled the place is remembered by its hash. */
  #fold(): void {
    const { hi, lo } = hash64OfBytes(firstBytes(this.#length))
    this.#length = 0
    this.add(hi, lo)
  }
}
