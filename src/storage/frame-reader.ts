// Finds the frames of a file, reading ahead while those before are worked on. Knows nothing of what entries mean.
// Invariant: every intact frame is told, in order, and all bytes between; what the disk refuses to give hides nothing around it.

import { crc32 } from 'node:zlib'
import type { DiskFile } from '../ports/disk.ts'
import { FRAME_HEADER_BYTES, FRAME_MAGIC, type FrameKind } from './frames.ts'
import type { Lsn } from './entries.ts'

export interface Frame {
  readonly offset: number
  /** With its header. */
  readonly bytes: number
  readonly sequence: number
  readonly firstLsn: Lsn
  readonly count: number
  /** Checksum of the header: with a chain of these a file's frames are vouched for as a whole. */
  readonly headerCrc: number
  /** A view on a larger buffer. */
  readonly body: Buffer
}

/** Bytes that are in no intact frame. */
export interface Gap {
  readonly offset: number
  readonly bytes: number
}

const WINDOW_BYTES = 1 << 20
const UNREADABLE_STEP_BYTES = 1 << 14

export class FrameReader {
  readonly #file: DiskFile
  readonly #magic: Buffer
  readonly #saltCrc: number
  readonly #end: number
  readonly #unreadable: (Gap & { readonly why: string })[] = []
  #window: Buffer = Buffer.alloc(0)
  #windowAt = 0
  /** What follows the window. */
  #ahead: Promise<Buffer> | null = null
  #aheadAt = 0

  constructor(file: DiskFile, kind: FrameKind, saltCrc: number) {
    this.#file = file
    this.#magic = FRAME_MAGIC[kind]
    this.#saltCrc = saltCrc
    this.#end = file.size
  }

  /** Parts that the disk refused to give (seen so far); they were read as zeros. */
  get unreadable(): readonly (Gap & { readonly why: string })[] {
    return this.#unreadable
  }

  /** By calls, not as an iterator: a log may hold millions of frames, and each step of one would cost as much as a frame. */
  async read(from: number, take: (frame: Frame) => void, skipped: (gap: Gap) => void): Promise<void> {
    let at = Math.min(from, this.#end)
    let gapFrom = -1
    this.#windowAt = at
    this.#aheadAt = at
    try {
      while (at < this.#end) {
        const frame = this.#frameAt(at)
        if (typeof frame === 'number') {
          await this.#load(at, frame)
        } else if (frame === null) {
          if (gapFrom < 0) gapFrom = at
          at = await this.#nextMagic(at + 1)
        } else {
          if (gapFrom >= 0) skipped({ offset: gapFrom, bytes: at - gapFrom })
          gapFrom = -1
          take(frame)
          at += frame.bytes
        }
      }
      if (gapFrom >= 0) skipped({ offset: gapFrom, bytes: this.#end - gapFrom })
    } finally {
      // Whoever closes the file next must not meet a read.
      await this.#ahead
    }
  }

  /** A number: so many bytes from there on must be in the window. */
  // The header has its own checksum so that the search for frames costs a header for each chance magic, never a whole body.
  #frameAt(at: number): Frame | number | null {
    if (at + FRAME_HEADER_BYTES > this.#end) return null
    const window = this.#window
    const from = at - this.#windowAt
    if (from + FRAME_HEADER_BYTES > window.length) return FRAME_HEADER_BYTES
    for (let i = 0; i < this.#magic.length; i++) if (window[from + i] !== this.#magic[i]) return null
    const headerCrc = window.readUInt32LE(from + 32)
    if (crc32(window.subarray(from, from + 32), this.#saltCrc) !== headerCrc) return null
    const bytes = FRAME_HEADER_BYTES + window.readUInt32LE(from + 4)
    if (at + bytes > this.#end) return null
    if (from + bytes > window.length) return bytes
    const body = window.subarray(from + FRAME_HEADER_BYTES, from + bytes)
    if (crc32(body, this.#saltCrc) !== window.readUInt32LE(from + 8)) return null
    return {
      offset: at,
      bytes,
      sequence: readNumber(window, from + 12),
      firstLsn: readNumber(window, from + 20),
      count: window.readUInt32LE(from + 28),
      headerCrc,
      body,
    }
  }

  async #nextMagic(from: number): Promise<number> {
    const length = this.#magic.length
    let at = from
    while (at + length <= this.#end) {
      await this.#load(at, length)
      const found = this.#window.indexOf(this.#magic, at - this.#windowAt)
      if (found >= 0) return this.#windowAt + found
      at = this.#windowAt + this.#window.length - length + 1
    }
    return this.#end
  }

  /** Moves the window on so that it holds these bytes. */
  async #load(at: number, length: number): Promise<void> {
    const to = Math.min(at + length, this.#end)
    if (to <= this.#windowAt + this.#window.length) return
    const pieces = [this.#window.subarray(at - this.#windowAt)]
    let held = this.#windowAt + this.#window.length
    while (held < to) {
      const piece = await (this.#ahead ?? this.#readNext())
      pieces.push(piece)
      held += piece.length
      this.#ahead = held < this.#end ? this.#readNext() : null
    }
    this.#window = Buffer.concat(pieces)
    this.#windowAt = at
  }

  #readNext(): Promise<Buffer> {
    const at = this.#aheadAt
    const size = Math.min(WINDOW_BYTES, this.#end - at)
    this.#aheadAt += size
    return this.#readOrZeros(at, size)
  }

  // One bad sector must not hide what lies around it. Zeros are no frame, so the loss shows.
  async #readOrZeros(at: number, size: number): Promise<Buffer> {
    try {
      return await readFully(this.#file, at, size)
    } catch {
      const pieces: Buffer[] = []
      for (let done = 0; done < size; done += UNREADABLE_STEP_BYTES) {
        const step = Math.min(UNREADABLE_STEP_BYTES, size - done)
        try {
          pieces.push(await readFully(this.#file, at + done, step))
        } catch (error) {
          this.#unreadable.push({ offset: at + done, bytes: step, why: String(error) })
          pieces.push(Buffer.alloc(step))
        }
      }
      return Buffer.concat(pieces)
    }
  }
}

/** A double holds every number that was written: they count up from 1. */
function readNumber(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000
}

async function readFully(file: DiskFile, at: number, size: number): Promise<Buffer> {
  const bytes = await file.read(at, size)
  if (bytes.length !== size) throw new Error(`${bytes.length} bytes instead of ${size} at ${at}`)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
