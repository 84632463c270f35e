// Latencies in fixed buckets, cheap enough for every request: an observation is one scan and three additions. Knows nothing of
// Prometheus or HTTP. Invariant: `counts` has one place more than `bounds`, for what is above them all.

/** Seconds, ascending. Loopback reads take fractions of a millisecond, time-outs up to a minute. */
const LATENCY_BOUNDS: readonly number[] = [
  0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60,
]

export interface LatencyFigures {
  readonly bounds: readonly number[]
  /** Not cumulative. */
  readonly counts: readonly number[]
  readonly count: number
  readonly sum: number
}

export class LatencyRecorder implements LatencyFigures {
  readonly bounds: readonly number[]
  readonly counts: number[]
  count = 0
  sum = 0

  constructor(bounds: readonly number[] = LATENCY_BOUNDS) {
    this.bounds = bounds
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  observe(seconds: number): void {
    const { bounds } = this
    let index = 0
    while (index < bounds.length && seconds > (bounds[index] as number)) index++
    this.counts[index] = (this.counts[index] as number) + 1
    this.count++
    this.sum += seconds
  }
}

/** One route's latencies by status class. */
export class RouteLatency {
  readonly method: string
  /** The pattern, never a path: keys must not become labels. */
  readonly route: string
  readonly byClass: Map<string, LatencyRecorder> = new Map()
  readonly #classes: (LatencyRecorder | undefined)[] = []

  constructor(method: string, route: string) {
    this.method = method
    this.route = route
  }

  observe(status: number, milliseconds: number): void {
    const hundreds = Math.floor(status / 100)
    let recorder = this.#classes[hundreds]
    if (recorder === undefined) {
      recorder = new LatencyRecorder()
      this.#classes[hundreds] = recorder
      this.byClass.set(`${hundreds}xx`, recorder)
    }
    recorder.observe(milliseconds / 1000)
  }
}
