// Sets of positive integers as flat lists of closed intervals [lo0, hi0, lo1, hi1, …]: sorted, disjoint, never adjacent.
// The first interval of a healthy clock starts at 1 (the "base"); what is missing before the last hi are its exceptions.
// Pure; inputs are never changed except by `insert`.

export type Intervals = readonly number[]

/** Index of the first interval (its position in the flat list) whose hi is ≥ `value`; `list.length` when there is none. */
function locate(list: Intervals, value: number): number {
  let low = 0
  let high = list.length >> 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((list[middle * 2 + 1] as number) < value) low = middle + 1
    else high = middle
  }
  return low * 2
}

export function contains(list: Intervals, value: number): boolean {
  const at = locate(list, value)
  return at < list.length && (list[at] as number) <= value
}

/** Adds one value in place. Returns whether it was new. O(log n) where it extends an interval, as in-order arrivals do. */
export function insert(list: number[], value: number): boolean {
  const at = locate(list, value)
  if (at < list.length && (list[at] as number) <= value) return false
  const touchesPrevious = at > 0 && list[at - 1] === value - 1
  const touchesNext = at < list.length && list[at] === value + 1
  if (touchesPrevious && touchesNext) list.splice(at - 1, 2)
  else if (touchesPrevious) list[at - 1] = value
  else if (touchesNext) list[at] = value
  else list.splice(at, 0, value, value)
  return true
}

export function union(a: Intervals, b: Intervals): number[] {
  const result: number[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const fromA = j >= b.length || (i < a.length && (a[i] as number) <= (b[j] as number))
    const lo = (fromA ? a[i] : b[j]) as number
    const hi = (fromA ? a[i + 1] : b[j + 1]) as number
    if (fromA) i += 2
    else j += 2
    const last = result.length - 1
    if (last > 0 && lo <= (result[last] as number) + 1) {
      if (hi > (result[last] as number)) result[last] = hi
    } else {
      result.push(lo, hi)
    }
  }
  return result
}

/** a ∖ b */
export function subtract(a: Intervals, b: Intervals): number[] {
  const result: number[] = []
  let j = 0
  for (let i = 0; i < a.length; i += 2) {
    let lo = a[i] as number
    const hi = a[i + 1] as number
    while (j < b.length && (b[j + 1] as number) < lo) j += 2
    let k = j
    while (lo <= hi && k < b.length && (b[k] as number) <= hi) {
      if ((b[k] as number) > lo) result.push(lo, (b[k] as number) - 1)
      lo = (b[k + 1] as number) + 1
      k += 2
    }
    if (lo <= hi) result.push(lo, hi)
  }
  return result
}

/** Whether every value of a is in b. */
export function isSubset(a: Intervals, b: Intervals): boolean {
  for (let i = 0; i < a.length; i += 2) {
    const at = locate(b, a[i] as number)
    if (at >= b.length || (b[at] as number) > (a[i] as number) || (b[at + 1] as number) < (a[i + 1] as number))
      return false
  }
  return true
}

/** The values of a that are ≤ `limit`. */
export function clip(a: Intervals, limit: number): number[] {
  const result: number[] = []
  for (let i = 0; i < a.length && (a[i] as number) <= limit; i += 2) {
    result.push(a[i] as number, Math.min(a[i + 1] as number, limit))
  }
  return result
}

export function equal(a: Intervals, b: Intervals): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index])
}
