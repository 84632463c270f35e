// The flat lists that a set of dots is made of: where they are built, what sets share of them, their bytes and their hash. For each life
// its intervals end, in one list of bounds for all lives, where `ends` says. Knows nothing of what sets do with each other.

import { type ByteReader, type ByteWriter, MalformedBytes } from '../bytes.ts'
import type { WordHash } from '../word-hash.ts'
import { type Life, LIFE_BYTES } from './dot.ts'
import type { Lives } from './lives.ts'

/**
 * Where results are built before their size is known: what is cut from it has its exact size, where an array that grows has room for
 * seventeen numbers and costs twice as much.
 */
export const built: { readonly lives: Life[]; readonly ends: number[]; readonly bounds: number[] } = {
  lives: [],
  ends: [],
  bounds: [],
}

export const NO_ENDS: readonly number[] = []

/** With one interval for each life the ends are 2, 4, 6, … in all sets of so many lives: then one list is enough. */
const evenEnds: (readonly number[])[] = []
const EVEN_ENDS_MAX = 64

/** The first `count` of these, which may go on to change; the last of them is the number of bounds. */
export function sharedEnds(ends: readonly number[], count: number, bounds: number): readonly number[] {
  if (bounds !== 2 * count || count > EVEN_ENDS_MAX) return ends.slice(0, count)
  for (let size = evenEnds.length; size <= count; size++)
    evenEnds.push(Array.from({ length: size }, (_, i) => 2 * i + 2))
  return evenEnds[count] as readonly number[]
}

export function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export function encodeLists(
  writer: ByteWriter,
  lives: Lives,
  ends: readonly number[],
  bounds: readonly number[],
): void {
  writer.varint(lives.length)
  let at = 0
  for (let i = 0; i < lives.length; i++) {
    const end = ends[i] as number
    writer.life(lives[i] as Life)
    writer.varint((end - at) / 2)
    let previous = 0
    for (; at < end; at += 2) {
      const lo = bounds[at] as number
      const hi = bounds[at + 1] as number
      writer.varint(lo - previous - 1)
      writer.varint(hi - lo)
      previous = hi
    }
  }
}

/** Into `built`; returns how many lives. */
export function decodeLists(reader: ByteReader): number {
  const count = reader.count(LIFE_BYTES + 3)
  let last = 0
  for (let i = 0; i < count; i++) {
    const life = reader.life()
    if (i > 0 && life <= (built.lives[i - 1] as Life)) throw new MalformedBytes('lives out of order')
    built.lives[i] = life
    last = decodeIntervals(reader, built.bounds, last)
    built.ends[i] = last
  }
  return count
}

function decodeIntervals(reader: ByteReader, into: number[], at: number): number {
  const count = reader.count(2)
  if (count === 0) throw new MalformedBytes('empty life')
  let last = at
  let previous = 0
  for (let i = 0; i < count; i++) {
    const gap = reader.varint()
    if (i > 0 && gap === 0) throw new MalformedBytes('adjacent intervals')
    const lo = previous + gap + 1
    const hi = lo + reader.varint()
    if (!Number.isSafeInteger(hi)) throw new MalformedBytes('counter too large')
    into[last++] = lo
    into[last++] = hi
    previous = hi
  }
  return last
}

export function hashLists(hash: WordHash, lives: Lives, ends: readonly number[], bounds: readonly number[]): void {
  hash.add(lives.length, bounds.length)
  for (const life of lives) hash.addLife(life)
  // With one interval each it is clear where those of a life end.
  if (bounds.length !== 2 * lives.length) for (const end of ends) hash.add(end, 0)
  for (let i = 0; i < bounds.length; i += 2) hash.addNumbers(bounds[i] as number, bounds[i + 1] as number)
}
