// What a link has said and not yet written: everything said within one turn of the event loop leaves in one write.
// What is large leaves in parts, when nothing small waits, or much that is small has gone before. Knows nothing of frames' meaning.
// Invariant: small frames leave whole and in order, large ones part by part and in order, and none while the connection is full.

import type { Connection } from '../ports/transport.ts'
import { encodeFrame } from '../protocol/codec.ts'
import { commonFrameBytesMax, writeCommonFrame } from '../protocol/common-frames.ts'
import { type Frame, PART } from '../protocol/messages.ts'
import { PackWriter } from '../protocol/pack-writer.ts'
import { PREFIX_BYTES } from './framing.ts'

/** Runs `flush` later in this turn or at its end. */
export type Schedule = (flush: () => void) => void

/** Without timers, so the same in the simulator: after the microtasks that are already queued. */
export const afterMicrotasks: Schedule = (flush) => void Promise.resolve().then(flush)

/** Frames are written one behind the other into pieces of this size; a larger frame has a piece of its own. */
const PIECE_BYTES = 64 * 1024

/** So many parts' worth of small frames may leave before a part that waits. */
const PASSED_PARTS = 4

/** A body that is too large for one piece: chunks that never change, and how much of the first has left. */
interface Large {
  readonly chunks: Uint8Array[]
  readonly length: number
  begun: boolean
}

export class Outbox {
  readonly #connection: Connection
  readonly #schedule: Schedule
  /** Where frames are written now: what lies before `#from` has left. Bytes that were handed out are never written again. */
  readonly #writer = new PackWriter()
  #from = 0
  /** Full pieces, older than what lies in the writer. */
  #pieces: Buffer[] = []
  #pieceBytes = 0
  readonly #partBytes: number
  #large: Large[] = []
  #largeBytes = 0
  /** Of small frames, since the last part. */
  #passedBytes = 0
  #scheduled = false
  #full = false

  /** `partBytes`: what is larger leaves in parts of so many bytes. */
  constructor(connection: Connection, schedule: Schedule, partBytes: number = PIECE_BYTES) {
    this.#connection = connection
    this.#schedule = schedule
    this.#partBytes = partBytes
  }

  /** Bytes said and not yet handed to the wire. */
  get pendingBytes(): number {
    return this.unwrittenBytes + this.#connection.pendingBytes
  }

  /** Of these, what the connection has not yet been given. */
  get unwrittenBytes(): number {
    return this.#pieceBytes + this.#writer.at - this.#from + this.#largeBytes
  }

  /** Returns the bytes of the frame's body. When they are more than `bytesMax`, nothing was said. */
  say(frame: Frame, bytesMax: number): number {
    const roomNeeded = commonFrameBytesMax(frame)
    if (roomNeeded > 0) {
      this.#makeRoom(PREFIX_BYTES + roomNeeded)
      const writer = this.#writer
      const start = writer.at
      writer.at = start + PREFIX_BYTES
      const written = writeCommonFrame(writer, frame)
      const { tail } = writer
      writer.tail = null
      const length = writer.at - start - PREFIX_BYTES + (tail?.length ?? 0)
      if (written && tail === null && length <= bytesMax && length <= this.#partBytes) {
        writer.bytes.writeUInt32LE(length, start)
        this.#flushSoon()
        return length
      }
      const body = writer.bytes.subarray(start + PREFIX_BYTES, writer.at)
      writer.at = start
      if (written) {
        if (length <= bytesMax) this.#sayLarge(around(body, tail, writer.tailAt - start - PREFIX_BYTES), length)
        return length
      }
    }
    const body = encodeFrame(frame)
    if (body.length <= bytesMax) this.push(body)
    return body.length
  }

  /** Says a frame by its encoded body, which must not change any more. */
  push(body: Uint8Array): void {
    if (body.length > this.#partBytes) return this.#sayLarge([body], body.length)
    this.#makeRoom(PREFIX_BYTES + body.length)
    const { bytes, at } = this.#writer
    bytes.writeUInt32LE(body.length, at)
    bytes.set(body, at + PREFIX_BYTES)
    this.#writer.at = at + PREFIX_BYTES + body.length
    this.#flushSoon()
  }

  /** The connection takes bytes again. */
  drained(): void {
    this.#full = false
    this.flush()
  }

  readonly flush = (): void => {
    this.#scheduled = false
    if (!this.#full && this.#large.length > 0 && this.#passedBytes >= PASSED_PARTS * this.#partBytes) this.#sendPart()
    this.#flushSmall()
    while (!this.#full && this.#large.length > 0) this.#sendPart()
  }

  /** Whatever waits is given to the connection, however full that is; what is said after it comes last. */
  flushAll(): void {
    while (this.#large.length > 0) this.#sendPart()
    while (this.unwrittenBytes > 0) {
      this.#full = false
      this.#flushSmall()
    }
  }

  #sayLarge(chunks: Uint8Array[], length: number): void {
    this.#large.push({ chunks, length, begun: false })
    this.#largeBytes += length
    this.#flushSoon()
  }

  #sendPart(): void {
    const large = this.#large[0] as Large
    this.#passedBytes = 0
    const prefix = Buffer.allocUnsafe(large.begun ? PREFIX_BYTES : 2 * PREFIX_BYTES)
    const part: Uint8Array[] = []
    let bytes = 0
    while (bytes < this.#partBytes) {
      const chunk = large.chunks[0]
      if (chunk === undefined) break
      const taken = chunk.subarray(0, this.#partBytes - bytes)
      if (taken.length === chunk.length) large.chunks.shift()
      else large.chunks[0] = chunk.subarray(taken.length)
      part.push(taken)
      bytes += taken.length
    }
    prefix.writeUInt32LE(PART + bytes + prefix.length - PREFIX_BYTES)
    if (!large.begun) prefix.writeUInt32LE(large.length, PREFIX_BYTES)
    large.begun = true
    if (large.chunks.length === 0) this.#large.shift()
    this.#largeBytes -= bytes
    for (const piece of [prefix, ...part]) this.#full = !this.#connection.write(piece)
  }

  #flushSmall(): void {
    while (!this.#full && this.#pieces.length > 0) {
      const piece = this.#pieces.shift() as Buffer
      this.#pieceBytes -= piece.length
      this.#passedBytes += piece.length
      this.#full = !this.#connection.write(piece)
    }
    if (this.#full || this.#writer.at === this.#from) return
    const rest = this.#writer.bytes.subarray(this.#from, this.#writer.at)
    this.#from = this.#writer.at
    this.#passedBytes += rest.length
    this.#full = !this.#connection.write(rest)
  }

  #flushSoon(): void {
    if (this.#scheduled || this.#full) return
    this.#scheduled = true
    this.#schedule(this.flush)
  }

  /** So that this many bytes follow each other in one piece. */
  #makeRoom(bytes: number): void {
    const writer = this.#writer
    if (writer.at + bytes <= writer.bytes.length) return
    if (writer.at > this.#from) {
      this.#pieces.push(writer.bytes.subarray(this.#from, writer.at))
      this.#pieceBytes += writer.at - this.#from
    }
    writer.renew(Math.max(PIECE_BYTES, bytes))
    this.#from = 0
  }
}

/** The bytes of a frame that was written without its tail: small, and written over soon. */
function around(body: Buffer, tail: Uint8Array | null, tailAt: number): Uint8Array[] {
  const kept = Buffer.from(body)
  return tail === null ? [kept] : [kept.subarray(0, tailAt), tail, kept.subarray(tailAt)]
}
