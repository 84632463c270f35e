// What the process that a node runs in says of itself: memory, and how late its event loop is. Decides names and buckets; knows nothing
// of HTTP or Prometheus. Invariant: the delays are only ever added to, so that whoever reads them twice has the time between, whatever
// others read meanwhile.

import { type LatencyFigures, LatencyRecorder } from './latency.ts'

export interface ProcessFigures {
  readonly rssBytes: number
  readonly heapUsedBytes: number
  readonly heapTotalBytes: number
  /** Outside V8's heap, array buffers included. */
  readonly externalBytes: number
  readonly arrayBuffersBytes: number
  /** By how much a timer of `DELAY_SAMPLE_MS` was late each time; without the timer's own time. */
  readonly eventLoopDelaySeconds: LatencyFigures
}

/** As often as `perf_hooks.monitorEventLoopDelay` looks unless told otherwise. */
export const DELAY_SAMPLE_MS = 10

/** Six to each doubling, half a millisecond to eight seconds: a percentile read from them is at most an eighth too high. */
const DELAY_BOUNDS: readonly number[] = Array.from({ length: 6 * 14 + 1 }, (_, index) =>
  Number((0.0005 * 2 ** (index / 6)).toPrecision(4)),
)

export function delayRecorder(): LatencyRecorder {
  return new LatencyRecorder(DELAY_BOUNDS)
}

export function processFigures(memory: NodeJS.MemoryUsage, delays: LatencyFigures): ProcessFigures {
  return {
    rssBytes: memory.rss,
    heapUsedBytes: memory.heapUsed,
    heapTotalBytes: memory.heapTotal,
    externalBytes: memory.external,
    arrayBuffersBytes: memory.arrayBuffers,
    eventLoopDelaySeconds: delays,
  }
}
