// A short name for a view, so that replicas that agree need not send it. Two views are equal in digest iff (but for hash collisions)
// they hold the same dots and dead tags and have seen the same.

import { ByteWriter } from '../bytes.ts'
import { hash64, hexOf } from '../hash64.ts'
import { formatDot, LIFE_BYTES, sameDot } from './dot.ts'
import type { Version } from './version.ts'
import type { View } from './view.ts'

export const NOTHING_DIGEST = 'none'

/** 16 hex digits, or `NOTHING_DIGEST` where nothing is known of the key. */
export function viewDigest(view: View | null): string {
  if (view === null) return NOTHING_DIGEST
  const writer = new ByteWriter(64)
  writer.varint(view.versions.length)
  for (const { dot } of view.versions) {
    writer.hex(dot.life, LIFE_BYTES)
    writer.varint(dot.counter)
  }
  writer.varint(view.deadTags.length)
  for (const { id } of view.deadTags) writer.hex(id, 8)
  view.seen.encode(writer)
  return hexOf(hash64(writer.finish().toString('latin1')))
}

/** The entity tag of a set of live versions: 16 hex digits, equal on all nodes. */
export function entityTag(versions: readonly Version[]): string {
  return hexOf(hash64(versions.map((version) => formatDot(version.dot)).join()))
}

/** Whether two views hold the same versions and dead tags; what they have seen may differ by gaps that do not matter to a client. */
export function sameVersions(a: View, b: View): boolean {
  return (
    a.versions.length === b.versions.length &&
    a.deadTags.length === b.deadTags.length &&
    a.versions.every((version, i) => sameDot(version.dot, (b.versions[i] as Version).dot)) &&
    a.deadTags.every((tag, i) => tag.id === b.deadTags[i]?.id)
  )
}
