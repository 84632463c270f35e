// Whether a member can be taken to be there, from when it was last heard: like a listener who knows how often a friend
// usually calls, and grows doubtful a while after a call is overdue. Knows nothing of links; `now` is passed in.
// Invariant: constant memory a member; it never says reachable of one that was silent for `timeoutMaxMs`.
//
// In the spirit of Hayashibara, Défago, Yared, Katayama, The φ Accrual Failure Detector, SRDS 2004: how long a silence
// is suspicious follows from the arrivals observed, mean + k · deviation. Both are exponentially weighted, as the round
// trip is in RFC 6298, so no window of samples is kept; a configured floor and ceiling bound what the estimate may say.

export type Liveness = 'reachable' | 'suspect' | 'unreachable'

export interface FailureDetectorSettings {
  /** How often a member says something when it has nothing else to say. */
  readonly heartbeatMs: number
  /** Silence that makes a member unreachable on a steady network. */
  readonly timeoutMs: number
  /** The longest silence that an unsteady network may excuse. Default: 4 · timeoutMs. */
  readonly timeoutMaxMs?: number
  /** k: deviations beyond the mean. Default: 6. */
  readonly deviations?: number
}

interface Arrivals {
  lastAt: number
  meanMs: number
  deviationMs: number
  /** The link broke: silence need not be awaited. */
  lost: boolean
}

// RFC 6298's gains: the mean moves by an eighth of the surprise, the deviation by a quarter.
const MEAN_GAIN = 1 / 8
const DEVIATION_GAIN = 1 / 4

export class FailureDetector {
  readonly #heartbeatMs: number
  readonly #timeoutMs: number
  readonly #timeoutMaxMs: number
  readonly #deviations: number
  readonly #arrivals = new Map<string, Arrivals>()

  constructor(settings: FailureDetectorSettings) {
    this.#heartbeatMs = settings.heartbeatMs
    this.#timeoutMs = settings.timeoutMs
    this.#timeoutMaxMs = settings.timeoutMaxMs ?? 4 * settings.timeoutMs
    this.#deviations = settings.deviations ?? 6
  }

  /** Anything at all came from the member. `now` is monotonic milliseconds. */
  heard(member: string, now: number): void {
    const known = this.#arrivals.get(member)
    if (known === undefined) {
      this.#arrivals.set(member, { lastAt: now, meanMs: this.#heartbeatMs, deviationMs: 0, lost: false })
      return
    }
    const interval = now - known.lastAt
    if (interval < 0) return
    // An outage says nothing of the usual rhythm, and traffic between heartbeats would only make the detector nervous.
    if (!known.lost && interval >= this.#heartbeatMs / 2 && interval <= this.#timeoutMaxMs) {
      const surprise = interval - known.meanMs
      known.deviationMs += DEVIATION_GAIN * (Math.abs(surprise) - known.deviationMs)
      known.meanMs += MEAN_GAIN * surprise
    }
    known.lastAt = now
    known.lost = false
  }

  /** The last link to the member closed: unreachable until it is heard again. */
  lost(member: string): void {
    const known = this.#arrivals.get(member)
    if (known !== undefined) known.lost = true
  }

  /** It is no member any more. */
  forget(member: string): void {
    this.#arrivals.delete(member)
  }

  /** A member that was never heard is unreachable. */
  livenessOf(member: string, now: number): Liveness {
    const known = this.#arrivals.get(member)
    if (known === undefined || known.lost) return 'unreachable'
    const silence = now - known.lastAt
    if (silence >= this.#unreachableAfter(known)) return 'unreachable'
    return silence >= this.#suspectAfter(known) ? 'suspect' : 'reachable'
  }

  lastHeardAt(member: string): number | null {
    return this.#arrivals.get(member)?.lastAt ?? null
  }

  /**
   * When `livenessOf` would next change if nothing more were heard; null where it will not. For one timer instead of
   * polling.
   */
  changesAt(member: string, now: number): number | null {
    const known = this.#arrivals.get(member)
    if (known === undefined || known.lost) return null
    const due = [this.#suspectAfter(known), this.#unreachableAfter(known)].map((silence) => known.lastAt + silence)
    return due.find((at) => at > now) ?? null
  }

  /** Overdue by the usual rhythm, but one lost heartbeat is no reason, and unreachable comes later. */
  #suspectAfter(known: Arrivals): number {
    const usual = known.meanMs + this.#deviations * known.deviationMs
    return Math.min(Math.max(usual, 2 * this.#heartbeatMs), this.#unreachableAfter(known))
  }

  /** The configured time-out, with the margin by which this member is usually late. */
  #unreachableAfter(known: Arrivals): number {
    const late = Math.max(0, known.meanMs - this.#heartbeatMs) + this.#deviations * known.deviationMs
    return Math.min(this.#timeoutMs + late, Math.max(this.#timeoutMaxMs, this.#timeoutMs))
  }
}
