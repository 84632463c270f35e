// Large values, one by one where they came: the ends of records, each in a buffer of its own that never changes, by number. Knows nothing
// of whose they are. Invariant: a number stays with its tail until that is let go, and a tail keeps no more memory alive than it is long,
// but for what is around it in a message.

/** A tail's buffer may be so much larger than the tail: what it came in. */
const AROUND_BYTES_MAX = 16 << 10

export class Tails {
  readonly #tails: (Uint8Array | null)[] = []
  readonly #free: number[] = []
  #bytes = 0
  #memoryBytes = 0

  /** Of all tails. */
  get bytes(): number {
    return this.#bytes
  }

  /** Of their buffers. */
  get memoryBytes(): number {
    return this.#memoryBytes
  }

  get(number: number): Uint8Array {
    return this.#tails[number] as Uint8Array
  }

  add(kept: Uint8Array): number {
    const number = this.#free.pop() ?? this.#tails.length
    this.#tails[number] = kept
    this.#bytes += kept.length
    this.#memoryBytes += kept.buffer.byteLength
    return number
  }

  remove(number: number): void {
    const tail = this.get(number)
    this.#bytes -= tail.length
    this.#memoryBytes -= tail.buffer.byteLength
    this.#tails[number] = null
    this.#free.push(number)
  }
}

/** What may be kept for a tail: itself where it never changes and its buffer holds little else, a copy otherwise. */
export function keptTail(tail: Uint8Array, isConstant: boolean): Uint8Array {
  if (isConstant && tail.buffer.byteLength <= tail.length + AROUND_BYTES_MAX) return tail
  const copy = Buffer.allocUnsafeSlow(tail.length)
  copy.set(tail)
  return copy
}
