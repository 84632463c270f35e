// The one question behind most checkers: an answer that must include all of a set of dots, does it? A value that the set includes is
// shown, or a write that had seen it stands behind its absence; and nothing is shown that the set knows to be superseded. Pure.

import type { DotSet } from '../../core/causality/dot-set.ts'
import { type Dot, formatDot } from '../../core/causality/dot.ts'
import type { Version } from '../../core/causality/version.ts'
import type { KeyHistory, WriteRecord } from '../history.ts'

export interface Answer {
  readonly versions: readonly Version[]
  /** Null: the answer said that nothing is known. */
  readonly seen: DotSet | null
  readonly startedAt: number
  readonly endedAt: number
}

export interface Judgement {
  /** Included, not shown, and nobody who could have superseded it is behind the answer. */
  readonly missing: readonly WriteRecord[]
  /** Shown, though `by` had superseded it and is included. */
  readonly risen: readonly { readonly version: Version; readonly write: WriteRecord; readonly by: WriteRecord }[]
}

/**
 * `slackMs`: how wrong clocks may be when something expires. `told`: writes of the join that were themselves acknowledged or shown, and
 * not only named by a later one's context: whoever holds such a write knows which idempotent writes died with it, whatever their attempt.
 */
export function judge(
  key: KeyHistory,
  join: DotSet,
  answer: Answer,
  slackMs: number,
  told: DotSet | null = null,
): Judgement {
  const shown = new Set(answer.versions.map((version) => key.writeOf(version)))
  const missing = key.writes.filter(
    (write) =>
      write.kind === 'put' &&
      !shown.has(write) &&
      write.isIn(join) &&
      !mayBeExpired(write, answer.endedAt, slackMs) &&
      !isExplained(key, write, answer, shown, slackMs, new Set()),
  )
  const isSpent = (other: WriteRecord): boolean =>
    other.kind === 'delete' || mayBeExpired(other, answer.endedAt, slackMs)
  const risen: { version: Version; write: WriteRecord; by: WriteRecord }[] = []
  for (const version of answer.versions) {
    const write = key.writeOf(version)
    if (!write) continue
    // Whatever ended it may be collected before anybody is told.
    const mayHaveBeen = (by: WriteRecord): boolean =>
      by.fate !== 'void' && by.attempts.size > 0 && by.startedAt <= answer.endedAt
    const isGone = (other: WriteRecord): boolean => hasLeft(key, other, mayHaveBeen, isSpent)
    const by = key.writes.find(
      (other) => other.isIn(join) && supersedes(key, other, write, version, { join, told, isGone }),
    )
    if (by) risen.push({ version, write, by })
  }
  return { missing, risen }
}

function mayBeExpired(write: WriteRecord, at: number, slackMs: number): boolean {
  return write.ttlMs !== null && at >= write.startedAt + write.ttlMs - slackMs
}

/** Some later write, applied as far as the answer shows, took its place; or took the place of one that did. */
function isExplained(
  key: KeyHistory,
  write: WriteRecord,
  answer: Answer,
  shown: ReadonlySet<WriteRecord | null>,
  slackMs: number,
  visited: Set<WriteRecord>,
): boolean {
  visited.add(write)
  // From the last one back: most writes were superseded by a recent one.
  for (let at = key.writes.length - 1; at >= 0; at--) {
    const other = key.writes[at] as WriteRecord
    if (visited.has(other) || other.fate === 'void' || other.attempts.size === 0 || other.startedAt > answer.endedAt)
      continue
    if (!takesPlaceOf(key, other, write)) continue
    if (shown.has(other) || (answer.seen && other.isIn(answer.seen))) return true
    // Spent versions are collected: then nothing is left that would name them.
    if (other.kind === 'delete' || mayBeExpired(other, answer.endedAt, slackMs)) return true
    if (isExplained(key, other, answer, shown, slackMs, visited)) return true
  }
  return false
}

function takesPlaceOf(key: KeyHistory, other: WriteRecord, write: WriteRecord): boolean {
  if (other.covers(write)) return true
  if (key.conflict === 'siblings') return false
  return other.stamp >= write.leastStamp
}

/** Where the last writer wins: something greater, whoever knew of it, may be gone without having met this one. */
export function comesLate(key: KeyHistory, { dot, stamp }: Pick<Version, 'dot' | 'stamp'>): boolean {
  if (key.conflict !== 'lww' || key.strict.has(dot)) return false
  const isSpent = ({ kind, ttlMs }: WriteRecord): boolean => kind === 'delete' || ttlMs !== null
  const wasSent = ({ fate }: WriteRecord): boolean => fate !== 'void'
  return key.writes.some(
    (other) =>
      wasSent(other) &&
      [...other.attempts.values()].some((attempt) => attempt.stamp > stamp) &&
      hasLeft(key, other, wasSent, isSpent),
  )
}

interface Grounds {
  readonly join: DotSet
  readonly told: DotSet | null
  /** It, or what superseded it, was deleted or has expired, and is perhaps collected. */
  readonly isGone: (write: WriteRecord) => boolean
}

function hasLeft(
  key: KeyHistory,
  write: WriteRecord,
  counts: (by: WriteRecord) => boolean,
  isSpent: (write: WriteRecord) => boolean,
): boolean {
  return isSpent(write) || key.writes.some((by) => isSpent(by) && counts(by) && takesPlaceOf(key, by, write))
}

function supersedes(
  key: KeyHistory,
  other: WriteRecord,
  write: WriteRecord,
  version: Version,
  { join, told, isGone }: Grounds,
): boolean {
  if (other === write) return false
  for (const attempt of other.attempts.values()) {
    if (!join.has(attempt.dot)) continue
    if (attempt.seen.has(version.dot)) return true
    // In `siblings` buckets a write dies with all its attempts; in `lww` ones a later attempt counts at its own time.
    if (key.conflict === 'siblings' && told?.has(attempt.dot) && write.isIn(attempt.seen)) return true
    // A greater stamp counts where the two meet: what is deleted or expired is collected, and then a hint that no home has seen comes
    // too late to meet it. (The deletion had not seen it either.)
    if (key.conflict === 'lww' && attempt.stamp > version.stamp) {
      const haveMet = key.strict.has(version.dot) && !key.late.has(version.dot)
      if (haveMet || !isGone(other)) return true
    }
  }
  return false
}

export function describe(write: WriteRecord): string {
  return `${write.kind} ${write.id} (${write.fate}, ${write.dots.map((dot: Dot) => formatDot(dot)).join('+') || 'never sent'})`
}
