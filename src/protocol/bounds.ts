// Walks the raw MessagePack bytes of a frame before anything is decoded: what passes costs no more memory than its own size.
// Knows nothing of frame types. Invariant: only nil, booleans, integers up to 32 bits, float64, valid UTF-8 text, binary and
// arrays get through, none deeper than DEPTH_MAX, and every length lies inside the frame.

import { isUtf8 } from 'node:buffer'
import { QuorateError } from '../errors.ts'

/** What hints may make of one key at a home, in what a client may leave there: the replica sees to it, frames are made for it. */
export const GROWTH_MAX = 4

export const DEPTH_MAX = 8
/** Items of all arrays together; a decoded array slot costs eight bytes. */
const ELEMENTS_MAX = 1_048_576

function malformed(detail: string): QuorateError {
  return new QuorateError('protocol', `malformed frame: ${detail}`)
}

/** Throws `protocol` unless `bytes` is exactly one permitted array. */
export function assertBounded(bytes: Uint8Array): void {
  const end = bytes.length
  const left = new Array<number>(DEPTH_MAX + 1)
  let depth = 0
  left[0] = 1
  let elements = 0
  let at = 0
  for (;;) {
    while (left[depth] === 0) {
      if (depth === 0) {
        if (at !== end) throw malformed('trailing bytes')
        return
      }
      depth--
    }
    left[depth] = (left[depth] as number) - 1
    if (at >= end) throw malformed('truncated')
    const tag = bytes[at++] as number
    let skip = 0
    let items = -1
    let text = false
    if (tag < 0x80 || tag >= 0xe0 || tag === 0xc0 || tag === 0xc2 || tag === 0xc3) skip = 0
    else if (tag >= 0xa0 && tag < 0xc0) {
      skip = tag & 0x1f
      text = true
    } else if (tag >= 0x90 && tag < 0xa0) items = tag & 0x0f
    else {
      const width = LENGTH_WIDTH[tag] as number
      if (width === 0) throw malformed(`type 0x${tag.toString(16)} is not allowed`)
      if (width > 8) skip = width - 8
      else {
        if (at + width > end) throw malformed('truncated')
        let length = 0
        for (let i = 0; i < width; i++) length = length * 256 + (bytes[at++] as number)
        if (tag >= 0xdc) items = length
        else {
          skip = length
          text = tag >= 0xd9
        }
      }
    }
    if (items >= 0) {
      elements += items
      if (items > end - at || elements > ELEMENTS_MAX) throw malformed('array exceeds its bounds')
      if (++depth > DEPTH_MAX) throw malformed('nested too deeply')
      left[depth] = items
      continue
    }
    if (depth === 0) throw malformed('not an array')
    if (skip > end - at) throw malformed('truncated')
    if (text && !validText(bytes, at, at + skip)) throw malformed('text is not UTF-8')
    at += skip
  }
}

// Bytes of length that follow a tag; 8 + n for n bytes of fixed payload; 0 for what is not allowed (maps, extensions,
// float32 and 64-bit integers, which our encoder never writes).
const LENGTH_WIDTH: Uint8Array = new Uint8Array(256)
for (const [tag, width] of [
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4], // bin
  [0xd9, 1],
  [0xda, 2],
  [0xdb, 4], // str
  [0xdc, 2],
  [0xdd, 4], // array
  [0xcc, 9],
  [0xcd, 10],
  [0xce, 12], // uint
  [0xd0, 9],
  [0xd1, 10],
  [0xd2, 12], // int
  [0xcb, 16], // float64
] as const) {
  LENGTH_WIDTH[tag] = width
}

function validText(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if ((bytes[i] as number) >= 0x80) return isUtf8(bytes.subarray(from, to))
  return true
}
