// Whether this node's wall clock can be trusted: compares it with every peer's. Decides readiness only; no clock is ever set.
// Invariant: a node whose clock is more than the bound away from most of the peers it hears does not serve.

// A sample's error is half its round trip; slower ones say nothing about clocks.
const ROUND_TRIP_PART = 0.5
const SAMPLE_LIFETIME_MS = 30_000

export class ClockWatch {
  readonly #boundMs: number
  readonly #monotonic: () => number
  readonly #samples = new Map<string, { readonly offsetMs: number; readonly at: number }>()

  constructor(boundMs: number, monotonic: () => number) {
    this.#boundMs = boundMs
    this.#monotonic = monotonic
  }

  sample(member: string, offsetMs: number, rttMs: number): void {
    if (rttMs > this.#boundMs * ROUND_TRIP_PART) return
    this.#samples.set(member, { offsetMs, at: this.#monotonic() })
  }

  /** The greatest offset to any peer heard of late, in milliseconds. */
  get greatestOffsetMs(): number {
    return this.#fresh().reduce((greatest, { offsetMs }) => Math.max(greatest, Math.abs(offsetMs)), 0)
  }

  /** Asked for with every request. */
  get isOff(): boolean {
    const since = this.#monotonic() - SAMPLE_LIFETIME_MS
    let fresh = 0
    let away = 0
    for (const { at, offsetMs } of this.#samples.values()) {
      if (at < since) continue
      fresh++
      if (Math.abs(offsetMs) > this.#boundMs) away++
    }
    return away > 0 && away * 2 > fresh
  }

  #fresh(): { readonly offsetMs: number; readonly at: number }[] {
    const since = this.#monotonic() - SAMPLE_LIFETIME_MS
    return [...this.#samples.values()].filter(({ at }) => at >= since)
  }
}
