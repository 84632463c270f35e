// G9, and with it G4 between strict reads: a strict read that begins after strict operations have ended includes what they had in
// common. A running join for each key, taken when the read begins.

import { formatDot } from '../../core/causality/dot.ts'
import type { DotSet } from '../../core/causality/dot-set.ts'
import type { ObservedRead, ObservedWrite } from '../observed.ts'
import { type KeyHistory, seenBy } from '../history.ts'
import type { World } from '../world.ts'
import { expirySlackMs } from './expiry.ts'
import { comesLate, describe, judge } from './inclusion.ts'

export function checkFreshness(world: World, read: ObservedRead): void {
  const { key, outcome } = read
  if (outcome.receipt.guarantee !== 'strict') return
  const seen = outcome.context ? seenBy(outcome.context) : null
  const isTrusted = world.disksTrusted && !key.suspended && key.suspendedAt < read.startedAt
  if (isTrusted) {
    const versions = outcome.type === 'found' ? outcome.versions : []
    const answer = { versions, seen, startedAt: read.startedAt, endedAt: read.endedAt }
    const { missing, risen } = judge(key, read.strictAtStart, answer, expirySlackMs(world), read.toldAtStart)
    const what = `a strict read of ${key.name} through ${read.host} (${read.startedAt.toFixed(1)}–${read.endedAt.toFixed(1)})`
    for (const write of missing) world.violations.add('G9', `${what} misses ${describe(write)}`)
    for (const { write, by, version } of risen) {
      world.violations.add(
        'G4',
        `${what} shows ${describe(write)} as ${formatDot(version.dot)} again, which ${describe(by)} had superseded`,
      )
    }
  }
  // A client's own context came from who knows where: only what this answer itself shows is joined.
  if (outcome.type === 'found') {
    for (const version of outcome.versions) {
      const { dot } = version
      if (comesLate(key, version)) key.late.add(dot)
      key.strict.add(dot)
      key.told.add(dot)
    }
  }
  if (seen && isTrusted && !read.options.context) {
    noteWhatCameLate(key, seen)
    key.joinStrict(seen)
  }
}

/** Where the last writer wins, one home may have met what at another came only when the greater one was collected: there it lives. */
function noteWhatCameLate(key: KeyHistory, seen: DotSet): void {
  if (key.conflict !== 'lww') return
  for (const write of key.writes)
    for (const attempt of write.attempts.values())
      if (seen.has(attempt.dot) && comesLate(key, attempt)) key.late.add(attempt.dot)
}

/** A strict write is on enough homes for every later strict read to meet it, with all that it superseded. */
export function joinStrictWrite(write: ObservedWrite): void {
  const { key, outcome } = write
  if (outcome.receipt.guarantee !== 'strict' || !outcome.version || !write.write) return
  // What it stands on was lost before it was answered.
  if (write.write.copiesLost >= outcome.receipt.required) return
  const attempt = write.write.attempts.get(formatDot(outcome.version))
  if (attempt) {
    if (comesLate(key, attempt)) key.late.add(attempt.dot)
    key.joinStrict(attempt.seen)
    key.told.add(attempt.dot)
  }
}
