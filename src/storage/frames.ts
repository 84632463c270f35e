// Batches of the log and blocks of a checkpoint as bytes: a header of 36 bytes with a checksum of its own, then entries under another.
// Knows nothing of what entries mean. Invariant: reading yields every intact frame of a file, in order, and names all bytes between.

import { crc32 } from 'node:zlib'
import { ByteWriter } from '../core/bytes.ts'
import type { DiskFile } from '../ports/disk.ts'
import type { EntrySink, Lsn } from './entries.ts'
import type { StorageKeys } from './file-header.ts'

export const FRAME_HEADER_BYTES = 36
export type FrameKind = 'batch' | 'block'

// Different, so that a block is never taken for a batch.
const MAGIC: Readonly<Record<FrameKind, Buffer>> = {
  batch: Buffer.from('b4d15e71', 'hex'),
  block: Buffer.from('b10cd17e', 'hex'),
}

/** From this size on a blob is handed to the disk as it is instead of being gathered. */
const BLOB_COPY_BYTES_MAX = 4096

export function saltChecksum(keys: StorageKeys): number {
  return crc32(Buffer.from(keys.salt, 'hex'))
}

const NO_HEADER_YET = new Uint8Array(FRAME_HEADER_BYTES)

/** Gathers the entries of one frame behind room for its header: most frames are one piece of memory. */
export class FrameBuilder implements EntrySink {
  firstLsn: Lsn = 0
  count = 0
  #chunks: Uint8Array[] = []
  #bytes = 0
  #writer: ByteWriter

  /** `bytesExpected`: room to begin with, so that a large frame need not grow step by step. */
  constructor(firstLsn: Lsn, bytesExpected: number = 1024) {
    this.#writer = new ByteWriter(bytesExpected)
    this.restart(firstLsn)
  }

  /** A new frame in the memory of the last: whoever got that must be done with it. */
  restart(firstLsn: Lsn): void {
    this.firstLsn = firstLsn
    this.count = 0
    this.#chunks = []
    this.#bytes = 0
    this.#writer.clear()
    this.#writer.raw(NO_HEADER_YET)
  }

  get writer(): ByteWriter {
    return this.#writer
  }

  /** With the header. */
  get bytes(): number {
    return this.#bytes + this.#writer.length
  }

  blob(bytes: Uint8Array): void {
    this.#writer.varint(bytes.length)
    if (bytes.length <= BLOB_COPY_BYTES_MAX) {
      this.#writer.raw(bytes)
      return
    }
    this.#cut()
    this.#chunks.push(bytes)
    this.#bytes += bytes.length
  }

  #cut(): void {
    if (this.#writer.length === 0) return
    this.#chunks.push(this.#writer.finish())
    this.#bytes += this.#writer.length
    this.#writer = new ByteWriter(1024)
  }

  /** The frame's bytes, header first. Nothing may be added afterwards. */
  seal(kind: FrameKind, saltCrc: number, sequence: number): Uint8Array[] {
    if (this.#writer.length > 0) this.#chunks.push(this.#writer.finish())
    const [first, ...rest] = this.#chunks as [Uint8Array, ...Uint8Array[]]
    const header = first.subarray(0, FRAME_HEADER_BYTES)
    const body = [first.subarray(FRAME_HEADER_BYTES), ...rest]
    writeHeader(header, kind, saltCrc, { sequence, firstLsn: this.firstLsn, count: this.count }, body)
    return this.#chunks
  }
}

/** Puts a frame's header before its body. */
export function sealFrame(
  kind: FrameKind,
  saltCrc: number,
  frame: Pick<Frame, 'sequence' | 'firstLsn' | 'count'>,
  body: readonly Uint8Array[],
): Uint8Array[] {
  const header = new Uint8Array(FRAME_HEADER_BYTES)
  writeHeader(header, kind, saltCrc, frame, body)
  return [header, ...body]
}

function writeHeader(
  into: Uint8Array,
  kind: FrameKind,
  saltCrc: number,
  frame: Pick<Frame, 'sequence' | 'firstLsn' | 'count'>,
  body: readonly Uint8Array[],
): void {
  const header = Buffer.from(into.buffer, into.byteOffset, FRAME_HEADER_BYTES)
  let bytes = 0
  let bodyCrc = saltCrc
  for (const chunk of body) {
    bytes += chunk.length
    bodyCrc = crc32(chunk, bodyCrc)
  }
  header.set(MAGIC[kind], 0)
  header.writeUInt32LE(bytes, 4)
  header.writeUInt32LE(bodyCrc, 8)
  header.writeBigUInt64LE(BigInt(frame.sequence), 12)
  header.writeBigUInt64LE(BigInt(frame.firstLsn), 20)
  header.writeUInt32LE(frame.count, 28)
  header.writeUInt32LE(crc32(header.subarray(0, 32), saltCrc), 32)
}

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
  readonly #unreadable: (Gap & { readonly why: string })[] = []
  #window: Buffer = Buffer.alloc(0)
  #windowAt = 0

