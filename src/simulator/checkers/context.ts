// G8: a read that was given a context includes all of it, or fails. And G2 from the writer's side: what goes out to the replicas
// supersedes exactly what the client's context had seen, and the answer's context nothing that its client was not shown.

import { formatDot } from '../../core/causality/dot.ts'
import { DotSet } from '../../core/causality/dot-set.ts'
import type { View } from '../../core/causality/view.ts'
import { type KeyHistory, seenBy, type WriteRecord } from '../history.ts'
import type { ObservedRead, ObservedWrite } from '../observed.ts'
import type { World } from '../world.ts'
import { expirySlackMs } from './expiry.ts'
import { describe, judge } from './inclusion.ts'

export function checkContextReached(world: World, read: ObservedRead): void {
  const { key, outcome, options } = read
  if (!options.context || !world.disksTrusted || key.suspended || key.suspendedAt >= read.startedAt) return
  const answer = {
    versions: outcome.type === 'found' ? outcome.versions : [],
    seen: seenBy(outcome.context),
    startedAt: read.startedAt,
    endedAt: read.endedAt,
  }
  const { missing, risen } = judge(key, options.context.seen, answer, expirySlackMs(world))
  const what = `a read of ${key.name} through ${read.host} with a context`
  for (const write of missing) world.violations.add('G8', `${what} misses ${describe(write)} of it`)
  for (const { write, by } of risen)
    world.violations.add('G8', `${what} shows ${describe(write)}, though it includes ${describe(by)}`)
}

/** What left the coordinator for a write whose client gave its context. */
export function checkSent(world: World, key: KeyHistory, write: WriteRecord, view: View): void {
  const [version] = view.versions
  if (!version || write.context === null) return
  const expected = write.context.union(DotSet.of(version.dot))
  if (!view.seen.equals(expected)) {
    world.violations.add(
      'G2',
      `${describe(write)} of ${key.name} goes out as superseding ${view.seen}, its context was ${write.context}`,
    )
  }
}

/**
 * The answer to a put may hold more than the request's context only where a replica held exactly the new version. Then everything that
 * it adds is superseded by that version or by what was seen, so no value that nobody showed may be among it, unless it is covered.
 */
export function checkAnsweredContext(world: World, observed: ObservedWrite): void {
  const { key, write, outcome } = observed
  if (!write || !outcome.context || !outcome.version || !world.disksTrusted) return
  if (!outcome.context.seen.has(outcome.version)) {
    world.violations.add('G8', `the answer to ${describe(write)} has a context without ${formatDot(outcome.version)}`)
  }
  if (key.conflict === 'lww' || key.suspended || observed.outcome.type === 'deleted') return
  const shown = 'representation' in outcome ? (outcome.representation ?? []) : []
  for (const other of key.writes) {
    if (other === write || other.kind === 'delete' || other.ttlMs !== null || !other.isIn(outcome.context.seen))
      continue
    if (write.context === null || other.isIn(write.context) || write.covers(other)) continue
    if (shown.some((version) => key.writeOf(version) === other)) continue
    const isCovered = key.writes.some((by) => by.covers(other) && by.attempts.size > 0)
    if (!isCovered) {
      world.violations.add(
        'G2',
        `the answer to ${describe(write)} of ${key.name} claims that its client saw ${describe(other)}`,
      )
    }
  }
}
