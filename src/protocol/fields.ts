// Narrow constructors: each turns one decoded slot into the type a message promises, or throws `protocol`.
// Knows nothing of messages. Invariant: nothing unchecked leaves this file.

import { QuorateError } from '../errors.ts'

/** The decoded array of one frame or of a nested entry. */
export type Fields = readonly unknown[]

export const NAME_BYTES_MAX = 255
export const BUCKET_BYTES_MAX = 255
export const KEY_BYTES_MAX = 1024
/** Digests, epochs, addresses, storage identities. */
export const LABEL_BYTES_MAX = 512
export const DETAIL_BYTES_MAX = 2048
export const TRACE_BYTES_MAX = 256
const UINT32_MAX = 0xffffffff

export function reject(at: number, expected: string): never {
  throw new QuorateError('protocol', `malformed frame: field ${at} is not ${expected}`)
}

export function arrayOf(fields: Fields, at: number): Fields {
  const value = fields[at]
  return Array.isArray(value) ? value : reject(at, 'an array')
}

export function boolean(fields: Fields, at: number): boolean {
  const value = fields[at]
  return typeof value === 'boolean' ? value : reject(at, 'a boolean')
}

/** An integer from 0 to `max`. */
export function integer(fields: Fields, at: number, max: number = UINT32_MAX): number {
  const value = fields[at]
  // -0 is an integer to Number.isInteger, but not one that an encoder of counts writes.
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max || Object.is(value, -0)) {
    return reject(at, `an integer up to ${max}`)
  }
  return value
}

/** A finite number from 0 to 2^53 − 1: times and durations. */
export function amount(fields: Fields, at: number): number {
  const value = fields[at]
  if (typeof value !== 'number' || !(value >= 0 && value <= Number.MAX_SAFE_INTEGER) || Object.is(value, -0)) {
    return reject(at, 'an amount')
  }
  return value
}

export function text(fields: Fields, at: number, bytesMax: number, bytesMin: number = 0): string {
  const value = fields[at]
  if (typeof value !== 'string') return reject(at, 'text')
  const length = value.length
  if (length < bytesMin || length > bytesMax) return reject(at, `text of ${bytesMin} to ${bytesMax} bytes`)
  if (length * 3 > bytesMax && Buffer.byteLength(value) > bytesMax) return reject(at, `text up to ${bytesMax} bytes`)
  // Never so in what came, which was UTF-8; in what is to be sent it would become another text.
  if (!value.isWellFormed()) return reject(at, 'well-formed text')
  return value
}

export function textOrNull(fields: Fields, at: number, bytesMax: number): string | null {
  return fields[at] === null ? null : text(fields, at, bytesMax)
}

/** A view on the frame, not a copy. */
export function binary(fields: Fields, at: number): Uint8Array {
  const value = fields[at]
  return value instanceof Uint8Array ? value : reject(at, 'binary')
}

export function binaryOrNull(fields: Fields, at: number): Uint8Array | null {
  return fields[at] === null ? null : binary(fields, at)
}

const HASH = /^[0-9a-f]{16}$/

/** A 64-bit hash as 16 hex digits. */
export function hash(fields: Fields, at: number): string {
  const value = fields[at]
  return typeof value === 'string' && HASH.test(value) ? value : reject(at, 'a hash')
}

export function integers(fields: Fields, at: number): readonly number[] {
  const list = arrayOf(fields, at)
  return list.map((_, i) => integer(list, i))
}

export function texts(fields: Fields, at: number, bytesMax: number): readonly string[] {
  const list = arrayOf(fields, at)
  return list.map((_, i) => text(list, i, bytesMax))
}

/** One word of a closed list, sent as its position there. */
export function word<W extends string>(fields: Fields, at: number, words: readonly W[]): W {
  return words[integer(fields, at, words.length - 1)] ?? reject(at, 'a known word')
}

export function exactly(fields: Fields, length: number): void {
  if (fields.length !== length) {
    throw new QuorateError('protocol', `malformed frame: ${fields.length} fields instead of ${length}`)
  }
}
