// Keys and values by number: key i has 11 bytes, and its value says which key and which version it belongs to, so that whoever reads it
// back can tell a right answer from a wrong one without having kept anything. Pure. Invariant: no two numbers have the same key.

export const KEY_BYTES = 11
export const VALUE_BYTES = 100

const HEX = Buffer.from('0123456789abcdef')
const LETTERS = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
/** Of the version within a value. */
const VERSION_DIGITS = 10
const SPACE = 0x20

/** A bijection of 32-bit numbers (the finalizer of MurmurHash3): neighbours have nothing in common afterwards. */
export function mix32(number: number): number {
  let x = number | 0
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35)
  return (x ^ (x >>> 16)) >>> 0
}

/** Neither in order nor with common beginnings: a store must not profit from how the benchmark counts. */
export function writeKey(target: Buffer, at: number, index: number): void {
  const first = mix32(index)
  for (let i = 0; i < 8; i++) target[at + i] = HEX[(first >>> (4 * i)) & 15] as number
  const second = mix32(first ^ 0x5bd1_e995)
  for (let i = 0; i < 3; i++) target[at + 8 + i] = HEX[(second >>> (4 * i)) & 15] as number
}

/** The key, a blank, ten digits of the version, a blank, and letters that look like chance: nothing in it can be compressed away. */
export function writeValue(target: Buffer, at: number, index: number, version: number): void {
  writeKey(target, at, index)
  let place = at + KEY_BYTES
  target[place++] = SPACE
  let rest = version
  for (let digit = VERSION_DIGITS - 1; digit >= 0; digit--) {
    target[place + digit] = 0x30 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  place += VERSION_DIGITS
  target[place++] = SPACE
  const end = at + VALUE_BYTES
  let state = mix32(index ^ Math.imul(version + 1, 0x9e37_79b1)) | 1
  while (place < end) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    for (let letter = 0; letter < 5 && place < end; letter++)
      target[place++] = LETTERS[(state >>> (6 * letter)) & 63] as number
  }
}

export function keyOf(index: number): string {
  const bytes = Buffer.alloc(KEY_BYTES)
  writeKey(bytes, 0, index)
  return bytes.toString('latin1')
}

export function valueOf(index: number, version: number): Buffer {
  const bytes = Buffer.alloc(VALUE_BYTES)
  writeValue(bytes, 0, index, version)
  return bytes
}

const expected = Buffer.alloc(VALUE_BYTES)

/** Whether the bytes from `at` to `end` are the value of this key in this version. */
export function isValueOf(bytes: Buffer, at: number, end: number, index: number, version: number): boolean {
  if (end - at !== VALUE_BYTES) return false
  writeValue(expected, 0, index, version)
  return expected.compare(bytes, at, end) === 0
}

/** Greater than any number of keys times this stays exact, and prime, so that steps of it meet every key once. */
const STEP = 15_485_863

/** The i-th of `count` keys in an order that has nothing to do with that of their numbers; each comes once. */
export function scattered(i: number, count: number): number {
  return (i * STEP) % count
}
