// Lists of lives in order, as sets of dots and spans have them. In a cluster a few lists are those of nearly all sets, so equal lists
// are made one object where that is cheap: then most comparisons are of two references, and thousands of clocks share one list.
// Invariant: lists are never changed in place.

import type { Life } from './dot.ts'

/** Ascending, each once. */
export type Lives = readonly Life[]

export const NO_LIVES: Lives = []

/** Up to so many lives looking at one after the other is faster than halving. */
const FEW = 8

/** Of each length the list that was last asked for. */
const recent: Lives[] = [NO_LIVES]
const RECENT_MAX = 64

/** A list of the first `count` of these, which may go on to change. */
export function sharedLives(lives: Lives, count: number): Lives {
  if (count > RECENT_MAX) return lives.slice(0, count)
  const known = recent[count]
  if (known !== undefined && known.length === count && isPrefix(known, lives)) return known
  const made = lives.slice(0, count)
  for (let length = recent.length; length < count; length++) recent.push(NO_LIVES)
  recent[count] = made
  return made
}

function isPrefix(prefix: Lives, lives: Lives): boolean {
  for (let i = 0; i < prefix.length; i++) if (prefix[i] !== lives[i]) return false
  return true
}

export function sameLives(a: Lives, b: Lives): boolean {
  return a === b || (a.length === b.length && isPrefix(a, b))
}

/** Where the life is; where it is not, the complement of where it would be inserted. */
export function placeOf(lives: Lives, life: Life): number {
  if (lives.length <= FEW) {
    for (let i = 0; i < lives.length; i++) if (lives[i] === life) return i
  }
  let low = 0
  let high = lives.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((lives[middle] as Life) < life) low = middle + 1
    else high = middle
  }
  return lives[low] === life ? low : ~low
}

/** Where the life is at `from` or behind; negative: nowhere there. For walks along two lists in order. */
export function placeFrom(lives: Lives, from: number, life: Life): number {
  if (lives[from] === life) return from
  if (lives.length > FEW) return placeOf(lives, life)
  for (let i = from + 1; i < lives.length; i++) if (lives[i] === life) return i
  return -1
}
