// Sets of positive integers as flat lists of closed intervals [lo0, hi0, lo1, hi1, …]: sorted, disjoint, never adjacent. A list is a
// range of an array, told by where it starts and ends, since a set of dots keeps those of all its lives in one. The first interval of a
// healthy clock starts at 1 (the "base"); what is missing before the last hi are its exceptions. Pure: results are written
// into `into` from `at` on, and where they end is returned; nothing is read or kept behind that.

export type Bounds = readonly number[]

/** Where the first interval lies whose hi is ≥ `value`; `end` when there is none. */
export function locate(list: Bounds, start: number, end: number, value: number): number {
  let low = 0
  let high = (end - start) >> 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((list[start + middle * 2 + 1] as number) < value) low = middle + 1
    else high = middle
  }
  return start + low * 2
}

export function contains(list: Bounds, start: number, end: number, value: number): boolean {
  const at = locate(list, start, end, value)
  return at < end && (list[at] as number) <= value
}

/** Whether every value from `lo` to `hi` is in the list; nothing is where lo > hi. */
export function covers(list: Bounds, start: number, end: number, lo: number, hi: number): boolean {
  if (lo > hi) return true
  const at = locate(list, start, end, lo)
  return at < end && (list[at] as number) <= lo && (list[at + 1] as number) >= hi
}

export function appendUnion(
  into: number[],
  at: number,
  a: Bounds,
  aStart: number,
  aEnd: number,
  b: Bounds,
  bStart: number,
  bEnd: number,
): number {
  let last = at
  let i = aStart
  let j = bStart
  while (i < aEnd || j < bEnd) {
    const fromA = j >= bEnd || (i < aEnd && (a[i] as number) <= (b[j] as number))
    const lo = (fromA ? a[i] : b[j]) as number
    const hi = (fromA ? a[i + 1] : b[j + 1]) as number
    if (fromA) i += 2
    else j += 2
    if (last > at && lo <= (into[last - 1] as number) + 1) {
      if (hi > (into[last - 1] as number)) into[last - 1] = hi
    } else {
      into[last++] = lo
      into[last++] = hi
    }
  }
  return last
}

/** a ∖ b */
export function appendDifference(
  into: number[],
  at: number,
  a: Bounds,
  aStart: number,
  aEnd: number,
  b: Bounds,
  bStart: number,
  bEnd: number,
): number {
  let last = at
  let j = bStart
  for (let i = aStart; i < aEnd; i += 2) {
    let lo = a[i] as number
    const hi = a[i + 1] as number
    while (j < bEnd && (b[j + 1] as number) < lo) j += 2
    let k = j
    while (lo <= hi && k < bEnd && (b[k] as number) <= hi) {
      if ((b[k] as number) > lo) {
        into[last++] = lo
        into[last++] = (b[k] as number) - 1
      }
      lo = (b[k + 1] as number) + 1
      k += 2
    }
    if (lo <= hi) {
      into[last++] = lo
      into[last++] = hi
    }
  }
  return last
}

/** Whether every value of a is in b. */
export function isSubset(a: Bounds, aStart: number, aEnd: number, b: Bounds, bStart: number, bEnd: number): boolean {
  for (let i = aStart; i < aEnd; i += 2) if (!covers(b, bStart, bEnd, a[i] as number, a[i + 1] as number)) return false
  return true
}

/** The values of a that are ≤ `limit`. */
export function appendClipped(
  into: number[],
  at: number,
  a: Bounds,
  start: number,
  end: number,
  limit: number,
): number {
  let last = at
  for (let i = start; i < end && (a[i] as number) <= limit; i += 2) {
    const hi = a[i + 1] as number
    into[last++] = a[i] as number
    into[last++] = hi < limit ? hi : limit
  }
  return last
}
