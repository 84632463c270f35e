// The operating system's time and timers behind the Clock port, and the end of a turn of the event loop. Decides nothing.

import type { Clock, Timer } from '../ports/clock.ts'

/** setTimeout fires at once beyond this. */
const TIMEOUT_MAX_MS = 0x7fffffff

export class SystemClock implements Clock {
  now(): number {
    return Date.now()
  }

  monotonic(): number {
    return performance.now()
  }

  after(delayMs: number, callback: () => void): Timer {
    const due = performance.now() + Math.max(0, delayMs)
    let handle: NodeJS.Timeout
    const arm = (leftMs: number): void => {
      handle = setTimeout(
        () => {
          // Node's timers have whole milliseconds and may fire a fraction early.
          const left = due - performance.now()
          if (left > 0) arm(left)
          else callback()
        },
        Math.min(TIMEOUT_MAX_MS, Math.ceil(leftMs)),
      )
    }
    arm(delayMs)
    return {
      cancel() {
        clearTimeout(handle)
      },
    }
  }
}

let waiting: (() => void)[] = []

function flushAll(): void {
  const flushes = waiting
  waiting = []
  for (const flush of flushes) flush()
}

/** Runs `flush` once what is at hand in this turn of the event loop was handled: links gather their frames until then. */
export function endOfTurn(flush: () => void): void {
  if (waiting.push(flush) === 1) setImmediate(flushAll)
}
