// Bounded binary reading and writing for the formats of core: unsigned varints (LEB128), little-endian, length-prefixed bytes.
// Knows nothing of what is written. Invariant: reading never trusts a length: every read checks what is left, or throws `MalformedBytes`.

import { digitAt, lifeAt, wordsOfLife } from './hex.ts'

/** Input that is not in the format: truncated, oversized or not canonical. */
export class MalformedBytes extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MalformedBytes'
  }
}

/**
 * Bytes whose end lies elsewhere, as they are wherever a large value is: copying it would take longer than all else, and what is new
 * in memory is paid for page by page. Whoever has one may keep it: the tail never changes.
 */
export class Split {
  readonly head: Buffer
  readonly tail: Uint8Array

  constructor(head: Buffer, tail: Uint8Array) {
    this.head = head
    this.tail = tail
  }

  get length(): number {
    return this.head.length + this.tail.length
  }
}

/** From this size on what a format ends with may stay where it is. */
export const TAIL_BYTES_MIN: number = 64 << 10

/** In one place, by a copy where they are not. */
export function whole(bytes: Buffer | Split): Buffer
export function whole(bytes: Uint8Array | Split): Uint8Array
export function whole(bytes: Uint8Array | Split): Uint8Array {
  return bytes instanceof Split ? Buffer.concat([bytes.head, bytes.tail]) : bytes
}

/** Of what may change, or is among much else, as it is now; a tail is neither. */
export function kept(bytes: Buffer | Split): Buffer | Split {
  return bytes instanceof Split ? new Split(Buffer.from(bytes.head), bytes.tail) : Buffer.from(bytes)
}

/** Whether both are the same and lie alike. */
export function areAlike(a: Buffer | Split, b: Buffer | Split): boolean {
  if (a instanceof Split) return b instanceof Split && a.head.equals(b.head) && Buffer.compare(a.tail, b.tail) === 0
  return !(b instanceof Split) && a.equals(b)
}

const SLAB_BYTES = 16 << 10
/** Less than this is left over rather than begun in. */
const SLAB_RESERVE = 128

/**
 * Grows as needed; `finish` hands out the bytes written so far, without a copy. With `begin` and `take` one writer serves again and
 * again: small results share a slab, as `Buffer.allocUnsafe`'s do, in their exact size and at half the price.
 */
