// Why a replica refuses a client's write: what would make its key, or its clock, too large for everybody. Pure; decides nothing about
// writes that heal. Invariant: what is known here already is never refused, nor is a deletion for lack of room.

import { isSameKey, liveOf, usedBy } from '../core/causality/attempts.ts'
import { hybridFromMs, type HybridTime, msFromHybrid } from '../core/causality/hybrid-clock.ts'
import type { KeyRecord, Merged } from '../core/causality/record.ts'
import type { Version } from '../core/causality/version.ts'
import type { View } from '../core/causality/view.ts'
import { GROWTH_MAX } from '../protocol/bounds.ts'
import type { RefusalReason } from '../protocol/messages.ts'

export interface ReplicaLimits {
  readonly siblingsMax: number
  readonly siblingBytesMax: number
  /** How far a stamp may be ahead of this node's time; also how far clocks may be apart. Milliseconds. */
  readonly clockBoundMs: number
}

/** What would become of the record. */
export interface Proposed {
  readonly before: KeyRecord | undefined
  readonly merged: Merged
  readonly view: View
}

export function reasonToRefuse(
  limits: ReplicaLimits,
  isFull: boolean,
  { before, merged, view }: Proposed,
  { wallMs, time }: { readonly wallMs: number; readonly time: HybridTime },
): RefusalReason | null {
  if (!merged.stored) return null
  if (isFull && view.versions.some((v) => v.content !== null)) return 'storage-full'
  const latest = Math.max(hybridFromMs(wallMs + limits.clockBoundMs), time)
  for (const { stamp } of view.versions) if (stamp > latest) return 'clock-ahead'
  // Tags from the future would never be forgotten.
  for (const { stamp } of view.deadTags) if (stamp > latest) return 'clock-ahead'
  for (const version of view.versions) if (before && isOfAnotherBody(version, before)) return 'idempotency-mismatch'
  const after = merged.record?.versions ?? NO_VERSIONS
  if (after.length <= (before?.versions.length ?? 0)) return null
  if (after.length > 1 && bytesOf(after) > limits.siblingBytesMax) return 'too-many-siblings'
  const nowMs = msFromHybrid(time)
  const shown = liveOf(after, nowMs).length
  if (shown > limits.siblingsMax) return 'too-many-siblings'
  // Deletions and expired versions stay until they are collected, and of one write there may be several attempts: but not without end.
  return after.length - shown > 4 * limits.siblingsMax ? 'too-many-siblings' : null
}

/**
 * A hint finds its place at a home beyond these limits too, but not where the record would outgrow a frame: no home could be told of it
 * any more. Homes that hold different things, as much as this each, still travel as one.
 */
export function outgrowsFrames(
  { siblingBytesMax }: ReplicaLimits,
  before: KeyRecord | undefined,
  merged: Merged,
): boolean {
  const after = merged.record?.versions ?? NO_VERSIONS
  const size = bytesOf(after)
  return after.length > 1 && size > GROWTH_MAX * siblingBytesMax && size > bytesOf(before?.versions ?? NO_VERSIONS)
}

function bytesOf(versions: readonly Version[]): number {
  return versions.reduce((sum, v) => sum + (v.content?.bytes.length ?? 0), 0)
}

const NO_VERSIONS: readonly Version[] = []

/** Of the attempts that are held, and of those that are over. */
function isOfAnotherBody(version: Version, { versions, deadTags }: KeyRecord): boolean {
  const used = usedBy(version)
  if (used === null) return false
  const attempts = [...versions.map(usedBy), ...deadTags]
  return attempts.some((other) => other && other.fingerprint !== used.fingerprint && isSameKey(used, other))
}
