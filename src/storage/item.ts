// One record in the arena, with what is needed to find its index entry from its bytes alone. Knows the layout and nothing else.
//
//   lsn u32 (mod 2^32) | partition varint | bucket × 2 (+ 1: with a tail), varint | key length varint | record length varint | key (UTF-8)
//   | record | [number of the tail, u32] | padding
//
// Where there is a tail, it is the end of the record, and not counted in its length (`tails.ts`).
// Invariant: an item says its own size, also when it is dead.

import { UNIT_BYTES } from './arena.ts'

/** Numbers an item consists of; one object is used again and again. */
export interface ItemHead {
  partition: number
  bucket: number
  keyAt: number
  keyBytes: number
  recordAt: number
  recordBytes: number
  /** Of the record's end, which lies elsewhere; −1: all of it is here. */
  tail: number
}

const LSN_BYTES = 4
const TAIL_NUMBER_BYTES = 4

function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5
}

/** With the padding. */
export function itemBytes(
  partition: number,
  bucket: number,
  keyBytes: number,
  recordBytes: number,
  hasTail: boolean = false,
): number {
  const head =
    LSN_BYTES + varintBytes(partition) + varintBytes(2 * bucket) + varintBytes(keyBytes) + varintBytes(recordBytes)
  const bytes = head + keyBytes + recordBytes + (hasTail ? TAIL_NUMBER_BYTES : 0)
  return Math.ceil(bytes / UNIT_BYTES) * UNIT_BYTES
}

function writeVarint(buffer: Buffer, at: number, value: number): number {
  let rest = value
  let place = at
  while (rest >= 0x80) {
    buffer[place++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  buffer[place++] = rest
  return place
}

/** Returns where the key belongs; the record follows it. */
export function writeHead(
  buffer: Buffer,
  at: number,
  lsn: number,
  partition: number,
  bucket: number,
  keyBytes: number,
  recordBytes: number,
  hasTail: boolean,
): number {
  writeU32(buffer, at, lsn)
  let place = writeVarint(buffer, at + LSN_BYTES, partition)
  place = writeVarint(buffer, place, 2 * bucket + (hasTail ? 1 : 0))
  place = writeVarint(buffer, place, keyBytes)
  return writeVarint(buffer, place, recordBytes)
}

/** The lower 32 bits, also where `value` is a change's number or a tail's. */
export function writeU32(buffer: Buffer, at: number, value: number): void {
  buffer[at] = value
  buffer[at + 1] = value >>> 8
  buffer[at + 2] = value >>> 16
  buffer[at + 3] = value >>> 24
}

/** Unsigned. */
export function readU32(buffer: Buffer, at: number): number {
  return (
    ((buffer[at] as number) |
      ((buffer[at + 1] as number) << 8) |
      ((buffer[at + 2] as number) << 16) |
      ((buffer[at + 3] as number) << 24)) >>>
    0
  )
}

// Where the varint that was read last ended: a second result without an object.
let ended = 0

function readVarint(buffer: Buffer, at: number): number {
  let value = 0
  let shift = 0
  let place = at
  for (;;) {
    const byte = buffer[place++] as number
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) break
    shift += 7
  }
  ended = place
  return value
}

export function readHead(buffer: Buffer, at: number, into: ItemHead): void {
  into.partition = readVarint(buffer, at + LSN_BYTES)
  const bucket = readVarint(buffer, ended)
  into.bucket = bucket >>> 1
  into.keyBytes = readVarint(buffer, ended)
  into.recordBytes = readVarint(buffer, ended)
  into.keyAt = ended
  into.recordAt = ended + into.keyBytes
  into.tail = bucket & 1 ? readU32(buffer, into.recordAt + into.recordBytes) : -1
}

/** With the padding, of an item that begins at `at` and was read. */
export function sizeOf({ recordAt, recordBytes, tail }: ItemHead, at: number): number {
  return Math.ceil((recordAt - at + recordBytes + (tail < 0 ? 0 : TAIL_NUMBER_BYTES)) / UNIT_BYTES) * UNIT_BYTES
}

/** The same, unread. */
export function sizeAt(buffer: Buffer, at: number): number {
  readVarint(buffer, at + LSN_BYTES)
  const tailBytes = readVarint(buffer, ended) & 1 ? TAIL_NUMBER_BYTES : 0
  const keyBytes = readVarint(buffer, ended)
  const recordBytes = readVarint(buffer, ended)
  return Math.ceil((ended - at + keyBytes + recordBytes + tailBytes) / UNIT_BYTES) * UNIT_BYTES
}

/** A key as text, or as its UTF-8 bytes. */
export type KeyText = string | Uint8Array

export function bytesOfKey(key: KeyText): number {
  return typeof key === 'string' ? Buffer.byteLength(key) : key.length
}

export function isKey(buffer: Buffer, at: number, bytes: number, key: KeyText): boolean {
  if (typeof key !== 'string') {
    return key.length === bytes && buffer.compare(key, 0, bytes, at, at + bytes) === 0
  }
  if (key.length !== bytes) return key.length < bytes && buffer.toString('utf8', at, at + bytes) === key
  // As many bytes as UTF-16 units: either all of both are ASCII, or they differ.
  for (let i = 0; i < bytes; i++) {
    const unit = key.charCodeAt(i)
    if (unit >= 0x80 || buffer[at + i] !== unit) return false
  }
  return true
}

/** Returns where it ends. */
export function writeKey(buffer: Buffer, at: number, key: KeyText): number {
  if (typeof key === 'string') return at + buffer.write(key, at, 'utf8')
  buffer.set(key, at)
  return at + key.length
}
