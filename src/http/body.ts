// Puts a body of announced length together from its chunks. Decides when memory is taken for it: never for more than a few times what has
// come, and a large body is copied as it comes, not in one go when it is there. Invariant: the result is a buffer of its own.

/** Room is made for so many times what has come: an announcement alone costs nothing, and what is copied on the way is a third of it all. */
const AHEAD = 4
/** Less is put together when it is there. */
const GATHERED_BYTES_MAX = 64 << 10

const NOTHING = Buffer.alloc(0)

export class Body {
  readonly #length: number
  /** Of `#room`. */
  #filled = 0
  #room: Buffer = NOTHING
  /** What has come since. */
  #chunks: Buffer[] = []
  #chunkBytes = 0

  /** Bytes, at least 1; no more may be added. */
  constructor(length: number) {
    this.#length = length
  }

  /** The body once it is complete, else null. */
  add(chunk: Buffer): Buffer | null {
    const length = this.#length
    // One chunk is copied too: small values then share a page instead of having one each.
    if (chunk.length === length) return Buffer.from(chunk)
    this.#chunks.push(chunk)
    const filled = this.#filled + this.#chunkBytes + chunk.length
    this.#chunkBytes += chunk.length
    if (filled < length && this.#chunkBytes < GATHERED_BYTES_MAX) return null
    if (filled > this.#room.length) this.#grow(Math.min(length, AHEAD * filled))
    for (const one of this.#chunks) {
      this.#room.set(one, this.#filled)
      this.#filled += one.length
    }
    this.#chunks = []
    this.#chunkBytes = 0
    return filled === length ? this.#room : null
  }

  #grow(bytes: number): void {
    const larger = bytes < GATHERED_BYTES_MAX ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes)
    larger.set(this.#room.subarray(0, this.#filled))
    this.#room = larger
  }
}
