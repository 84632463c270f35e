// Time as a node sees it. The one source of "now" and of waiting; system time in production, virtual time in the simulator.
// Invariant: callbacks run one at a time on the node's own event loop, never before their time.

/** A pending callback. `cancel` is idempotent; after it the callback never runs. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Wall time in milliseconds since the epoch (fractions allowed). May jump and drift. */
  now(): number
  /** Milliseconds since some fixed point; never goes back, unaffected by wall-clock jumps. Use it for deadlines and intervals. */
  monotonic(): number
  /** Runs `callback` once, `delayMs` of monotonic time from now. */
  after(delayMs: number, callback: () => void): Timer
}

/** Resolves after `delayMs`, or at once when `signal` aborts (also then resolved, not rejected). */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.after(delayMs, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}
