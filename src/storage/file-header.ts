// The first 72 bytes of every file of a storage: what it is, whose, and where it belongs. Also the names of those files.
// Knows nothing of what follows. Invariant: a header is either intact (its checksum says so) or it says nothing.

import { crc32 } from 'node:zlib'
import { QuorateError } from '../errors.ts'
import type { Disk } from '../ports/disk.ts'
import type { Random } from '../ports/random.ts'

export const HEADER_BYTES = 72
export const FORMAT_VERSION = 4
/** Up to format 3. */
const OLD_HEADER_BYTES = 64

export type FileKind = 'segment' | 'checkpoint' | 'manifest'

const MAGIC = { segment: 'QUORATEL', checkpoint: 'QUORATEC', manifest: 'QUORATEM' } as const satisfies Record<
  FileKind,
  string
>

/** Which storage a file belongs to. */
export interface StorageKeys {
  /** UUID. */
  readonly identity: string
  /**
   * 8 random bytes, never told to anybody, as hex: they go into every frame's checksums, so that nobody can put bytes into a value
   * that a search for frames would take for one, and frames of another storage are not taken for this one's.
   */
  readonly salt: string
}

export interface FileHeader extends StorageKeys {
  readonly kind: FileKind
  /** Segment and checkpoint: its own. Manifest: that of the newest segment. */
  readonly number: number
  /** Segment: the sequence of the next batch. Checkpoint: what it lacks is in this one and later ones. Manifest: of the clean shutdown, or 0. */
  readonly batch: number
  /** Segment: of the next change. Checkpoint: it has all changes below. Manifest: 0. */
  readonly lsn: number
  /** Checkpoint: the units that it covers, half-open. Else 0. */
  readonly from: number
  readonly to: number
  /** Segment: it begins with the batch before, again, since nobody knows whether that was durable. */
  readonly repeats: boolean
}

export function encodeHeader(header: FileHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.write(MAGIC[header.kind], 0, 'latin1')
  bytes.writeUInt32LE(FORMAT_VERSION, 8)
  bytes.write(header.identity.replaceAll('-', ''), 12, 'hex')
  bytes.write(header.salt, 28, 'hex')
  bytes.writeBigUInt64LE(BigInt(header.number), 36)
  bytes.writeBigUInt64LE(BigInt(header.batch), 44)
  bytes.writeBigUInt64LE(BigInt(header.lsn), 52)
  bytes.writeUInt32LE(header.kind === 'segment' ? Number(header.repeats) : header.from, 60)
  bytes.writeUInt32LE(header.to, 64)
  bytes.writeUInt32LE(headerChecksum(bytes), HEADER_BYTES - 4)
  return bytes
}

/** The last four bytes of a header are the checksum of those before. */
function headerChecksum(bytes: Buffer, length: number = HEADER_BYTES): number {
  return crc32(bytes.subarray(0, length - 4))
}

/** Null unless it is an intact header of this kind. Throws `config` when another version of this software wrote it. */
function decodeHeader(kind: FileKind, input: Uint8Array): FileHeader | null {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength)
  if (bytes.length < OLD_HEADER_BYTES || bytes.toString('latin1', 0, 8) !== MAGIC[kind]) return null
  const version = bytes.readUInt32LE(8)
  const length = version < 4 ? OLD_HEADER_BYTES : HEADER_BYTES
  if (bytes.length < length || bytes.readUInt32LE(length - 4) !== headerChecksum(bytes, length)) return null
  if (version !== FORMAT_VERSION) {
    throw new QuorateError(
      'config',
      `the data directory has format ${version}; this version knows format ${FORMAT_VERSION}`,
    )
  }
  const isSegment = kind === 'segment'
  const first = bytes.readUInt32LE(60)
  return {
    kind,
    identity: uuid(bytes.toString('hex', 12, 28)),
    salt: bytes.toString('hex', 28, 36),
    number: Number(bytes.readBigUInt64LE(36)),
    batch: Number(bytes.readBigUInt64LE(44)),
    lsn: Number(bytes.readBigUInt64LE(52)),
    from: isSegment ? 0 : first,
    to: bytes.readUInt32LE(64),
    repeats: isSegment && first === 1,
  }
}

/** The header of a file and its size. A header that the disk refuses to give, twice, counts as damaged. */
export async function readHeader(
  disk: Disk,
  kind: FileKind,
  name: string,
): Promise<{ readonly header: FileHeader | null; readonly bytes: number }> {
  const file = await disk.open(name, 'existing')
  try {
    const again = (): Promise<Uint8Array> => file.read(0, HEADER_BYTES)
    const bytes = await again()
      .catch(again)
      .catch(() => new Uint8Array(0))
    return { header: decodeHeader(kind, bytes), bytes: file.size }
  } finally {
    await file.close()
  }
}

function uuid(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** A new storage: an identity as in RFC 9562, version 4. */
export function newKeys(random: Random): StorageKeys {
  const bytes = Buffer.from(random.bytes(16))
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  return { identity: uuid(bytes.toString('hex')), salt: Buffer.from(random.bytes(8)).toString('hex') }
}

export const MANIFEST = 'manifest'
export const TEMPORARY = '.tmp'
export const QUARANTINE = 'quarantine-'
/** Before the name of a file that was found damaged: an empty file that says so until that is settled. */
export const MARK = 'damage-in-'

export function segmentName(number: number): string {
  return `log-${String(number).padStart(8, '0')}`
}

export function checkpointName(number: number): string {
  return `checkpoint-${String(number).padStart(8, '0')}`
}

/** The number in a segment's or checkpoint's name, or null for any other name. */
export function numberOf(kind: 'segment' | 'checkpoint', name: string): number | null {
  const match = (kind === 'segment' ? /^log-(\d{8,15})$/ : /^checkpoint-(\d{8,15})$/).exec(name)
  return match ? Number(match[1]) : null
}
