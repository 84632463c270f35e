// Frames on a stream of bytes: a u32 little-endian length, then that many bytes. A large frame comes in parts, between which other frames
// may come: each has the highest bit of its length set, and the first begins with the u32 length of the whole. Knows nothing of what is
// in a frame. Invariant: memory is spent only on bytes that have come; a length is never believed before.

import { QuorateError } from '../errors.ts'
import { PART } from '../protocol/messages.ts'

/** A value of 16 MiB with its context fits; nothing larger is sent or taken. */
const FRAME_BYTES_MAX: number = 24 * 1024 * 1024
export const PREFIX_BYTES = 4
const SMALL_BYTES = 4096

export class FrameReader {
  /** The current frame's body lies here, between `from` and `to`: among other bytes, so that no object need be made for it. */
  bytes: Buffer = Buffer.alloc(0)
  from = 0
  to = 0
  #frameBytesMax: number
  // Bytes not yet handed out: a list of chunks, of which the first is used up to #offset.
  #chunks: Buffer[] = []
  #offset = 0
  #available = 0
  // The last chunk, while it is one that small pieces are copied into.
  #gathered: { readonly room: Buffer; used: number } | null = null
  /** Of a frame that comes in parts. Address space alone until bytes are written into it. */
  #parts: { readonly whole: Buffer; filled: number } | null = null
  /** Of the part that is coming. */
  #partLeft = 0

  constructor(frameBytesMax: number = FRAME_BYTES_MAX) {
    this.#frameBytesMax = frameBytesMax
  }

  /** Bytes that wait to become frames. */
  get bufferedBytes(): number {
    return this.#available + (this.#parts?.filled ?? 0)
  }

  setLimit(frameBytesMax: number): void {
    this.#frameBytesMax = frameBytesMax
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#available += bytes.length
    if (bytes.length < SMALL_BYTES && this.#chunks.length > 0) this.#gather(bytes)
    else {
      this.#chunks.push(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
      this.#gathered = null
    }
  }

  /** A frame that drips in byte by byte must not cost an object for each. */
  #gather(bytes: Uint8Array): void {
    let tail = this.#gathered
    if (tail === null || tail.used + bytes.length > tail.room.length) {
      tail = { room: Buffer.allocUnsafeSlow(4 * SMALL_BYTES), used: 0 }
      this.#gathered = tail
      this.#chunks.push(tail.room.subarray(0, 0))
    }
    tail.room.set(bytes, tail.used)
    tail.used += bytes.length
    this.#chunks[this.#chunks.length - 1] = tail.room.subarray(0, tail.used)
  }

  /** Moves on to the next whole frame; false when more bytes are needed. Throws `protocol` on an impossible length. */
  advance(): boolean {
    for (;;) {
      if (this.#partLeft > 0) {
        if (this.#available === 0) return false
        if (this.#takePart()) return true
        continue
      }
      if (this.#available < PREFIX_BYTES) return false
      const length = this.#peekLength()
      if (length < PART) return this.#advance(this.#allowed(length))
      const partBytes = this.#allowed(length - PART)
      if (this.#parts === null) {
        if (this.#available < 2 * PREFIX_BYTES) return false
        this.#take(PREFIX_BYTES)
        const frameBytes = this.#allowed(this.#take(PREFIX_BYTES).readUInt32LE(0))
        this.#parts = { whole: Buffer.allocUnsafeSlow(frameBytes), filled: 0 }
        this.#partLeft = partBytes - PREFIX_BYTES
      } else {
        this.#take(PREFIX_BYTES)
        this.#partLeft = partBytes
      }
      const { whole, filled } = this.#parts
      if (this.#partLeft < 0 || this.#partLeft > whole.length - filled)
        throw new QuorateError('protocol', `a part of ${partBytes} bytes is not allowed`)
    }
  }

  #allowed(length: number): number {
    if (length > 0 && length <= this.#frameBytesMax) return length
    throw new QuorateError('protocol', `a frame of ${length} bytes is not allowed`)
  }

  /** What has come of the part; with the last of them the frame is there. */
  #takePart(): boolean {
    const parts = this.#parts as { readonly whole: Buffer; filled: number }
    const bytes = Math.min(this.#available, this.#partLeft)
    this.#copyTo(parts.whole, parts.filled, bytes)
    this.#partLeft -= bytes
    parts.filled += bytes
    if (parts.filled < parts.whole.length) return false
    this.#parts = null
    this.bytes = parts.whole
    this.from = 0
    this.to = parts.whole.length
    return true
  }

  #advance(length: number): boolean {
    if (this.#available < PREFIX_BYTES + length) return false
    const first = this.#chunks[0] as Buffer
    this.from = this.#offset + PREFIX_BYTES
    this.to = this.from + length
    if (this.to > first.length) {
      this.#take(PREFIX_BYTES)
      this.bytes = this.#take(length)
      this.from = 0
      this.to = length
      return true
    }
    this.bytes = first
    this.#available -= PREFIX_BYTES + length
    this.#offset = this.to
    if (this.to === first.length) this.#dropFirst()
    return true
  }

  /** The next whole frame's body, or null when more bytes are needed. */
  next(): Buffer | null {
    return this.advance() ? this.bytes.subarray(this.from, this.to) : null
  }

  #peekLength(): number {
    const first = this.#chunks[0]
    if (first !== undefined && first.length - this.#offset >= PREFIX_BYTES) return first.readUInt32LE(this.#offset)
    let value = 0
    let chunk = 0
    let offset = this.#offset
    for (let i = 0; i < PREFIX_BYTES; i++) {
      while (offset >= (this.#chunks[chunk]?.length ?? Infinity)) {
        chunk++
        offset = 0
      }
      value += (this.#chunks[chunk]?.[offset++] ?? 0) * 2 ** (8 * i)
    }
    return value
  }

  /** A view when the bytes lie in one chunk, else a copy. The caller has checked that they are there. */
  #take(length: number): Buffer {
    const first = this.#chunks[0] as Buffer
    const end = this.#offset + length
    if (end <= first.length) {
      this.#available -= length
      const view = first.subarray(this.#offset, end)
      this.#offset = end
      if (end === first.length) this.#dropFirst()
      return view
    }
    const whole = Buffer.allocUnsafeSlow(length)
    this.#copyTo(whole, 0, length)
    return whole
  }

  /** The next bytes, which are there. */
  #copyTo(target: Buffer, at: number, length: number): void {
    this.#available -= length
    let filled = 0
    let dropped = 0
    for (const chunk of this.#chunks) {
      const part = chunk.subarray(this.#offset, this.#offset + length - filled)
      target.set(part, at + filled)
      filled += part.length
      this.#offset += part.length
      if (this.#offset === chunk.length) {
        dropped++
        this.#offset = 0
      }
      if (filled === length) break
    }
    this.#chunks = this.#chunks.slice(dropped)
    if (this.#chunks.length === 0) this.#gathered = null
  }

  #dropFirst(): void {
    this.#chunks.shift()
    this.#offset = 0
    if (this.#chunks.length === 0) this.#gathered = null
  }
}

/** Several bodies with their prefixes as one piece of bytes, so that they leave in one write. */
export function joinFrames(bodies: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const body of bodies) length += PREFIX_BYTES + body.length
  const joined = Buffer.allocUnsafe(length)
  let at = 0
  for (const body of bodies) {
    at = joined.writeUInt32LE(body.length, at)
    joined.set(body, at)
    at += body.length
  }
  return joined
}
