// Listing: a key that was acknowledged before the first page and lives throughout is listed exactly once; nothing is listed that nobody
// wrote. Judged where listing and writing quorums overlap.

import { quorumInForce } from '../../core/quorum/level.ts'
import { homesOf } from '../holdings.ts'
import type { KeyHistory } from '../history.ts'
import type { World } from '../world.ts'

export interface ListExpectation {
  readonly key: KeyHistory
  readonly writes: number
}

/** Taken before the first page: keys that are live for certain if nobody touches them. */
export function expectListed(world: World, bucket: string): ListExpectation[] {
  return world.history.ofBucket(bucket).flatMap((key) => {
    const homes = homesOf(world.cluster, key)
    const overlap =
      quorumInForce(key.settings.r, homes.length) + quorumInForce(key.settings.w, homes.length) > homes.length
    const calm = key.writes.every((write) => write.fate === 'acknowledged' && write.open === 0 && write.ttlMs === null)
    const live = key.writes.some(
      (write) => write.kind === 'put' && write.isIn(key.strict) && !key.writes.some((other) => other.covers(write)),
    )
    const safe = key.conflict === 'siblings' || key.writes.every((write) => write.kind === 'put')
    return overlap && calm && live && safe && !key.suspended && world.disksTrusted
      ? [{ key, writes: key.writes.length }]
      : []
  })
}

export function checkListing(
  world: World,
  bucket: string,
  host: string,
  expected: readonly ListExpectation[],
  listed: readonly string[],
): void {
  const counts = new Map<string, number>()
  for (const key of listed) counts.set(key, (counts.get(key) ?? 0) + 1)
  for (const [key, count] of counts) {
    if (count > 1) world.violations.add('listing', `${bucket}/${key} is listed ${count} times through ${host}`)
    if (!world.history.keys.get(`${bucket}/${key}`)?.writes.some((write) => write.fate !== 'void'))
      world.violations.add('listing', `${bucket}/${key} is listed, and nobody wrote it`)
  }
  for (const { key, writes } of expected) {
    const untouched = key.writes.length === writes && !key.suspended
    if (untouched && !counts.has(key.key))
      world.violations.add('listing', `${key.name} lives and is not listed through ${host}`)
  }
}
