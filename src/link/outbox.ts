// What a link has said and not yet written: everything said within one turn of the event loop leaves in one write.
// Knows nothing of frames' meaning. Invariant: frames leave whole and in order, and none while the connection is full.

import type { Connection } from '../ports/transport.ts'
import { encodeFrame } from '../protocol/codec.ts'
import { commonFrameBytesMax, writeCommonFrame } from '../protocol/common-frames.ts'
import type { Frame } from '../protocol/messages.ts'
import { PackWriter } from '../protocol/pack-writer.ts'
import { PREFIX_BYTES } from './framing.ts'

/** Runs `flush` later in this turn or at its end. */
export type Schedule = (flush: () => void) => void

/** Without timers, so the same in the simulator: after the microtasks that are already queued. */
export const afterMicrotasks: Schedule = (flush) => void Promise.resolve().then(flush)

/** Frames are written one behind the other into pieces of this size; a larger frame has a piece of its own. */
const PIECE_BYTES = 64 * 1024

export class Outbox {
  readonly #connection: Connection
  readonly #schedule: Schedule
  /** Where frames are written now: what lies before `#from` has left. Bytes that were handed out are never written again. */
  readonly #writer = new PackWriter()
  #from = 0
  /** Full pieces, older than what lies in the writer. */
  #pieces: Buffer[] = []
  #pieceBytes = 0
  #scheduled = false
  #full = false

  constructor(connection: Connection, schedule: Schedule) {
    this.#connection = connection
    this.#schedule = schedule
  }

  /** Bytes said and not yet handed to the wire. */
  get pendingBytes(): number {
    return this.unwrittenBytes + this.#connection.pendingBytes
  }

  /** Of these, what the connection has not yet been given. */
  get unwrittenBytes(): number {
    return this.#pieceBytes + this.#writer.at - this.#from
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
      const length = writer.at - start - PREFIX_BYTES
      if (written && length <= bytesMax) {
        writer.bytes.writeUInt32LE(length, start)
        this.#flushSoon()
        return length
      }
      writer.at = start
      if (written) return length
    }
    const body = encodeFrame(frame)
    if (body.length <= bytesMax) this.push(body)
    return body.length
  }

  /** Says a frame by its encoded body. */
  push(body: Uint8Array): void {
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
    while (!this.#full && this.#pieces.length > 0) {
      const piece = this.#pieces.shift() as Buffer
      this.#pieceBytes -= piece.length
      this.#full = !this.#connection.write(piece)
    }
    if (this.#full || this.#writer.at === this.#from) return
    const rest = this.#writer.bytes.subarray(this.#from, this.#writer.at)
    this.#from = this.#writer.at
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
