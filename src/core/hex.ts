// Bytes told as hex digits: lives and tags, several in every record, where native conversions cost more than all else there.
// Knows nothing of what they name. Invariant: its tables remember what was converted before and decide nothing; they are bounded.

const DIGIT_OF = new Uint8Array(128).fill(0xff)
for (let digit = 0; digit < 16; digit++) DIGIT_OF[digit.toString(16).charCodeAt(0)] = digit

/** Throws `RangeError` where there is no lower-case digit. */
export function digitAt(hex: string, at: number): number {
  const code = hex.charCodeAt(at)
  const digit = code < 128 ? (DIGIT_OF[code] as number) : 0xff
  if (digit === 0xff) throw new RangeError('expected lower-case hex')
  return digit
}

const WORDS_CACHED_MAX = 1024
const words = new Map<string, HexWords>()

/** 8 bytes as two numbers: the first four bytes, and the last. */
export interface HexWords {
  readonly high: number
  readonly low: number
}

/** Of 16 lower-case hex digits that come again and again, as lives do. Throws `RangeError`. */
export function wordsOfLife(hex: string): HexWords {
  const known = words.get(hex)
  if (known !== undefined) return known
  if (hex.length !== 16) throw new RangeError('expected 8 bytes of hex')
  let high = 0
  let low = 0
  for (let i = 0; i < 8; i++) {
    high = (high << 4) | digitAt(hex, i)
    low = (low << 4) | digitAt(hex, i + 8)
  }
  if (words.size >= WORDS_CACHED_MAX) words.clear()
  const made = { high, low }
  words.set(hex, made)
  return made
}

// A few lives name nearly all dots. A direct-mapped table hands out the same string for the same bytes, so that comparing it and
// looking it up in a Map is a pointer's work. Bounded; a collision only costs a conversion.
const INTERNED = 1024
const internedHigh = new Int32Array(INTERNED)
const internedLow = new Int32Array(INTERNED)
const internedHex: string[] = new Array<string>(INTERNED).fill('')

/** The life in the 8 bytes from `at` on, which must be there. */
export function lifeAt(buffer: Buffer, at: number): string {
  const high = wordAt(buffer, at)
  const low = wordAt(buffer, at + 4)
  const place = (high ^ (low >>> 7)) & (INTERNED - 1)
  const known = internedHex[place] as string
  if (known !== '' && internedHigh[place] === high && internedLow[place] === low) return known
  const hex = uniqueString(buffer.toString('hex', at, at + 8))
  internedHigh[place] = high
  internedLow[place] = low
  internedHex[place] = hex
  return hex
}

function wordAt(buffer: Buffer, at: number): number {
  return (
    (buffer[at] as number) |
    ((buffer[at + 1] as number) << 8) |
    ((buffer[at + 2] as number) << 16) |
    ((buffer[at + 3] as number) << 24)
  )
}

/** The engine's one copy, which is what property names are: two of them are equal only if they are the same object. */
function uniqueString(text: string): string {
  return Object.keys({ [text]: 0 })[0] as string
}
