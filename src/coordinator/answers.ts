// What an operation on a key answers with: the versions shown, the context, the receipt, the failure. Pure functions of plans, reads and
// rounds; they decide nothing that was not decided before. Invariant: a context never includes what its client was not shown.

import {
  type CausalContext,
  CONTEXT_TAGS_MAX,
  CONTEXT_TOKEN_MAX,
  contextTokenLength,
  EMPTY_CONTEXT,
  tagsToCarry,
} from '../core/causality/context-token.ts'
import { type DeadTag, deadTagsOf, liveOf, uniteDeadTags } from '../core/causality/attempts.ts'
import type { HybridTime } from '../core/causality/hybrid-clock.ts'
import type { Version } from '../core/causality/version.ts'
import type { View } from '../core/causality/view.ts'
import { entityTag } from '../core/causality/view-digest.ts'
import { writeGuarantee } from '../core/quorum/guarantee.ts'
import type { RefusalReason } from '../protocol/messages.ts'
import type { Failure, Precondition, Receipt } from './operations.ts'
import { type Plan, receiptOf } from './plan.ts'
import type { ReadResult } from './reading.ts'
import type { WriteRoundResult } from './write-round.ts'

export function shown(result: ReadResult): readonly Version[] {
  return liveOf(result.view.versions, result.judgedAtMs)
}

/** Everything that the view has seen, and its client before. */
export function contextOf(view: View, before: CausalContext = EMPTY_CONTEXT): CausalContext {
  let greatest = before.stamp
  for (const { stamp } of view.versions) if (stamp > greatest) greatest = stamp
  const dead = uniteDeadTags(view.deadTags, before.tags)
  const seen = before.seen.isEmpty ? view.seen : view.seen.union(before.seen)
  return { seen, stamp: greatest, tags: tagsWith(dead, view.versions, greatest) }
}

/** Those of the versions as they will be when these are superseded. */
function tagsWith(dead: readonly DeadTag[], versions: readonly Version[], stamp: HybridTime): readonly DeadTag[] {
  const seen = deadTagsOf(versions, true)
  return uniteDeadTags(tagsToCarry(dead, stamp, CONTEXT_TAGS_MAX - seen.length), seen)
}

/**
 * The request's context and the new dot. What a replica knows beyond that is added only where it holds exactly this version:
 * otherwise the client would seem to have seen siblings that nobody showed it, and its next write would drop them.
 */
export function answerContext(
  context: CausalContext,
  version: Version,
  result: WriteRoundResult | null,
): CausalContext {
  const seen = context.seen.clone()
  seen.add(version.dot)
  for (const answer of result?.written ?? []) if (answer.context) seen.addAll(answer.context)
  const stamp = Math.max(context.stamp, version.stamp)
  return { seen, stamp, tags: tagsWith(context.tags, [version], stamp) }
}

// An interval with its life takes 26 bytes at most: so many fit in a token whatever their counters, with a dot more.
const SMALL_INTERVALS = 100

/** Sure to fit, without being encoded; also with one version more. Tags that find no room are left out. */
export function isSmall(context: CausalContext): boolean {
  return context.seen.intervalCount <= SMALL_INTERVALS
}

export function fits(context: CausalContext): boolean {
  return isSmall(context) || contextTokenLength(context) <= CONTEXT_TOKEN_MAX
}

/** RFC 9110 §13.1: checked against what the read found. */
export function preconditionFails(precondition: Precondition | undefined, versions: readonly Version[]): boolean {
  if (!precondition) return false
  if (precondition.type === 'none') return versions.length > 0
  if (precondition.etags === '*') return versions.length === 0
  return versions.length === 0 || !precondition.etags.includes(entityTag(versions))
}

export function nothingDone(plan: Plan, required: number): { readonly receipt: Receipt } {
  return { receipt: receiptOf(plan, required, { replied: 0, hinted: 0, durable: 0, guarantee: 'eventual' }) }
}

export function readReceipt(plan: Plan, result: ReadResult): Receipt {
  return receiptOf(plan, plan.r, {
    replied: result.replied,
    hinted: result.hinted,
    durable: 0,
    guarantee: result.guarantee,
  })
}

export function writeReceipt(plan: Plan, { verdict }: WriteRoundResult): Receipt {
  const { counts } = verdict
  const facts = {
    n: plan.n,
    requestW: plan.w,
    bucketR: plan.bucketR,
    bucketW: plan.bucketW,
    homesHolding: counts.homes,
    standIns: counts.standIns,
  }
  const guarantee = verdict.state === 'met' ? writeGuarantee(facts) : 'eventual'
  // A hint that came besides does not count: strict is on the word of homes alone.
  if (guarantee === 'strict')
    return receiptOf(plan, plan.w, { replied: counts.homes, hinted: 0, durable: counts.durableHomes, guarantee })
  return receiptOf(plan, plan.w, { replied: counts.replied, hinted: counts.hinted, durable: counts.durable, guarantee })
}

/** Homes that are full and stand-ins that are full are one cause to a client. */
function commonReason(reasons: readonly RefusalReason[]): RefusalReason | null {
  const isRoom = reasons.every((reason) => reason === 'storage-full' || reason === 'hints-full')
  return isRoom && reasons.includes('storage-full') ? 'storage-full' : null
}

export function lost(plan: Plan, result: WriteRoundResult, told: { readonly receipt: Receipt }): Failure {
  const { verdict, tally, notAsked } = result
  if (verdict.state === 'lost' && verdict.outcome === 'not-applied') {
    const reason = verdict.reason ?? commonReason(verdict.reasons)
    switch (reason) {
      case 'too-many-siblings':
      case 'idempotency-mismatch':
      case 'clock-ahead':
      case 'storage-full':
        return { type: reason, ...told }
      default:
    }
  }
  return {
    type: 'quorum-not-met',
    operation: 'write',
    required: plan.w,
    acknowledged: verdict.counts.acknowledged,
    replicas: tally.replicas.map((entry) => ({
      node: entry.replica,
      answer: notAsked.has(entry.replica)
        ? 'not-asked'
        : entry.state === 'refused'
          ? `refused:${entry.reason}`
          : entry.state,
    })),
    outcome: verdict.state === 'lost' ? verdict.outcome : 'unknown',
    ...told,
  }
}
