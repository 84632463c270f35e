// Waits for conditions of real processes. Invariant: never waits a fixed time for something to have happened.

import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 50

/** `what` says, when it is asked for, what was waited for and how far it came. */
export async function until(
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
  withinMs: number,
  pollMs: number = POLL_MS,
): Promise<void> {
  const giveUpAt = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > giveUpAt) {
      throw new Error(`not within ${withinMs} ms: ${typeof what === 'string' ? what : what()}`)
    }
    await delay(pollMs)
  }
}

/** Resolves with what came, or with null when it did not come in time. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  const abort = new AbortController()
  const tooLate = delay(ms, null, { signal: abort.signal }).catch(() => null)
  try {
    return await Promise.race([promise, tooLate])
  } finally {
    abort.abort()
  }
}
