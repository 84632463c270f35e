// Freshness as the guarantee says it, without anything clever: each strict read against every single strict operation that had ended when
// it began. No running join, no search from a missing write to whoever took its place; whatever is included is written out as a set.
// Knows only what a client could know.

import { formatDot } from '../../../src/core/causality/dot.ts'
import type { DotSet } from '../../../src/core/causality/dot-set.ts'
import type { KeyHistory, WriteRecord } from '../../../src/simulator/history.ts'
import type { ObservedRead, ObservedWrite } from '../../../src/simulator/observed.ts'

export type Operation =
  | { readonly type: 'read'; readonly observed: ObservedRead }
  | { readonly type: 'write'; readonly observed: ObservedWrite }

export interface Verdict {
  /** Ids of writes that the read had to include and does not. */
  readonly missing: readonly string[]
  /** Ids of writes that it shows though something that it had to include had seen them. */
  readonly risen: readonly string[]
}

/** `slackMs`: how wrong clocks may be when something expires. Siblings only, and each write has one attempt. */
export function freshnessOf(
  key: KeyHistory,
  read: ObservedRead,
  operations: readonly Operation[],
  slackMs: number,
): Verdict {
  const included = everythingIn(key, read, slackMs)
  const missing = new Set<string>()
  const risen = new Set<string>()
  for (const operation of operations) {
    if (!isStrict(operation) || operation.observed.endedAt > read.startedAt) continue
    for (const write of key.writes) {
      if (!tells(operation, write)) continue
      const isOver = write.kind === 'delete' || isExpired(write, read.endedAt, slackMs)
      if (!isOver && !included.has(write)) missing.add(write.id)
      for (const shown of shownBy(key, read)) if (hadSeen(write, shown)) risen.add(shown.id)
    }
  }
  return { missing: [...missing].sort(), risen: [...risen].sort() }
}

function isStrict({ observed }: Operation): boolean {
  return observed.outcome.receipt.guarantee === 'strict'
}

/** Whether who got this answer knows that the write was applied. */
function tells(operation: Operation, write: WriteRecord): boolean {
  if (operation.type === 'write') {
    const { write: own } = operation.observed
    return own !== null && (own === write || hadSeen(own, write))
  }
  const { outcome, options } = operation.observed
  if (outcome.type === 'found' && outcome.versions.some(({ dot }) => isDotOf(write, dot))) return true
  // The answer's context may have come from the asking client itself.
  if (options.context || !outcome.context) return false
  return anyOf(write, outcome.context.seen)
}

/** What the answer shows or has seen, all that came to an end by itself, and all that any of these had seen, however far down. */
export function everythingIn(key: KeyHistory, read: ObservedRead, slackMs: number): Set<WriteRecord> {
  const shown = shownBy(key, read)
  const seen = read.outcome.context?.seen
  const wasSent = (write: WriteRecord): boolean =>
    write.attempts.size > 0 && write.fate !== 'void' && write.startedAt <= read.endedAt
  const tops = key.writes.filter(
    (write) =>
      wasSent(write) &&
      (shown.includes(write) ||
        (seen !== undefined && anyOf(write, seen)) ||
        write.kind === 'delete' ||
        isExpired(write, read.endedAt, slackMs)),
  )
  const below = new Set<WriteRecord>()
  const take = (by: WriteRecord): void => {
    for (const write of key.writes) {
      if (below.has(write) || !hadSeen(by, write)) continue
      below.add(write)
      if (wasSent(write)) take(write)
    }
  }
  for (const top of tops) take(top)
  for (const write of shown) below.add(write)
  return below
}

export function shownBy(key: KeyHistory, { outcome }: ObservedRead): WriteRecord[] {
  if (outcome.type !== 'found') return []
  return key.writes.filter((write) => outcome.versions.some(({ dot }) => isDotOf(write, dot)))
}

function isExpired(write: WriteRecord, at: number, slackMs: number): boolean {
  return write.ttlMs !== null && at >= write.startedAt + write.ttlMs - slackMs
}

export function hadSeen(by: WriteRecord, write: WriteRecord): boolean {
  return by !== write && [...by.attempts.values()].some(({ seen }) => anyOf(write, seen))
}

function anyOf(write: WriteRecord, set: DotSet): boolean {
  return write.dots.some((dot) => set.has(dot))
}

function isDotOf(write: WriteRecord, dot: WriteRecord['dots'][number]): boolean {
  return write.attempts.has(formatDot(dot))
}
