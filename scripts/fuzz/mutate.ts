// Changes bytes that were valid, or nearly so: bits, ranges, lengths, splices of two. Knows nothing of formats. Invariant: the input is
// left as it is, and the result is at most `bytesMax` long.

import { leb } from './ink.ts'
import type { Dice } from './dice.ts'

export const bytesMax: number = 1 << 17

const EDGES = [0, 1, 2, 0x0f, 0x10, 0x1f, 0x20, 0x7f, 0x80, 0x90, 0xc0, 0xc4, 0xdc, 0xfe, 0xff]
const LARGE = [127, 128, 255, 256, 65_535, 65_536, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 53 - 1]

export function mutated(bytes: Buffer, other: Buffer, dice: Dice): Buffer {
  let result = bytes
  for (let left = 1 + (dice.chance(0.5) ? 0 : dice.below(4)); left > 0; left--) result = once(result, other, dice)
  return result.length > bytesMax ? result.subarray(0, bytesMax) : result
}

function once(bytes: Buffer, other: Buffer, dice: Dice): Buffer {
  const at = dice.below(bytes.length + 1)
  const to = Math.min(bytes.length, at + 1 + (dice.chance(0.7) ? dice.below(8) : dice.below(bytes.length + 1)))
  const range = bytes.subarray(at, to)
  const replaced = (...middle: Uint8Array[]): Buffer =>
    Buffer.concat([bytes.subarray(0, at), ...middle, bytes.subarray(to)])
  const inserted = (...middle: Uint8Array[]): Buffer =>
    Buffer.concat([bytes.subarray(0, at), ...middle, bytes.subarray(at)])
  switch (dice.below(14)) {
    case 0:
    case 1:
      return changed(bytes, dice, (byte) => byte ^ (1 << dice.below(8)))
    case 2:
      return changed(bytes, dice, () => dice.pick(EDGES))
    case 3:
      return changed(bytes, dice, (byte) => byte + (dice.chance(0.5) ? 1 : -1))
    case 4:
      return bytes.subarray(0, at)
    case 5:
      return replaced()
    case 6:
      return inserted(range)
    case 7: {
      // Often enough to make a structure of many parts, now and then of very many.
      const times = dice.chance(0.05) ? dice.below(4000) : dice.below(20)
      const copies = Math.min(times, Math.floor(bytesMax / (range.length + 1)))
      return inserted(...Array.from({ length: copies }, () => range))
    }
    case 8:
      return inserted(Buffer.from(leb(dice.pick(LARGE))))
    case 9: {
      const number = Buffer.alloc(4)
      const value = Math.min(dice.pick(LARGE), 0xffffffff)
      if (dice.chance(0.5)) number.writeUInt32BE(value)
      else number.writeUInt32LE(value)
      return dice.chance(0.5) ? inserted(number) : replaced(number)
    }
    case 10: {
      const from = dice.below(other.length + 1)
      return replaced(other.subarray(from, from + dice.below(64)))
    }
    case 11:
      return Buffer.concat([bytes.subarray(0, at), other.subarray(dice.below(other.length + 1))])
    case 12:
      return replaced(range.toReversed())
    default:
      return inserted(Buffer.from(Array.from({ length: 1 + dice.below(4) }, () => dice.below(256))))
  }
}

function changed(bytes: Buffer, dice: Dice, change: (byte: number) => number): Buffer {
  if (bytes.length === 0) return bytes
  const result = Buffer.from(bytes)
  const at = dice.below(result.length)
  result[at] = change(result[at] as number)
  return result
}
