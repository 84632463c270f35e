// Gives memory back after work: once the process is quiet, what requests left on the heap is collected and free pages go to the system,
// which the engine alone does only under pressure. Knows nothing of nodes; a process is quiet when it uses little CPU.
// Invariant: at most one collection after each stretch of work, so a process that does little is left alone.

import { collectGarbage } from './engine-flags.ts'

/** Looked at so often. */
const WATCH_MS = 1000
/** Quiet: less than this part of a core since the last look. */
const QUIET_SHARE = 0.1
/** Work that leaves enough behind to be worth a collection, in CPU time while it was not quiet. */
const WORK_MS_MIN = 2000

export function collectWhenQuiet(): { stop(): void } {
  let last = process.cpuUsage()
  let workMs = 0
  const timer = setInterval(() => {
    const now = process.cpuUsage()
    const usedMs = (now.user - last.user + now.system - last.system) / 1000
    last = now
    if (usedMs > QUIET_SHARE * WATCH_MS) workMs += usedMs
    else if (workMs >= WORK_MS_MIN) {
      workMs = 0
      collectGarbage()
      last = process.cpuUsage()
    }
  }, WATCH_MS)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}
