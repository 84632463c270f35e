// Gives memory back after work: once the process is quiet, what requests left on the heap is collected and free pages go to the system,
// which the engine alone does only under pressure. Knows nothing of nodes; a process is quiet when it uses little CPU.
// Invariant: at most one collection after each stretch of work, so a process that does little is left alone.

import { collectGarbage } from './engine-flags.ts'

/** Looked at so often. */
const WATCH_MS = 1000
/** Quiet: less than this part of a core since the last look. */
const QUIET_SHARE = 0.1
/**
 * So many looks in a row. Not sooner: a full collection of a process in which no request is under way also lets go of what compiled code
 * stands on, and the next second of work is slower by half.
 */
const QUIET_LOOKS = 15
/** Work that leaves enough behind to be worth a collection, in CPU time while it was not quiet. */
const WORK_MS_MIN = 2000

export function collectWhenQuiet(): { stop(): void } {
  let last = process.cpuUsage()
  let workMs = 0
  let quietLooks = 0
  const timer = setInterval(() => {
    const now = process.cpuUsage()
    const usedMs = (now.user - last.user + now.system - last.system) / 1000
    last = now
    const isQuiet = usedMs <= QUIET_SHARE * WATCH_MS
    quietLooks = isQuiet ? quietLooks + 1 : 0
    if (!isQuiet) workMs += usedMs
    else if (quietLooks >= QUIET_LOOKS && workMs >= WORK_MS_MIN) {
      workMs = 0
      collectGarbage()
      last = process.cpuUsage()
    }
  }, WATCH_MS)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}
