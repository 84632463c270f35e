// A read that may be repeated until its answer stands: merges R replies, makes sure that what it calls strict is on enough homes
// (write-back), and that what it calls expired is expired for the next reader too. Used by GET, by preconditions, `latest`, DELETE and
// retries. Knows nothing of HTTP. Invariant: a result marked strict is held by W(bucket) homes and at least N − R + 1.

import { liveOf } from '../core/causality/attempts.ts'
import { DotSet } from '../core/causality/dot-set.ts'
import { type HybridClock, msFromHybrid } from '../core/causality/hybrid-clock.ts'
import type { Version } from '../core/causality/version.ts'
import { EMPTY_VIEW, holds, type View } from '../core/causality/view.ts'
import { sameVersions } from '../core/causality/view-digest.ts'
import type { Directory } from '../core/membership/directory.ts'
import { readGuarantee, strictHomesNeeded } from '../core/quorum/guarantee.ts'
import { readVerdict } from '../core/quorum/read-tally.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { Explanation } from './explanation.ts'
import type { Failure, Guarantee } from './operations.ts'
import { type Plan, planAgain, receiptOf } from './plan.ts'
import { readRound, type ReadRoundResult } from './read-round.ts'
import type { Reach } from './reach.ts'
import type { WriteAnswer } from './replica-answers.ts'
import type { Replicas } from './replicas.ts'

export interface ReadingParts {
  readonly directory: () => Directory | null
  readonly replicas: Replicas
  readonly clock: Clock
  readonly hybrid: HybridClock
  readonly random: Random
  readonly hedgeMs: number
  /** Part of reads (0..1) that ask all N homes though R would do, so that a stale third replica is found. */
  readonly readAllRate: number
  /** Repair of homes that nobody waits for; a write-back that a strict answer needs is always made. */
  readonly readRepair: boolean
  readonly onReadRepair: () => void
}

export interface ReadResult {
  readonly type: 'read'
  readonly view: View
  /** The moment at which expiry was judged, milliseconds since the epoch. */
  readonly judgedAtMs: number
  readonly guarantee: Guarantee
  readonly replied: number
  readonly hinted: number
}

// Each repetition needs a concurrent write (or a deadline passing) right in the middle of the one before.
const ROUNDS_MAX = 4

export async function read(
  parts: ReadingParts,
  plan: Plan,
  mustInclude: DotSet | null,
  explanation: Explanation | null,
): Promise<ReadResult | Failure> {
  for (let round = 1; ; round++) {
    const digest = parts.directory()?.membersDigest
    const result = await oneRound(parts, plan, mustInclude, explanation, round > 1)
    const failure = failureOf(plan, result, explanation)
    if (failure) return failure
    const isLast = (): boolean => round === ROUNDS_MAX || parts.clock.monotonic() >= plan.deadlineAt
    const nowMs = msFromHybrid(parts.hybrid.read(parts.clock.now()))
    // A version that some home may still take for live must not be called expired in a strict answer: ask again, the question
    // itself tells every home the time. Nor live what has expired at a home whose time this node does not believe: its own may be wrong.
    const known = msFromHybrid(result.knownTime)
    const latest = msFromHybrid(result.latestTime)
    const unclear = result.view.versions.some(
      ({ deadlineMs }) => deadlineMs !== null && (deadlineMs <= nowMs ? deadlineMs > known : deadlineMs <= latest),
    )
    if (unclear && !isLast()) continue
    const wanted = wantsStrict(plan, result)
    const back = writeBack(parts, plan, result, wanted)
    const { holding, refused, hasMovedOn } = back instanceof Promise ? await back : back
    const { counts } = result.verdict
    // With only homes among the answers, or where a home itself has moved on since, there is a newer one to be had; of a stand-in's old
    // hint nothing else would come.
    const isOvertaken = refused.length > 0 && (counts.standIns === 0 || hasMovedOn)
    if (isOvertaken && !isLast()) continue
    // A key that is overwritten again and again always has a value: at the last, the one that was there when the homes were asked.
    const isOld = refused.length > 0 && !isOvertaken
    const view = isOld ? without(result.view, DotSet.of(...refused)) : result.view
    if (isOld && !shows(view, nowMs)) {
      // "Not found" is said on the word of homes alone.
      const verdict = readVerdict(result.tally, false)
      const short = verdict.state === 'pending' ? null : failureOf(plan, { ...result, verdict }, explanation)
      if (short) return short
    }
    // A storage was replaced meanwhile: what its predecessor held, or acknowledged, is gone with it.
    const isReplaced = digest !== parts.directory()?.membersDigest
    const guarantee = readGuarantee({
      n: plan.n,
      requestR: plan.r,
      bucketW: plan.bucketW,
      homesCounted: counts.homes,
      standIns: counts.standIns,
      homesHolding: unclear || isOvertaken || isReplaced ? 0 : holding,
    })
    return { type: 'read', view, judgedAtMs: nowMs, guarantee, replied: counts.counted.length, hinted: counts.standIns }
  }
}

