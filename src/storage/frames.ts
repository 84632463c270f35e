// Batches of the log and blocks of a checkpoint as bytes: a header of 36 bytes with a checksum of its own, then entries under another.
// Knows nothing of what entries mean. Invariant: a frame that was sealed is handed out as it will be on the disk.

import { crc32 } from 'node:zlib'
import { ByteWriter, Split } from '../core/bytes.ts'
import type { EntrySink, Lsn } from './entries.ts'
import type { StorageKeys } from './file-header.ts'

export const FRAME_HEADER_BYTES = 36
export type FrameKind = 'batch' | 'block'

// Different, so that a block is never taken for a batch.
export const FRAME_MAGIC: Readonly<Record<FrameKind, Buffer>> = {
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
  readonly last: EntrySink['last'] = { partition: -1, bucket: null }
  readonly #blobCopyBytesMax: number
  #chunks: Uint8Array[] = []
  #bytes = 0
  #writer: ByteWriter

  /**
   * `bytesExpected`: room to begin with, so that a large frame need not grow step by step. `copiesAll`: for blobs that change when others
   * have had a turn.
   */
  constructor(firstLsn: Lsn, bytesExpected: number = 1024, copiesAll: boolean = false) {
    this.#blobCopyBytesMax = copiesAll ? Infinity : BLOB_COPY_BYTES_MAX
    this.#writer = new ByteWriter(bytesExpected)
    this.restart(firstLsn)
  }

  /** A new frame in the memory of the last: whoever got that must be done with it. */
  restart(firstLsn: Lsn): void {
    this.firstLsn = firstLsn
    this.count = 0
    this.last.partition = -1
    this.last.bucket = null
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

  blob(bytes: Uint8Array | Split): void {
    this.#writer.varint(bytes.length)
    if (bytes instanceof Split) {
      this.#writer.raw(bytes.head)
      this.#refer(bytes.tail)
    } else if (bytes.length <= this.#blobCopyBytesMax) this.#writer.raw(bytes)
    else this.#refer(bytes)
  }

  #refer(bytes: Uint8Array): void {
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
    const { header, body } = this.#finish()
    writeHeader(header, kind, saltCrc, this.#place(sequence), checksumOf(body, saltCrc))
    return this.#chunks
  }

  /** The same, without holding others up for long however large the frame is: they have their `turn`s. Null: it is small, `seal` it. */
  sealInTurns(
    kind: FrameKind,
    saltCrc: number,
    sequence: number,
    turn: () => Promise<void>,
  ): Promise<Uint8Array[]> | null {
    if (this.bytes <= 2 * CHECKED_AT_ONCE) return null
    const { header, body } = this.#finish()
    const place = this.#place(sequence)
    return checksumInTurns(body, saltCrc, turn).then((checksum) => {
      writeHeader(header, kind, saltCrc, place, checksum)
      return this.#chunks
    })
  }

  #finish(): { readonly header: Uint8Array; readonly body: readonly Uint8Array[] } {
    if (this.#writer.length > 0) this.#chunks.push(this.#writer.finish())
    const [first, ...rest] = this.#chunks as [Uint8Array, ...Uint8Array[]]
    return { header: first.subarray(0, FRAME_HEADER_BYTES), body: [first.subarray(FRAME_HEADER_BYTES), ...rest] }
  }

  #place(sequence: number): FramePlace {
    return { sequence, firstLsn: this.firstLsn, count: this.count }
  }
}

/** Some 300 microseconds. */
const CHECKED_AT_ONCE = 1 << 20

interface Checksum {
  readonly bytes: number
  readonly crc: number
}

function checksumOf(body: readonly Uint8Array[], saltCrc: number): Checksum {
  let bytes = 0
  let crc = saltCrc
  for (const chunk of body) {
    bytes += chunk.length
    crc = crc32(chunk, crc)
  }
  return { bytes, crc }
}

async function checksumInTurns(
  body: readonly Uint8Array[],
  saltCrc: number,
  turn: () => Promise<void>,
): Promise<Checksum> {
  let bytes = 0
  let crc = saltCrc
  let left = CHECKED_AT_ONCE
  for (const chunk of body) {
    bytes += chunk.length
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + left)
      crc = crc32(piece, crc)
      at += piece.length
      left -= piece.length
      if (left > 0) continue
      left = CHECKED_AT_ONCE
      await turn()
    }
  }
  return { bytes, crc }
}

interface FramePlace {
  readonly sequence: number
  readonly firstLsn: Lsn
  readonly count: number
}

/** Puts a frame's header before its body. */
export function sealFrame(
  kind: FrameKind,
  saltCrc: number,
  frame: FramePlace,
  body: readonly Uint8Array[],
): Uint8Array[] {
  const header = new Uint8Array(FRAME_HEADER_BYTES)
  writeHeader(header, kind, saltCrc, frame, checksumOf(body, saltCrc))
  return [header, ...body]
}

function writeHeader(
  into: Uint8Array,
  kind: FrameKind,
  saltCrc: number,
  frame: FramePlace,
  { bytes, crc }: Checksum,
): void {
  const header = Buffer.from(into.buffer, into.byteOffset, FRAME_HEADER_BYTES)
  header.set(FRAME_MAGIC[kind], 0)
  header.writeUInt32LE(bytes, 4)
  header.writeUInt32LE(crc, 8)
  header.writeBigUInt64LE(BigInt(frame.sequence), 12)
  header.writeBigUInt64LE(BigInt(frame.firstLsn), 20)
  header.writeUInt32LE(frame.count, 28)
  header.writeUInt32LE(crc32(header.subarray(0, 32), saltCrc), 32)
}
