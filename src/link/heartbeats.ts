// Heartbeats on one open link: says them, measures round trip and clock offset by the peer's echoes, and tells when nothing was heard
// for too long. Knows nothing of connections. Invariant: this process's own standing still is never taken for the peer's silence.

import type { Timer } from '../ports/clock.ts'
import type { HeartbeatFrame } from '../protocol/messages.ts'
import type { LinkEnvironment } from './settings.ts'

export class Heartbeats {
  /** When anything was last heard of the peer, in monotonic time. */
  heardAt: number
  rttMs: number | null = null
  offsetMs: number | null = null
  readonly #environment: LinkEnvironment
  readonly #say: (frame: HeartbeatFrame) => void
  readonly #silent: () => void
  readonly #paused: () => boolean
  #checkedAt = 0
  #timer: Timer | null = null

  /** `paused`: this side does not read at present. */
  constructor(
    environment: LinkEnvironment,
    say: (frame: HeartbeatFrame) => void,
    silent: () => void,
    paused: () => boolean,
  ) {
    this.#environment = environment
    this.#say = say
    this.#silent = silent
    this.#paused = paused
    this.heardAt = environment.clock.monotonic()
  }

  start(): void {
    const { clock, settings } = this.#environment
    this.#checkedAt = clock.monotonic()
    this.#timer = clock.after(settings.heartbeatMs, () => this.#tick())
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** Says one; `echo` is what the peer's said of its sending. */
  beat(echo: number | null): void {
    const { clock, hooks } = this.#environment
    const digests = hooks.digests()
    this.#say({
      type: 'heartbeat',
      sentAt: clock.monotonic(),
      echo,
      wall: clock.now(),
      time: hooks.hybridTime(),
      membersDigest: digests.members,
      settingsDigest: digests.settings,
    })
  }

  hear(frame: HeartbeatFrame, name: string): void {
    const { hooks, clock, settings } = this.#environment
    if (frame.echo === null) this.beat(frame.sentAt)
    else {
      const rttMs = clock.monotonic() - frame.echo
      // An echo of something never sent would be a negative or absurd round trip.
      if (rttMs >= 0 && rttMs <= settings.failureTimeoutMs * 2) {
        this.rttMs = rttMs
        this.offsetMs = frame.wall - (clock.now() - rttMs / 2)
        hooks.onClockSample(name, this.offsetMs, rttMs)
      }
    }
    hooks.onHeartbeatDigests(name, frame.membersDigest, frame.settingsDigest)
  }

  #tick(): void {
    const { clock, settings } = this.#environment
    const now = clock.monotonic()
    // This process stood still: what the peer said meanwhile lies unread, so give it one more beat.
    const stalledMs = now - this.#checkedAt - settings.heartbeatMs
    if (stalledMs > settings.heartbeatMs)
      this.heardAt = Math.max(this.heardAt, now - settings.failureTimeoutMs + settings.heartbeatMs)
    // Not reading is our own choice, no silence of the peer's.
    if (this.#paused()) this.heardAt = now
    this.#checkedAt = now
    if (now - this.heardAt >= settings.failureTimeoutMs) return this.#silent()
    this.beat(null)
    const silentInMs = this.heardAt + settings.failureTimeoutMs - now
    this.#timer = clock.after(Math.min(settings.heartbeatMs, Math.max(1, silentInMs)), () => this.#tick())
  }
}