// Each further round needs one more change of settings right during the one before.
const CHANGES_MAX = 3

export interface InForce {
  readonly plan: Plan
  readonly found: ReadResult | Failure
}

/**
 * A read under the settings that the bucket has when it ends, and the plan by these settings. `question`: what of a plan is asked. Who
 * hears of a change only from the refusals of others would judge by an R that is no longer in force. `reach`: wait for the links of those
 * whom the question is for; null where the write can do without an answer.
 */
export async function readInForce(
  parts: ReadingParts,
  reach: Reach | null,
  first: Plan,
  question: (plan: Plan) => Plan,
  mustInclude: DotSet | null,
  explanation: Explanation | null,
): Promise<InForce> {
  let plan = first
  for (let round = 1; ; round++) {
    const reached = reach?.enough(question(plan), plan.r)
    if (reached) await reached
    const found = await read(parts, question(plan), mustInclude, explanation)
    const again = planAgain(plan, parts.directory())
    if (again === plan || round === CHANGES_MAX) return { plan, found }
    plan = again
  }
}

function oneRound(
  parts: ReadingParts,
  plan: Plan,
  mustInclude: DotSet | null,
  explanation: Explanation | null,
  again: boolean,
): Promise<ReadRoundResult> {
  return readRound(
    parts,
    {
      self: plan.self,
      name: plan.name,
      conflict: plan.settings.conflict,
      homes: plan.homes,
      fallbacks: plan.fallbacks,
      required: plan.r,
      sloppy: plan.sloppy,
      askAll: again || (plan.r < plan.n && parts.random.next() < parts.readAllRate),
      mustInclude,
      isLive: (view) => shows(view, msFromHybrid(parts.hybrid.read(parts.clock.now()))),
      deadlineAt: plan.deadlineAt,
      hedgeMs: parts.hedgeMs,
    },
    explanation,
    (member, late, view) => {
      if (parts.readRepair && !sameVersions(late.view ?? EMPTY_VIEW, view)) repair(parts, plan, member, view)
    },
  )
}

function failureOf(plan: Plan, result: ReadRoundResult, explanation: Explanation | null): Failure | null {
  const { verdict } = result
  if (verdict.state === 'met' && result.contextReached) return null
  const told = {
    receipt: receiptOf(plan, plan.r, {
      replied: verdict.counts.counted.length,
      hinted: verdict.counts.standIns,
      durable: 0,
      guarantee: 'eventual',
    }),
    ...(explanation && { explain: explanation.entries }),
  } as const
  if (verdict.state === 'met') return { type: 'context-not-reached', ...told }
  return {
    type: 'quorum-not-met',
    operation: 'read',
    required: plan.r,
    acknowledged: verdict.counts.counted.length,
    replicas: result.tally.replicas.map(({ replica, state, reason }) => ({
      node: replica,
      answer: reason ? `refused:${reason}` : state,
    })),
    outcome: 'not-applied',
    ...told,
  }
}