export class ByteWriter {
  #buffer: Buffer
  /** Where what is being written begins. */
  #start = 0
  #length = 0
  #slab: Buffer | null = null
  #slabUsed = 0
  /** Where writing must not go on without another look: the end of the buffer, or nowhere at all while there is a tail. */
  #limit: number
  /** Large, and not written yet: it may be the end. */
  #tail: Uint8Array | null = null

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity)
    this.#limit = capacity
  }

  get length(): number {
    return this.#length - this.#start + (this.#tail?.length ?? 0)
  }

  #room(bytes: number): void {
    if (this.#length + bytes > this.#limit) this.#grow(bytes)
  }

  #grow(bytes: number): void {
    const tail = this.#tail
    if (tail !== null) {
      // It was not the end.
      this.#tail = null
      this.#limit = this.#buffer.length
      this.#room(tail.length + bytes)
      this.#buffer.set(tail, this.#length)
      this.#length += tail.length
      return
    }
    const written = this.#length - this.#start
    const needed = written + bytes
    const isSmall = this.#buffer === this.#slab && needed <= SLAB_BYTES / 8
    // What is large gets a buffer for itself, of little more than its size, and the slab goes on afterwards.
    const larger = isSmall ? Buffer.allocUnsafeSlow(SLAB_BYTES) : Buffer.allocUnsafe(Math.max(needed, written * 2))
    if (isSmall) {
      this.#slab = larger
      this.#slabUsed = 0
    }
    this.#buffer.copy(larger, 0, this.#start, this.#length)
    this.#buffer = larger
    this.#limit = larger.length
    this.#start = 0
    this.#length = written
  }

  /** Starts anew behind what was taken; what was not is abandoned. */
  begin(): void {
    if (this.#slab === null || this.#slab.length - this.#slabUsed < SLAB_RESERVE) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#slabUsed = 0
    }
    this.#buffer = this.#slab
    this.#limit = this.#slab.length
    this.#tail = null
    this.#start = this.#slabUsed
    this.#length = this.#start
  }

  /** What was written since `begin`. */
  take(): Buffer {
    if (this.#tail !== null) this.#grow(0)
    return this.#takeHead()
  }

  /** The same; where it ends with something large, that stays where it is. */
  takeSplit(): Buffer | Split {
    const tail = this.#tail
    if (tail === null) return this.#takeHead()
    this.#tail = null
    this.#limit = this.#buffer.length
    return new Split(this.#takeHead(), tail)
  }

  #takeHead(): Buffer {
    const taken = this.#buffer.subarray(this.#start, this.#length)
    if (this.#buffer === this.#slab) this.#slabUsed = this.#length
    this.#start = this.#length
    return taken
  }

  u8(value: number): void {
    this.#room(1)
    this.#buffer[this.#length++] = value
  }

  /** An unsigned integer up to 2^53 − 1, 1 to 8 bytes. */
  varint(value: number): void {
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) throw new RangeError(`not a counting number: ${value}`)
    if (this.#length + 8 > this.#limit) this.#grow(8)
    let rest = value
    // Stamps are beyond 32 bits, where a remainder is a call into the C library; below, shifts do.
    while (rest > 0x7fffffff) {
      const high = Math.floor(rest / 0x80)
      this.#buffer[this.#length++] = (rest - high * 0x80) | 0x80
      rest = high
    }
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#buffer[this.#length++] = rest
  }

  /** An unsigned integer up to 2^53 − 1 in so many bytes, little-endian. Throws `RangeError` where it does not fit. */
  fixed(value: number, length: number): void {
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) throw new RangeError(`not a counting number: ${value}`)
    this.#room(length)
    let rest = value
    for (let i = 0; i < length; i++) {
      const high = Math.floor(rest / 0x100)
      this.#buffer[this.#length++] = rest - high * 0x100
      rest = high
    }
    if (rest > 0) throw new RangeError(`${value} does not fit in ${length} bytes`)
  }

  /** What is large must not change before it was taken. */
  raw(bytes: Uint8Array): void {
    if (bytes.length >= TAIL_BYTES_MIN) {
      if (this.#tail !== null) this.#grow(0)
      this.#tail = bytes
      this.#limit = -1
      return
    }
    this.#room(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }

  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length)
    this.raw(bytes)
  }

  text(text: string): void {
    const length = Buffer.byteLength(text)
    this.varint(length)
    this.#room(length)
    this.#buffer.write(text, this.#length, 'utf8')
    this.#length += length
  }

  /** Exactly `length` bytes given as lower-case hex. */
  hex(hex: string, length: number): void {
    if (hex.length !== length * 2) throw new RangeError(`expected ${length} bytes of hex`)
    this.#room(length)
    for (let i = 0; i < hex.length; i += 2) {
      this.#buffer[this.#length++] = (digitAt(hex, i) << 4) | digitAt(hex, i + 1)
    }
  }

  /** The same 8 bytes as `hex` would write, at less cost for what comes again and again. */
  life(life: string): void {
    const { high, low } = wordsOfLife(life)
    this.#room(8)
    const buffer = this.#buffer
    const at = this.#length
    buffer[at] = high >>> 24
    buffer[at + 1] = high >>> 16
    buffer[at + 2] = high >>> 8
    buffer[at + 3] = high
    buffer[at + 4] = low >>> 24
    buffer[at + 5] = low >>> 16
    buffer[at + 6] = low >>> 8
    buffer[at + 7] = low
    this.#length = at + 8
  }

  /** Starts over in the same memory: whoever has what was handed out must be done with it. */
  clear(): void {
    this.#start = 0
    this.#length = 0
    this.#tail = null
    this.#limit = this.#buffer.length
  }

  finish(): Buffer {
    if (this.#tail !== null) this.#grow(0)
    return this.#buffer.subarray(this.#start, this.#length)
  }
}

export class ByteReader {
  readonly #buffer: Buffer
  /** Comes behind the buffer, as a whole and at the end. */
  #tail: Uint8Array | null = null
  #position = 0

  constructor(bytes: Uint8Array | Split) {
    if (bytes instanceof Split) {
      this.#buffer = bytes.head
      this.#tail = bytes.tail
    } else {
      this.#buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
  }

  get position(): number {
    return this.#position
  }

  get remaining(): number {
    return this.#buffer.length - this.#position + (this.#tail?.length ?? 0)
  }

  /** Of what lies in one place. */
  get #left(): number {
    return this.#buffer.length - this.#position
  }

  u8(): number {
    if (this.#left < 1) throw new MalformedBytes('truncated')
    return this.#buffer[this.#position++] as number
  }

  /** Rejects non-canonical forms (a trailing zero group) and values above 2^53 − 1. */
  varint(): number {
    const buffer = this.#buffer
    let at = this.#position
    // Past the end a read is undefined, which is below nothing: then the general way tells what is wrong.
    const first = buffer[at] as number
    if (first < 0x80) {
      this.#position = at + 1
      return first
    }
    // Up to 28 bits without a multiplication.
    let value = first & 0x7f
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = buffer[++at] as number
      if (byte < 0x80) {
        // A zero ends the number as any other does, and is one group too many.
        if (byte === 0) break
        this.#position = at + 1
        return value | (byte << shift)
      }
      value |= (byte & 0x7f) << shift
    }
    return this.#longVarint()
  }

  #longVarint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (byte === 0 && i > 0) throw new MalformedBytes('varint not canonical')
        if (!Number.isSafeInteger(value)) throw new MalformedBytes('varint too large')
        return value
      }
      scale *= 0x80
    }
    throw new MalformedBytes('varint too long')
  }

  /** What `ByteWriter.fixed` wrote. */
  fixed(length: number): number {
    if (this.#left < length) throw new MalformedBytes('truncated')
    let value = 0
    for (let i = length - 1; i >= 0; i--) value = value * 0x100 + (this.#buffer[this.#position + i] as number)
    if (!Number.isSafeInteger(value)) throw new MalformedBytes('number too large')
    this.#position += length
    return value
  }

  /** A varint that counts things of at least `unitBytes` each: never more than what is left could hold. */
  count(unitBytes: number): number {
    const count = this.varint()
    if (count * unitBytes > this.remaining) throw new MalformedBytes('count exceeds the input')
    return count
  }

  /** A view on the next `length` bytes, not a copy. */
  raw(length: number): Buffer {
    const tail = this.#tail
    if (tail !== null && this.#left === 0 && length === tail.length) {
      this.#tail = null
      return Buffer.from(tail.buffer, tail.byteOffset, tail.length)
    }
    if (length > this.#left) throw new MalformedBytes('truncated')
    return this.#buffer.subarray(this.#position, (this.#position += length))
  }

  bytes(): Buffer {
    return this.raw(this.varint())
  }

  /** Refuses what is not UTF-8: a replacement character in a key would silently make it another key. */
  text(): string {
    const bytes = this.bytes()
    const text = bytes.toString('utf8')
    // Only where a replacement character came out can something have been replaced.
    if (text.includes('\ufffd') && !Buffer.from(text, 'utf8').equals(bytes)) throw new MalformedBytes('not UTF-8')
    return text
  }

  /** Lower case. */
  hex(length: number): string {
    if (length > this.#left) throw new MalformedBytes('truncated')
    const start = this.#position
    this.#position += length
    return this.#buffer.toString('hex', start, start + length)
  }

  /** The same as `hex(8)`, at less cost for what comes again and again. */
  life(): string {
    if (this.#left < 8) throw new MalformedBytes('truncated')
    const start = this.#position
    this.#position += 8
    return lifeAt(this.#buffer, start)
  }

  /** The format ends here: anything left over is an error. */
  end(): void {
    if (this.remaining !== 0) throw new MalformedBytes('trailing bytes')
  }
}
