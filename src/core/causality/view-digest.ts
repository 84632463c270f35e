// A short name for a view, so that replicas that agree need not send it. Two views are equal in digest iff (but for hash collisions)
// they hold the same dots and dead tags and have seen the same.

import { hash64, hexOf } from '../hash64.ts'
import { WordHash } from '../word-hash.ts'
import { sameDeadTags } from './attempts.ts'
import { formatDot, sameDot } from './dot.ts'
import type { Version } from './version.ts'
import type { View } from './view.ts'

export const NOTHING_DIGEST = 'none'

/** 16 hex digits, or `NOTHING_DIGEST` where nothing is known of the key. */
export function viewDigest(view: View | null): string {
  if (view === null) return NOTHING_DIGEST
  const hash = new WordHash()
  hash.add(view.versions.length, view.deadTags.length)
  for (const { dot } of view.versions) {
    hash.addLife(dot.life)
    hash.addNumbers(dot.counter, 0)
  }
  for (const { id, dot } of view.deadTags) {
    hash.addLife(id)
    hash.addLife(dot.life)
    hash.addNumbers(dot.counter, 0)
  }
  view.seen.hashInto(hash)
  return hexOf(hash.finish())
}

/** The entity tag of a set of live versions, equal on all nodes: the name of one, the hash (16 hex digits) of several names. */
export function entityTag(versions: readonly Version[]): string {
  const [first] = versions
  // No hash is shorter than the name of one, and the README's walk shows it.
  if (first !== undefined && versions.length === 1) return formatDot(first.dot)
  return hexOf(hash64(versions.map((version) => formatDot(version.dot)).join()))
}

/** Whether two views hold the same versions and dead tags; what they have seen may differ by gaps that do not matter to a client. */
export function sameVersions(a: View, b: View): boolean {
  return (
    a.versions.length === b.versions.length &&
    a.versions.every((version, i) => sameDot(version.dot, (b.versions[i] as Version).dot)) &&
    sameDeadTags(a.deadTags, b.deadTags)
  )
}
