// What a PUT stands on where that must be read first: under `latest`, a precondition or an idempotency key. Decides which context it
// supersedes, or which earlier attempt it already is. Never writes. Invariant: no attempt supersedes another attempt of the same write.

import { type DeadTag, endOfUse, isSameKey, usedBy, writesOf } from '../core/causality/attempts.ts'
import { type CausalContext, EMPTY_CONTEXT } from '../core/causality/context-token.ts'
import type { DotSet } from '../core/causality/dot-set.ts'
import type { HybridTime } from '../core/causality/hybrid-clock.ts'
import type { Mark, Tag, Version } from '../core/causality/version.ts'
import { EMPTY_VIEW, type View } from '../core/causality/view.ts'
import { entityTag } from '../core/causality/view-digest.ts'
import { contextOf, nothingDone, preconditionFails, readReceipt, shown } from './answers.ts'
import type { Explanation } from './explanation.ts'
import type { Failure, Precondition } from './operations.ts'
import { asBase, byHomes, type Plan } from './plan.ts'
import type { Reach } from './reach.ts'
import { type InForce, readInForce, type ReadingParts } from './reading.ts'

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
  /** With the plan by which the base was read: the write is judged by it too. */
  readonly started: Started
  readonly context: CausalContext
  /** Not null: the write was made before; what remains is to bring it to enough replicas. */
  readonly attempt: Attempt | null
  readonly tag: Tag | null
}

export interface AskedOf {
  readonly given: CausalContext | 'latest' | undefined
  readonly precondition: Precondition | undefined
  readonly mark: Mark | null
}

export async function readBase(
  parts: ReadingParts,
  { plan: first, explanation }: Started,
  { given, precondition, mark }: AskedOf,
  reach: Reach,
): Promise<Base | Failure> {
  const context = given === 'latest' || given === undefined ? EMPTY_CONTEXT : given
  const asked = mark && { ...mark, stamp: parts.hybrid.read(parts.clock.now()) }
  const mustRead = given === 'latest' || precondition !== undefined
  // Whether the write was made before is known where all is known that its client has seen.
  const mustInclude = asked && !mustRead && !context.seen.isEmpty ? context.seen : null
  // A client that saw an earlier attempt of this very write: what became of it must be known before there is another one.
  const isRetry = asked !== null && context.tags.some((seen) => isSameKey(asked, seen))
  const isNeeded = mustRead || isRetry
  const question = (plan: Plan): Plan => asBase(mustRead ? byHomes(plan) : plan, parts.clock.monotonic())
  const { plan, found } = isNeeded
    ? await readInForce(parts, reach, first, question, mustInclude, explanation)
    : await readWhatThereIs(parts, reach, first, mustInclude, explanation)
  const started = { plan, explanation }
  if (found.type !== 'read') return isNeeded ? found : baseOver(started, context, mark, EMPTY_VIEW, NO_VERSIONS)
  const { view } = found
  const made = asked && madeBefore(started, view, asked, context)
  if (made) return made
  const versions = shown(found)
  if (preconditionFails(precondition, versions)) {
    return {
      type: 'precondition-failed',
      etag: versions.length ? entityTag(versions) : null,
      receipt: readReceipt(plan, found),
      ...(explanation && { explain: explanation.entries }),
    }
  }
  return baseOver(started, mustRead ? contextOf(view) : context, mark, view, versions)
}

/**
 * Whoever answers at all may know that the write was made. Without that it still goes out: its mark makes the attempts one when they meet.
 */
async function readWhatThereIs(
  parts: ReadingParts,
  reach: Reach,
  first: Plan,
  mustInclude: DotSet | null,
  explanation: Explanation | null,
): Promise<InForce> {
  // So many the write needs in any case; for R alone it does not wait.
  await reach.enough(first, first.w)
  const question = (plan: Plan): Plan => inHalfTheTime(plan, parts.clock.monotonic())
  let told = await readInForce(parts, null, first, question, mustInclude, explanation)
  if (told.found.type === 'context-not-reached')
    told = await readInForce(parts, null, told.plan, question, null, explanation)
  if (told.found.type === 'read') return told
  // Each may wait in vain for half of what time is left: first for all who are in reach, then for anybody, and no more.
  const most = reach.count(byHomes(told.plan), told.plan.r - 1)
  for (const r of new Set([Math.max(1, most), 1]))
    if (told.found.type !== 'read')
      told = await readInForce(parts, null, told.plan, (plan) => ({ ...question(plan), r }), null, explanation)
  return told
}

/** A new attempt: its tag says what the read has shown, however few have answered it. */
function baseOver(
  started: Started,
  context: CausalContext,
  mark: Mark | null,
  view: View,
  live: readonly Version[],
): Base {
  const tag = mark && {
    ...mark,
    basis: Math.max(context.stamp, endOfEarlier(view, mark)),
    replaces: live.length > 0,
  }
  return { started, context, attempt: null, tag }
}

const NO_VERSIONS: readonly Version[] = []

function madeBefore(started: Started, view: View, asked: Asked, context: CausalContext): Base | Failure | null {
  const made = attemptOf(view, asked)
  if (made === null) return null
  if (made === 'mismatch') return { type: 'idempotency-mismatch', ...nothingDone(started.plan, started.plan.w) }
  // Of one that is gone the view may not say it: what is collected is in clocks alone.
  const seen = view.seen.clone()
  seen.add(made.dot)
  return { started, context, attempt: { version: made, view: { ...view, seen }, intent: 'repair' }, tag: made.tag }
}

interface Asked extends Mark {
  readonly stamp: HybridTime
}

/** What is only good to know must leave the write its time. */
function inHalfTheTime(plan: Plan, now: number): Plan {
  const { writeBackUntil } = asBase(plan, now)
  return { ...plan, deadlineAt: writeBackUntil, writeBackUntil }
}

/**
 * The attempt of this very write that there was: the earliest that lives, or else what is left of the earliest that was superseded or
 * has expired. Then nothing more is written; the homes are told of it as far as they have not heard.
 */
function attemptOf(view: View, asked: Asked): Version | 'mismatch' | null {
  const isAttempt = (used: Asked | null): boolean => used !== null && isSameKey(asked, used)
  const living = writesOf(view.versions).flatMap(({ write, attempts }) =>
    attempts.map((attempt) => ({ ...attempt, deadlineMs: write.deadlineMs })),
  )
  const twins = living.filter((version) => isAttempt(usedBy(version))).sort((a, b) => a.stamp - b.stamp)
  const dead = view.deadTags.filter(isAttempt).sort((a, b) => a.stamp - b.stamp)
  if (twins.length + dead.length === 0) return null
  const twin = twins.find(({ tag }) => tag?.fingerprint === asked.fingerprint)
  const remains = dead.find(({ fingerprint }) => fingerprint === asked.fingerprint)
  return twin ?? (remains ? remainsOf(remains) : 'mismatch')
}

/** Attempts of an earlier write under this key may still be found, and die; this is another one. */
function endOfEarlier({ versions, deadTags }: View, { id }: Mark): HybridTime {
  const earlier = [...versions.map(usedBy), ...deadTags].filter((used) => used?.id === id)
  return Math.max(0, ...earlier.map((used) => (used ? endOfUse(used) : 0)))
}

/** All that is still known of a version by its dead tag. */
function remainsOf({ id, fingerprint, replaces, dot, stamp }: DeadTag): Version {
  return { dot, stamp, deadlineMs: null, tag: { id, fingerprint, basis: 0, replaces }, content: null }
}
