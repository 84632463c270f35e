// The one non-cryptographic hash of the project: XXH64 over UTF-8 text, as two unsigned 32-bit halves. Knows nothing of
// what is hashed. Invariant: the same text and seed give the same hash on every node and for ever, since placement,
// listings and digests between nodes stand on it. It resists accidents, not adversaries.

import xxhash from 'xxhash-wasm'

/** An unsigned 64-bit number; two small integers are cheaper than a BigInt, and compare and add without allocation. */
export interface Hash64 {
  /** The most significant 32 bits, 0..2^32 − 1. */
  readonly hi: number
  readonly lo: number
}

const { h64, h64Raw } = await xxhash()

const halves = new DataView(new ArrayBuffer(8))

/** XXH64(text, seed) as a BigInt: only to seed another hash. */
export function seedOf(text: string, seed = 0n): bigint {
  return h64(text, seed)
}

export function hash64(text: string, seed = 0n): Hash64 {
  halves.setBigUint64(0, h64(text, seed))
  return { hi: halves.getUint32(0), lo: halves.getUint32(4) }
}

/** XXH64 of bytes. */
export function hash64OfBytes(bytes: Uint8Array, seed = 0n): Hash64 {
  halves.setBigUint64(0, h64Raw(bytes, seed))
  return { hi: halves.getUint32(0), lo: halves.getUint32(4) }
}

/** What the library hashes it copies first, to memory that never shrinks again. */
const SLICE_BYTES = 64 << 10

/** A hash of bytes however many they are: of slices, each with the hash of those before it as the seed. XXH64 itself of one slice. */
export function hashOfLongBytes(bytes: Uint8Array, seed = 0n): Hash64 {
  let chained = seed
  let at = 0
  do {
    chained = h64Raw(bytes.subarray(at, at + SLICE_BYTES), chained)
    at += SLICE_BYTES
  } while (at < bytes.length)
  halves.setBigUint64(0, chained)
  return { hi: halves.getUint32(0), lo: halves.getUint32(4) }
}

/**
 * A hash of a list of texts in which every boundary counts: each text is hashed with the hash of those before it as
 * the seed, so ('ab', 'c') and ('a', 'bc') differ without an escape or a separator.
 */
export function hashOfFields(fields: readonly string[], seed = 0n): Hash64 {
  let chained = seed
  for (const field of fields) chained = h64(field, chained)
  halves.setBigUint64(0, chained)
  return { hi: halves.getUint32(0), lo: halves.getUint32(4) }
}

/** 16 lower-case hex digits; their order as text is the order of the numbers. */
export function hexOf({ hi, lo }: Hash64): string {
  // Number.toString(16) leaves compiled code, and padding copies: together twenty times this.
  return String.fromCharCode(
    digit(hi >>> 28),
    digit(hi >>> 24),
    digit(hi >>> 20),
    digit(hi >>> 16),
    digit(hi >>> 12),
    digit(hi >>> 8),
    digit(hi >>> 4),
    digit(hi),
    digit(lo >>> 28),
    digit(lo >>> 24),
    digit(lo >>> 20),
    digit(lo >>> 16),
    digit(lo >>> 12),
    digit(lo >>> 8),
    digit(lo >>> 4),
    digit(lo),
  )
}

/** The code of the hex digit for the lowest four bits. */
function digit(bits: number): number {
  const value = bits & 0xf
  return value < 10 ? 0x30 + value : 0x57 + value
}

/** Null unless `hex` is exactly 16 lower-case hex digits. */
export function hash64FromHex(hex: string): Hash64 | null {
  if (!/^[0-9a-f]{16}$/.test(hex)) return null
  return { hi: Number.parseInt(hex.slice(0, 8), 16), lo: Number.parseInt(hex.slice(8), 16) }
}

/** Negative, zero or positive, as unsigned numbers. */
export function compareHash64(a: Hash64, b: Hash64): number {
  return a.hi - b.hi || a.lo - b.lo
}
