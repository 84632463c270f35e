// The end of a run, once everything is mended and still: G1 (nothing acknowledged is missing but for a write that covers it), G2, G4
// (nothing superseded is back), G10 and G13 on every stored version.

import { formatDot } from '../../core/causality/dot.ts'
import type { DotSet } from '../../core/causality/dot-set.ts'
import { decodeRecord } from '../../core/causality/record.ts'
import type { GetOutcome } from '../../coordinator/operations.ts'
import { seenBy, type KeyHistory } from '../history.ts'
import type { Observation } from '../observation.ts'
import type { World } from '../world.ts'
import { expirySlackMs } from './expiry.ts'
import { describe, judge } from './inclusion.ts'
import { checkIntact } from './intact.ts'

/** A read of R homes after everything has come together. */
export function checkFinalRead(
  world: World,
  key: KeyHistory,
  host: string,
  startedAt: number,
  outcome: GetOutcome,
): void {
  const { violations, cluster } = world
  if (outcome.type !== 'found' && outcome.type !== 'not-found') {
    violations.add(
      'G11',
      `a read of ${key.name} through ${host} fails after everything is mended: ${outcome.type} ${JSON.stringify(outcome.receipt)}`,
    )
    return
  }
  if (!world.disksTrusted) return
  const versions = outcome.type === 'found' ? outcome.versions : []
  const join: DotSet = key.acknowledged
  const answer = { versions, seen: outcome.context && seenBy(outcome.context), startedAt, endedAt: cluster.time.now }
  const { missing, risen } = judge(key, join, answer, expirySlackMs(world), join)
  for (const write of missing) {
    const isKnown = key.writes.some((other) => other.covers(write))
    violations.add(
      isKnown ? 'G1' : 'G2',
      `after everything is mended ${key.name} through ${host} lacks ${describe(write)}; shown: ${versions.map((v) => formatDot(v.dot)).join() || 'nothing'}`,
    )
  }
  for (const { write, by } of risen) {
    violations.add(
      'G4',
      `after everything is mended ${key.name} through ${host} shows ${describe(write)}, which ${describe(by)} had superseded`,
    )
  }
  // The whole superseding relation, whatever was acknowledged: what a shown version had seen is not shown beside it.
  const shown = new Set(versions.map((version) => key.writeOf(version)))
  for (const write of shown) {
    for (const other of shown)
      if (write && other && write !== other && other.covers(write))
        violations.add('G6', `${key.name} shows ${describe(write)} beside ${describe(other)}`)
  }
}

/** Every version that any node stores, hints included. */
export function checkStored(world: World, observation: Observation): void {
  for (const { name, node } of world.cluster.hosts) {
    const storage = node?.rooms?.storage
    if (!storage) continue
    for (const partition of storage.partitions()) {
      for (const entry of storage.memtable.scan(partition, null)) {
        const key = world.history.of(entry.bucket, entry.key)
        for (const version of decodeRecord(entry.bytes).versions) {
          checkIntact(world, key, version, `${name}'s store`)
          observation.dots.note(key, version)
        }
      }
    }
  }
}
