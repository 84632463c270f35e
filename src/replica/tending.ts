// What is left of a record when nothing else happens to it: it shrinks as far as all homes know, and what is spent goes. Pure. Invariant:
// it decides nothing; what may go is `core/causality`'s.

import { withoutTwins } from '../core/causality/attempts.ts'
import type { DotSet } from '../core/causality/dot-set.ts'
import { msFromHybrid } from '../core/causality/hybrid-clock.ts'
import { collect, type KeyRecord, strip } from '../core/causality/record.ts'
import type { Version } from '../core/causality/version.ts'

export interface Tended {
  /** Versions taken away. */
  readonly collected: number
  /** Something is left to do as soon as more is stable. */
  readonly isWaiting: boolean
  /** When there is more to do, to be compared with `spentBeforeMs`: a deadline, the end of a dead tag's window; or Infinity. */
  readonly againAtMs: number
}

/**
 * `stable`: dots that every home has reported. What is spent: deletions, and writes whose deadline was before `spentBeforeMs`. `next` is
 * the same record when nothing changes, null when nothing is left.
 */
export function tendRecord(
  record: KeyRecord,
  clock: DotSet,
  stable: DotSet,
  spentBeforeMs: number,
  forgetTagsBeforeMs: number,
): Tended & { readonly next: KeyRecord | null } {
  const isSpent = (v: Version): boolean => v.content === null || (v.deadlineMs !== null && v.deadlineMs < spentBeforeMs)
  const kept = collect(record, clock, stable, isSpent)
  const next = kept && strip(kept, clock, stable, forgetTagsBeforeMs)
  const collected = record.versions.length - (next?.versions.length ?? 0)
  if (next === null) return { next, collected, isWaiting: false, againAtMs: Infinity }
  const writes = withoutTwins(next.versions)
  const times = [
    ...writes.map((v) => v.deadlineMs ?? Infinity),
    // On the same scale: when it is past, the tag's window is over.
    ...next.deadTags.map(({ stamp }) => msFromHybrid(stamp) + spentBeforeMs - forgetTagsBeforeMs),
  ]
  const ahead = times.filter((timeMs) => timeMs >= spentBeforeMs)
  const isClean = next.span === null && next.past.isEmpty && !writes.some(isSpent)
  return { next, collected, isWaiting: !isClean || ahead.length < times.length, againAtMs: Math.min(...ahead) }
}
