// One version of a key's value: what a single write produced. Knows its dot and stamps, nothing of other versions.
// Invariant: immutable; two versions with the same dot are the same version.

import { type ByteReader, type ByteWriter, MalformedBytes } from '../bytes.ts'
import { compareDots, type Dot, type Life } from './dot.ts'
import type { HybridTime } from './hybrid-clock.ts'
import { type Lives, placeOf } from './lives.ts'

/** The mark that every attempt of one idempotent write shares. */
export interface Mark {
  /** Hash of (bucket, key, idempotency key): 16 hex digits. */
  readonly id: string
  /** Hash of the body and what belongs to it, 8 hex digits: another body under the same id is a client's mistake. */
  readonly fingerprint: string
}

/** The mark as one attempt carries it. */
export interface Tag extends Mark {
  /** The greatest stamp in the attempt's context: what is later it has not seen. */
  readonly basis: HybridTime
  /** Where it was coordinated a live value was found; decides the status that a retry is answered with. */
  readonly replaces: boolean
}

export interface Content {
  readonly contentType: string
  /** (lower-case name without prefix, value), in the order given. */
  readonly meta: readonly (readonly [string, string])[]
  readonly bytes: Uint8Array
}

export interface Version {
  readonly dot: Dot
  readonly stamp: HybridTime
  /** Absolute expiry in milliseconds since the epoch, or null. From then on the version is its own deletion. */
  readonly deadlineMs: number | null
  readonly tag: Tag | null
  /** Null: a deletion. */
  readonly content: Content | null
}

/** A client sees it: neither a deletion nor expired at `nowMs`. */
export function isLive(version: Version, nowMs: number): boolean {
  return version.content !== null && (version.deadlineMs === null || version.deadlineMs > nowMs)
}

/** The order of last-writer-wins: (stamp, dot). */
export function compareByStamp(a: Version, b: Version): number {
  return a.stamp - b.stamp || compareDots(a.dot, b.dot)
}

// One byte instead of a string for what most values are. Only ever appended to: the codes are on disks.
const COMMON_CONTENT_TYPES = [
  'application/octet-stream',
  'application/json',
  'text/plain',
  'text/plain; charset=utf-8',
  'application/json; charset=utf-8',
  'application/x-www-form-urlencoded',
  'text/html',
  'application/msgpack',
  'image/png',
  'image/jpeg',
] as const

/** −1: it is not a common one. */
export function codeOfContentType(contentType: string): number {
  for (let code = 0; code < COMMON_CONTENT_TYPES.length; code++)
    if (COMMON_CONTENT_TYPES[code] === contentType) return code
  return -1
}

/** Undefined where no type has this code. */
export function contentTypeOf(code: number): string | undefined {
  return COMMON_CONTENT_TYPES[code]
}

export const NO_META: Content['meta'] = []

const DELETION = 1
const DEADLINE = 2
const TAGGED = 4
const META = 8
const REPLACES = 16
const KNOWN_FLAGS = DELETION | DEADLINE | TAGGED | META | REPLACES

/** `lives` is the table of the enclosing format; a dot costs an index and a counter. Throws `RangeError` where the life is not in it. */
export function encodeVersion(writer: ByteWriter, version: Version, lives: Lives): void {
  const { content } = version
  const meta = content !== null && content.meta.length > 0
  writer.u8(
    (content === null ? DELETION : 0) |
      (version.deadlineMs === null ? 0 : DEADLINE) |
      (version.tag === null ? 0 : TAGGED) |
      (meta ? META : 0) |
      (version.tag?.replaces ? REPLACES : 0),
  )
  writer.varint(placeOf(lives, version.dot.life))
  writer.varint(version.dot.counter)
  writer.varint(version.stamp)
  if (version.deadlineMs !== null) writer.varint(version.deadlineMs)
  if (version.tag !== null) {
    writer.hex(version.tag.id, 8)
    writer.hex(version.tag.fingerprint, 4)
    writer.varint(version.tag.basis)
  }
  if (content === null) return
  const code = codeOfContentType(content.contentType)
  writer.u8(code + 1)
  if (code < 0) writer.text(content.contentType)
  if (meta) {
    writer.varint(content.meta.length)
    for (const [name, value] of content.meta) {
      writer.text(name)
      writer.text(value)
    }
  }
  writer.bytes(content.bytes)
}

/** Values are views on the input, not copies. */
export function decodeVersion(reader: ByteReader, lives: readonly Life[]): Version {
  const flags = reader.u8()
  if ((flags & ~KNOWN_FLAGS) !== 0) throw new MalformedBytes('unknown version flags')
  const life = lives[reader.varint()]
  if (life === undefined) throw new MalformedBytes('life out of table')
  const counter = reader.varint()
  if (counter === 0) throw new MalformedBytes('counter 0')
  const stamp = reader.varint()
  const deadlineMs = flags & DEADLINE ? reader.varint() : null
  const replaces = (flags & REPLACES) !== 0
  if (replaces && !(flags & TAGGED)) throw new MalformedBytes('a flag without its tag')
  const tag =
    flags & TAGGED ? { id: reader.hex(8), fingerprint: reader.hex(4), basis: reader.varint(), replaces } : null
  let content: Content | null = null
  if (!(flags & DELETION)) {
    const code = reader.u8()
    const contentType = code === 0 ? reader.text() : contentTypeOf(code - 1)
    if (contentType === undefined) throw new MalformedBytes('unknown content type code')
    const meta = flags & META ? decodeMeta(reader) : NO_META
    content = { contentType, meta, bytes: reader.bytes() }
  }
  return { dot: { life, counter }, stamp, deadlineMs, tag, content }
}

function decodeMeta(reader: ByteReader): Content['meta'] {
  const meta: [string, string][] = []
  const count = reader.count(2)
  for (let i = 0; i < count; i++) meta.push([reader.text(), reader.text()])
  return meta
}