function wantsStrict(plan: Plan, result: ReadRoundResult): boolean {
  const { counts } = result.verdict
  return counts.standIns === 0 && counts.homes >= plan.r && plan.r + plan.bucketW > plan.n
}

interface WrittenBack {
  /** Homes that hold the view. */
  readonly holding: number
  /** Dots of the view that a home had superseded meanwhile. */
  readonly refused: readonly Version['dot'][]
  /** When that home answered it still held one of them, or had not heard of it: what superseded it is not in its answer. */
  readonly hasMovedOn: boolean
}

/**
 * Brings the homes that differ up to the merged view. Waits (when `wanted`) until enough hold it for a strict answer; others are
 * repaired behind it.
 */
function writeBack(
  parts: ReadingParts,
  plan: Plan,
  result: ReadRoundResult,
  wanted: boolean,
): WrittenBack | Promise<WrittenBack> {
  const { view } = result
  // Nearly always: every home holds the very same.
  if (result.homes.every(({ answer }) => answer.view === view))
    return { holding: result.homes.length, refused: [], hasMovedOn: false }
  const differing = result.homes.filter(
    ({ answer }) => answer.view !== view && !sameVersions(answer.view ?? EMPTY_VIEW, view),
  )
  const agreeing = result.homes.length - differing.length
  const needed = strictHomesNeeded(plan.n, plan.r, plan.bucketW)
  // What only a stand-in's hint brought may long be superseded at homes whose stripped records no longer say so: they are asked.
  const doubtful = differing.length > 0 && view.versions.some(({ dot }) => !isHeldByHome(result, dot))
  if ((!wanted && !doubtful) || (agreeing >= needed && differing.length === 0)) {
    if (parts.readRepair) for (const { member } of differing) repair(parts, plan, member, view)
    return { holding: agreeing, refused: [], hasMovedOn: false }
  }
  // A single reader at a high R relies on fewer homes; beyond the ones that answered, nobody is asked just for the word.
  if (agreeing + differing.length < needed && !doubtful) return { holding: agreeing, refused: [], hasMovedOn: false }
  if (agreeing >= needed) {
    if (parts.readRepair) for (const { member } of differing) repair(parts, plan, member, view)
    return { holding: agreeing, refused: [], hasMovedOn: false }
  }
  return new Promise((resolve) => {
    let holding = agreeing
    let open = differing.length
    const refused: Version['dot'][] = []
    let hasMovedOn = false
    const end = (): void => {
      timer.cancel()
      resolve({ holding, refused, hasMovedOn })
    }
    // A disk may have no room, and then it takes nothing, and says nothing, until it has.
    const timer = parts.clock.after(Math.max(0, plan.writeBackUntil - parts.clock.monotonic()), end)
    for (const { member, answer: said } of differing) {
      repair(parts, plan, member, view, (answer) => {
        open--
        if (answer.type === 'written') {
          refused.push(...answer.refused)
          hasMovedOn ||= answer.refused.some((dot) => said.missing.has(dot) || isIn(said.view, dot))
          if (answer.refused.length === 0) holding++
        }
        // Where one has moved on there is another answer to be had.
        if (holding >= needed || open === 0 || hasMovedOn) end()
      })
    }
  })
}

function isHeldByHome(result: ReadRoundResult, dot: Version['dot']): boolean {
  return result.homes.some(({ answer }) => isIn(answer.view, dot))
}

function isIn(view: View | null, dot: Version['dot']): boolean {
  return view !== null && holds(view.versions, dot)
}

function repair(
  parts: ReadingParts,
  plan: Plan,
  member: string,
  view: View,
  done: (answer: WriteAnswer) => void = () => {},
): void {
  parts.onReadRepair()
  const write = { name: plan.name, view, intent: 'repair', durable: plan.settings.durability === 'durable' } as const
  parts.replicas.write(member, write, null, plan.deadlineAt, done)
}

function without(view: View, dots: DotSet): View {
  return { ...view, versions: view.versions.filter((version) => !dots.has(version.dot)) }
}

function shows(view: View, nowMs: number): boolean {
  return liveOf(view.versions, nowMs).length > 0
}