  constructor(file: DiskFile, kind: FrameKind, saltCrc: number) {
    this.#file = file
    this.#magic = MAGIC[kind]
    this.#saltCrc = saltCrc
  }

  /** Parts that the disk refused to give (seen so far); they were read as zeros. */
  get unreadable(): readonly (Gap & { readonly why: string })[] {
    return this.#unreadable
  }

  async *read(from: number): AsyncGenerator<{ readonly frame: Frame } | { readonly gap: Gap }, void, void> {
    const end = this.#file.size
    let at = Math.min(from, end)
    let gapFrom = -1
    while (at < end) {
      const frame = await this.#frameAt(at)
      if (frame) {
        if (gapFrom >= 0) yield { gap: { offset: gapFrom, bytes: at - gapFrom } }
        gapFrom = -1
        yield { frame }
        at += frame.bytes
        continue
      }
      if (gapFrom < 0) gapFrom = at
      at = await this.#nextMagic(at + 1)
    }
    if (gapFrom >= 0) yield { gap: { offset: gapFrom, bytes: end - gapFrom } }
  }

  // The header has its own checksum so that the search for frames costs a header for each chance magic, never a whole body.
  async #frameAt(at: number): Promise<Frame | null> {
    const header = await this.#bytes(at, FRAME_HEADER_BYTES)
    if (header.length < FRAME_HEADER_BYTES || !header.subarray(0, 4).equals(this.#magic)) return null
    const headerCrc = header.readUInt32LE(32)
    if (crc32(header.subarray(0, 32), this.#saltCrc) !== headerCrc) return null
    const length = header.readUInt32LE(4)
    if (at + FRAME_HEADER_BYTES + length > this.#file.size) return null
    const bodyCrc = header.readUInt32LE(8)
    const frame = {
      offset: at,
      bytes: FRAME_HEADER_BYTES + length,
      sequence: Number(header.readBigUInt64LE(12)),
      firstLsn: Number(header.readBigUInt64LE(20)),
      count: header.readUInt32LE(28),
      headerCrc,
    }
    const body = await this.#bytes(at + FRAME_HEADER_BYTES, length)
    return body.length === length && crc32(body, this.#saltCrc) === bodyCrc ? { ...frame, body } : null
  }

  async #nextMagic(from: number): Promise<number> {
    const end = this.#file.size
    let at = from
    while (at + this.#magic.length <= end) {
      await this.#load(at, this.#magic.length)
      const found = this.#window.indexOf(this.#magic, at - this.#windowAt)
      if (found >= 0) return this.#windowAt + found
      at = this.#windowAt + this.#window.length - this.#magic.length + 1
    }
    return end
  }

  /** Shorter only at the end of the file. */
  async #bytes(at: number, length: number): Promise<Buffer> {
    await this.#load(at, length)
    return this.#window.subarray(at - this.#windowAt, at - this.#windowAt + length)
  }

  async #load(at: number, length: number): Promise<void> {
    const wanted = Math.min(length, this.#file.size - at)
    if (at >= this.#windowAt && at + wanted <= this.#windowAt + this.#window.length) return
    const size = Math.min(Math.max(wanted, WINDOW_BYTES), this.#file.size - at)
    this.#window = await this.#readOrZeros(at, size)
    this.#windowAt = at
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
          const why = error instanceof Error ? error.message : String(error)
          if (!this.#unreadable.some((part) => part.offset === at + done)) {
            this.#unreadable.push({ offset: at + done, bytes: step, why })
          }
          pieces.push(Buffer.alloc(step))
        }
      }
      return Buffer.concat(pieces)
    }
  }
}

async function readFully(file: DiskFile, at: number, size: number): Promise<Buffer> {
  const bytes = await file.read(at, size)
  if (bytes.length !== size) throw new Error(`${bytes.length} bytes instead of ${size} at ${at}`)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
