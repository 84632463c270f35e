// Puts a body of announced length together from its chunks. Decides when memory is taken for it: an announcement alone costs nothing, and
// a large body is copied as it comes, not in one go when it is there. Invariant: the result is a buffer of its own.

/** Of a body that was announced, what must have come before room for all of it is made. */
const BEGUN = { share: 1 / 16, bytesMin: 64 << 10 }

export class Body {
  readonly #length: number
  /** Before there is room. */
  #chunks: Buffer[] = []
  #room: Buffer | null = null
  #filled = 0

  /** Bytes, at least 1; no more may be added. */
  constructor(length: number) {
    this.#length = length
  }

  /** The body once it is complete, else null. */
  add(chunk: Buffer): Buffer | null {
    const length = this.#length
    // One chunk is copied too: small values then share a page instead of having one each.
    if (chunk.length === length) return Buffer.from(chunk)
    this.#filled += chunk.length
    if (this.#room !== null) this.#room.set(chunk, this.#filled - chunk.length)
    else {
      this.#chunks.push(chunk)
      if (this.#filled < length && this.#filled < Math.max(BEGUN.bytesMin, length * BEGUN.share)) return null
      this.#room = length < BEGUN.bytesMin ? Buffer.allocUnsafe(length) : Buffer.allocUnsafeSlow(length)
      let at = 0
      for (const earlier of this.#chunks) {
        this.#room.set(earlier, at)
        at += earlier.length
      }
      this.#chunks = []
    }
    return this.#filled === length ? this.#room : null
  }
}
