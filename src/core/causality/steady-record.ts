// The bytes of the record that nearly all keys have: one version, all of whose history the partition clock tells. A bare dot, a stamp,
// perhaps a deadline, and the value to the end: 18 bytes beside the value. Knows nothing of merging.
// Invariant: a record has this form exactly if it can; its first byte tells it from the general form.
//
//   flags u8 | life 8 bytes | counter varint | stamp 7 bytes LE | [deadline: ms after the stamp, varint] | [content type u8 | value]

import { type ByteReader, type ByteWriter, MalformedBytes } from '../bytes.ts'
import { type Dot, LIFE_BYTES } from './dot.ts'
import { msFromHybrid } from './hybrid-clock.ts'
import { codeOfContentType, contentTypeOf, NO_META, type Version } from './version.ts'

/** In the first byte of a record: it has this form. */
export const STEADY = 8
const DELETION = 16
const DEADLINE = 32

/** 2^56 units of the hybrid clock: far beyond what a counting number holds. */
const STAMP_BYTES = 7

/** Whether a version that stands alone has the form. */
export function isSteady(version: Version): boolean {
  const { content, tag, deadlineMs } = version
  if (tag !== null || (deadlineMs !== null && deadlineMs < msFromHybrid(version.stamp))) return false
  return content === null || (content.meta.length === 0 && codeOfContentType(content.contentType) >= 0)
}

/** Whether bytes that may be anything begin with what `decodeDot` takes, behind the first one. */
export function looksSteady(bytes: Uint8Array): boolean {
  const flags = bytes[0] ?? 0
  if (flags < STEADY || flags > (STEADY | DELETION | DEADLINE)) return false
  let end = 1 + LIFE_BYTES
  while (end < LONGEST_DOT && (bytes[end] ?? 0) >= 0x80) end++
  return end < LONGEST_DOT && (bytes[end] ?? 0) > 0
}

/** A flag, a life, and a counter of seven bytes: more than are ever counted. */
const LONGEST_DOT = 1 + LIFE_BYTES + 7

/** Only what `isSteady`. */
export function encodeSteady(writer: ByteWriter, { dot, stamp, deadlineMs, content }: Version): void {
  writer.u8(STEADY | (content === null ? DELETION : 0) | (deadlineMs === null ? 0 : DEADLINE))
  writer.life(dot.life)
  writer.varint(dot.counter)
  writer.fixed(stamp, STAMP_BYTES)
  if (deadlineMs !== null) writer.varint(deadlineMs - msFromHybrid(stamp))
  if (content === null) return
  writer.u8(codeOfContentType(content.contentType))
  writer.raw(content.bytes)
}

/** Behind the first byte. Throws `MalformedBytes`; the value is a view on the input. */
export function decodeSteady(flags: number, reader: ByteReader): Version {
  if (flags > (STEADY | DELETION | DEADLINE)) throw new MalformedBytes('unknown record flags')
  const dot = decodeDot(reader)
  const stamp = reader.fixed(STAMP_BYTES)
  const deadlineMs = flags & DEADLINE ? msFromHybrid(stamp) + reader.varint() : null
  if (deadlineMs !== null && !Number.isSafeInteger(deadlineMs)) throw new MalformedBytes('deadline too large')
  let content: Version['content'] = null
  if (!(flags & DELETION)) {
    const contentType = contentTypeOf(reader.u8())
    if (contentType === undefined) throw new MalformedBytes('unknown content type code')
    content = { contentType, meta: NO_META, bytes: reader.raw(reader.remaining) }
  }
  return { dot, stamp, deadlineMs, tag: null, content }
}

/**
 * Of an encoded record, without making objects: when its value expires, `Infinity` where it never does; −1 where it is a deletion, or has
 * the general form, and must be looked at as a whole.
 */
export function expiryOf(buffer: Uint8Array, at: number): number {
  const flags = buffer[at] as number
  if (flags < STEADY || flags & DELETION) return -1
  if (!(flags & DEADLINE)) return Infinity
  let place = at + 1 + LIFE_BYTES
  while ((buffer[place++] ?? 0) >= 0x80);
  let stamp = 0
  for (let i = STAMP_BYTES - 1; i >= 0; i--) stamp = stamp * 0x100 + (buffer[place + i] as number)
  place += STAMP_BYTES
  let after = 0
  for (let scale = 1; ; scale *= 0x80) {
    const byte = buffer[place++] ?? 0
    after += (byte & 0x7f) * scale
    if (byte < 0x80) return msFromHybrid(stamp) + after
  }
}

export function decodeDot(reader: ByteReader): Dot {
  const dot = { life: reader.life(), counter: reader.varint() }
  if (dot.counter === 0) throw new MalformedBytes('counter 0')
  return dot
}
