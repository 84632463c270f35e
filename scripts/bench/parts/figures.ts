// Figures of figures: medians, windows of a histogram that only grows, how straight a line is. Pure; prints nothing.

import type { LatencyFigures } from '../../../src/telemetry/latency.ts'

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** What came between two readings of one histogram. */
export function windowOf(before: LatencyFigures, after: LatencyFigures): LatencyFigures {
  if (before.bounds.length !== after.bounds.length) throw new Error('two different histograms')
  return {
    bounds: after.bounds,
    counts: after.counts.map((count, index) => count - (before.counts[index] ?? 0)),
    count: after.count - before.count,
    sum: after.sum - before.sum,
  }
}

/** The upper bound of the bucket that holds it: never less than it was. Seconds; Infinity beyond the last bound, NaN of nothing. */
export function percentileOf({ bounds, counts, count }: LatencyFigures, percentile: number): number {
  if (count === 0) return Number.NaN
  const rank = Math.max(1, Math.ceil((count * percentile) / 100))
  let seen = 0
  for (const [index, inBucket] of counts.entries()) {
    seen += inBucket
    if (seen >= rank) return bounds[index] ?? Number.POSITIVE_INFINITY
  }
  return Number.POSITIVE_INFINITY
}

export interface Line {
  readonly slope: number
  readonly offset: number
  /** Largest distance of a point from the line, as a part of the greatest y. */
  readonly deviation: number
}

/** Least squares. */
export function lineThrough(points: readonly (readonly [number, number])[]): Line {
  const { length } = points
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / length
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / length
  let [over, under] = [0, 0]
  for (const [x, y] of points) {
    over += (x - meanX) * (y - meanY)
    under += (x - meanX) ** 2
  }
  const slope = over / under
  const offset = meanY - slope * meanX
  const greatest = Math.max(...points.map(([, y]) => Math.abs(y)))
  const farthest = Math.max(...points.map(([x, y]) => Math.abs(y - (offset + slope * x))))
  return { slope, offset, deviation: farthest / greatest }
}

/** The event loop's delays in the answer of /v1/stats. */
export function delaysOf(stats: unknown): LatencyFigures {
  const { process } = (stats ?? {}) as { readonly process?: { readonly eventLoopDelaySeconds?: LatencyFigures } }
  const delays = process?.eventLoopDelaySeconds
  if (delays === undefined) throw new Error('/v1/stats does not say how late the event loop was')
  return delays
}
