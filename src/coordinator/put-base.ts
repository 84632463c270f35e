// What a PUT stands on where that must be read first: under `latest`, a precondition or an idempotency key. Decides which context it
// supersedes, or which earlier attempt it already is. Never writes. Invariant: no attempt supersedes another attempt of the same write.

import { type CausalContext, EMPTY_CONTEXT } from '../core/causality/context-token.ts'
import { hybridFromMs, msFromHybrid } from '../core/causality/hybrid-clock.ts'
import type { Tag, Version } from '../core/causality/version.ts'
import { type DeadTag, deadTagOf, isSameWrite, type View } from '../core/causality/view.ts'
import { entityTag } from '../core/causality/view-digest.ts'
import { contextOf, nothingDone, preconditionFails, readReceipt, shown } from './answers.ts'
import type { Explanation } from './explanation.ts'
import type { Failure, Precondition } from './operations.ts'
import type { Plan } from './plan.ts'
import type { Reach } from './reach.ts'
import { read, type ReadingParts } from './reading.ts'

export interface Started {
  readonly plan: Plan
  readonly explanation: Explanation | null
}

/** One version on its way to the replicas. */
export interface Attempt {
  readonly version: Version
  readonly view: View
  readonly intent: 'client' | 'repair'
}

export interface Base {
  readonly context: CausalContext
  /** Not null: the write was made before; what remains is to bring it to enough replicas. */
  readonly attempt: Attempt | null
  readonly tag: Tag | null
}

export interface AskedOf {
  readonly given: CausalContext | 'latest' | undefined
  readonly precondition: Precondition | undefined
  readonly tag: Tag | null
}

/** All that is still known of a version by its dead tag. */
function remainsOf({ id, fingerprint, dot, atMs }: DeadTag): Version {
  return { dot, stamp: hybridFromMs(atMs), deadlineMs: null, tag: { id, fingerprint }, content: null }
}

function earliest(tags: readonly DeadTag[]): DeadTag | undefined {
  return tags.toSorted((a, b) => a.atMs - b.atMs)[0]
}

function isAttempt(version: Version, tag: Tag, nowMs: number): boolean {
  const mark = deadTagOf(version)
  return mark !== null && isSameWrite(tag, nowMs, mark)
}

export async function readBase(
  parts: ReadingParts,
  { plan, explanation }: Started,
  { given, precondition, tag }: AskedOf,
  reach: Reach,
): Promise<Base | Failure> {
  const context = given === 'latest' || given === undefined ? EMPTY_CONTEXT : given
  await reach.enough(plan, plan.w)
  // A client that saw an earlier attempt of this very write: what became of it must be known before there is another one.
  const nowMs = msFromHybrid(parts.hybrid.read(parts.clock.now()))
  const isRetry = tag !== null && context.tags.some((seen) => isSameWrite(tag, nowMs, seen))
  const mustRead = given === 'latest' || precondition !== undefined
  const found = await read(parts, plan, null, explanation)
  if (found.type !== 'read') {
    // Without a majority in reach an idempotent write still goes out: its tag makes the attempts one when they meet.
    return mustRead || isRetry ? found : { context, attempt: null, tag }
  }
  if (tag !== null) {
    const twin = found.view.versions.find((version) => isAttempt(version, tag, nowMs))
    // Superseded or expired since: nothing is written any more. The homes are told of its death, as far as they have not heard.
    const dead = earliest(found.view.deadTags.filter((other) => isSameWrite(tag, nowMs, other)))
    const version = twin ?? (dead && remainsOf(dead))
    if (version?.tag && version.tag.fingerprint !== tag.fingerprint)
      return { type: 'idempotency-mismatch', ...nothingDone(plan, plan.w) }
    if (version) return { context, attempt: { version, view: found.view, intent: 'repair' }, tag }
  }
  // Under its own tag, a write that supersedes an earlier attempt would die with it.
  if (!mustRead) return { context, attempt: null, tag: isRetry ? null : tag }
  const versions = shown(found)
  if (preconditionFails(precondition, versions)) {
    return {
      type: 'precondition-failed',
      etag: versions.length ? entityTag(versions) : null,
      receipt: readReceipt(plan, found),
      ...(explanation && { explain: explanation.entries }),
    }
  }
  return { context: contextOf(found.view), attempt: null, tag }
}
