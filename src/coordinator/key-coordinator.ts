// GET, PUT and DELETE of one key: composes reading, minting and the write round into the outcomes of `operations.ts`.
// Decides what a write supersedes and what its answer may claim to have seen; knows nothing of HTTP, links or disks.
// Invariant: the dot is taken before anything is sent, and the answer's context never includes what its client was not shown.

import { type CausalContext, EMPTY_CONTEXT } from '../core/causality/context-token.ts'
import { sameDot } from '../core/causality/dot.ts'
import { DotSet } from '../core/causality/dot-set.ts'
import { msFromHybrid } from '../core/causality/hybrid-clock.ts'
import { type Content, isLive, type Mark, type Tag, type Version } from '../core/causality/version.ts'
import { areTwins, holds, writeView } from '../core/causality/view.ts'
import { entityTag } from '../core/causality/view-digest.ts'
import type { Directory } from '../core/membership/directory.ts'
import type { Written } from '../replica/replica.ts'
import {
  answerContext,
  contextOf,
  fits,
  isSmall,
  lost,
  nothingDone,
  preconditionFails,
  readReceipt,
  shown,
  writeReceipt,
} from './answers.ts'
import type { DotMint } from './dot-mint.ts'
import { Explanation } from './explanation.ts'
import { markOf } from './idempotency.ts'
import type {
  DeleteOptions,
  DeleteOutcome,
  Failure,
  GetOptions,
  GetOutcome,
  KeyOptions,
  Precondition,
  PutOptions,
  PutOutcome,
  Receipt,
} from './operations.ts'
import { asBase, byHomes, type Plan, planAgain, planFor } from './plan.ts'
import { type Attempt, type Base, readBase, type Started } from './put-base.ts'
import { Reach } from './reach.ts'
import { read, type ReadingParts } from './reading.ts'
import type { OutgoingWrite } from './replica-answers.ts'
import { writeRound, type WriteRoundResult } from './write-round.ts'

export interface KeyCoordinatorParts extends ReadingParts {
  readonly directory: () => Directory | null
  /** Empty when this node serves; else why not. */
  readonly notServing: () => string | null
  readonly mint: DotMint
  readonly clockBoundMs: number
  readonly keepHint: (write: OutgoingWrite, target: string) => void
  /** How long to wait for links to come up before a quorum is called unreachable. Milliseconds. */
  readonly reachGraceMs: number
  /** The last home acknowledged a write, so many milliseconds after its answer. */
  readonly onEverywhere: (elapsedMs: number) => void
  /** Counts work that goes on behind an answer (stragglers, hints) until what is returned is called. */
  readonly underWay: () => () => void
}

export class KeyCoordinator {
  readonly #parts: KeyCoordinatorParts
  readonly #reach: Reach

  constructor(parts: KeyCoordinatorParts) {
    this.#parts = parts
    this.#reach = new Reach(parts.replicas, parts.clock, parts.reachGraceMs)
  }

  async get(options: GetOptions): Promise<GetOutcome> {
    const start = this.#startRead(options)
    const started = start instanceof Promise ? await start : start
    if ('type' in started) return started
    const { explanation } = started
    let { plan } = started
    let result: Awaited<ReturnType<typeof read>>
    for (let round = 1; ; round++) {
      result = await read(this.#parts, plan, options.context?.seen ?? null, explanation)
      const again = planAgain(plan, this.#parts.directory())
      if (again === plan || round === ROUNDS_MAX) break
      plan = again
    }
    if (result.type !== 'read') return result
    const receipt = readReceipt(plan, result)
    const versions = shown(result)
    // What the client brought and what the answer includes: it has seen both.
    const context = contextOf(result.view, options.context)
    const outcome: GetOutcome =
      versions.length === 0
        ? { type: 'not-found', context: context.seen.isEmpty ? null : context, receipt }
        : { type: 'found', versions, context, etag: entityTag(versions), receipt }
    return explanation ? { ...outcome, explain: explanation.entries } : outcome
  }

  put(options: PutOptions): Promise<PutOutcome> {
    const started = this.#start(options)
    if ('type' in started) return Promise.resolve(started)
    const mark =
      options.idempotencyKey === undefined
        ? null
        : markOf(options.bucket, options.key, options.idempotencyKey, options.content)
    const base = this.#base(started, options.context, options.precondition, mark)
    return base instanceof Promise
      ? base.then((found) => this.#putOver(started, options, found))
      : this.#putOver(started, options, base)
  }

  #putOver(started: Started, options: PutOptions, base: Base | Failure): Promise<PutOutcome> {
    if ('type' in base) return Promise.resolve(base)
    const { plan } = started
    if (base.attempt) return this.#stored(started, options, base.attempt, base.context)
    const write = this.#mint(plan, options.content, base.context, base.tag, options.ttlMs)
    if (!isSmall(base.context) && !fits(answerContext(base.context, write.version, null))) {
      this.#parts.mint.burn(plan.name.partition, write.version.dot)
      return Promise.resolve({ type: 'context-too-large', ...nothingDone(plan, plan.w) })
    }
    return this.#stored(started, options, write, base.context)
  }

  async delete(options: DeleteOptions): Promise<DeleteOutcome> {
    const start = this.#startRead(options)
    const started = start instanceof Promise ? await start : start
    if ('type' in started) return started
    const { plan, explanation } = started
    const given =
      options.context === undefined || options.context === 'latest' || options.precondition ? null : options.context
    const question = asBase(given ? plan : byHomes(plan), this.#parts.clock.monotonic())
    const found = await read(this.#parts, question, null, explanation)
    if (found.type !== 'read') return found
    const versions = shown(found)
    const failed = preconditionFails(options.precondition, versions)
    if (failed)
      return {
        type: 'precondition-failed',
        etag: versions.length ? entityTag(versions) : null,
        receipt: readReceipt(plan, found),
        ...(explanation && { explain: explanation.entries }),
      }
    const context = given ?? contextOf(found.view)
    // One shown version stands for its twins, and the client may have been told of any of them.
    const gone = found.view.versions.filter(({ dot }) => context.seen.has(dot))
    const superseded = versions.filter((shown) => gone.some((v) => v === shown || areTwins(v, shown))).length
    // Nothing there to supersede, and nothing in the context that this read does not know: nothing to write.
    if (superseded === 0 && context.seen.isSubsetOf(found.view.seen)) {
      const receipt = { ...readReceipt(plan, found), superseded: 0 }
      return {
        type: 'deleted',
        version: null,
        context: context.seen.isEmpty ? null : context,
        receipt,
        ...(explanation && { explain: explanation.entries }),
      }
    }
    const write = this.#mint(plan, null, context, null, undefined)
    const { result, judgedBy } = await this.#round(started, write)
    const told = {
      receipt: { ...writeReceipt(judgedBy, result), superseded },
      ...(explanation && { explain: explanation.entries }),
    }
    if (result.verdict.state === 'lost') return lost(judgedBy, result, told)
    return {
      type: 'deleted',
      version: write.version.dot,
      context: answerContext(context, write.version, result),
      ...told,
    }
  }

  // ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #start(options: KeyOptions): Started | Failure {
    const { directory: directoryOf, notServing, clock } = this.#parts
    const directory = directoryOf()
    const why = notServing()
    if (!directory || why !== null) {
      const receipt: Receipt = {
        n: 0,
        required: 0,
        replied: 0,
        hinted: 0,
        durable: 0,
        guarantee: 'eventual',
        node: directory?.self ?? '',
        ring: 0,
      }
      return { type: 'not-serving', detail: why ?? 'this node is not part of a cluster yet', receipt }
    }
    const plan = planFor(directory, options, clock.monotonic())
    if ('badQuorum' in plan) return { type: 'bad-quorum', detail: plan.badQuorum, receipt: plan.receipt }
    return { plan, explanation: options.explain ? new Explanation(clock) : null }
  }

  #startRead(options: KeyOptions): Started | Failure | Promise<Started> {
    const started = this.#start(options)
    if ('type' in started) return started
    const reached = this.#reach.enough(started.plan, started.plan.r)
    return reached ? reached.then(() => started) : started
  }

  /** What a PUT supersedes, or the attempt that already is what it asks for. */
  #base(
    started: Started,
    given: CausalContext | 'latest' | undefined,
    precondition: Precondition | undefined,
    mark: Mark | null,
  ): Base | Promise<Base | Failure> {
    if (given !== 'latest' && precondition === undefined && mark === null)
      return { context: given ?? EMPTY_CONTEXT, attempt: null, tag: null }
    return readBase(this.#parts, started, { given, precondition, mark }, this.#reach)
  }

  #mint(
    plan: Plan,
    content: Content | null,
    context: CausalContext,
    tag: Tag | null,
    ttlMs: number | undefined,
  ): Attempt {
    const { clock, clockBoundMs, hybrid, mint, random } = this.#parts
    const { ttlSeconds, ttlJitter } = plan.settings
    const byDefault =
      ttlSeconds === null ? null : ttlSeconds * 1000 * (1 - ttlJitter * (ttlJitter > 0 ? random.next() : 0))
    const lifetimeMs = content === null ? null : (ttlMs ?? byDefault)
    const stamp = hybrid.tick(clock.now(), context.stamp, clockBoundMs)
    const deadlineMs =
      lifetimeMs === null ? null : Math.min(DEADLINE_MAX_MS, Math.ceil(msFromHybrid(stamp) + lifetimeMs))
    const version: Version = { dot: mint.next(plan.name.partition), stamp, deadlineMs, tag, content }
    return { version, view: writeView(version, context.seen, context.tags), intent: 'client' }
  }

  async #stored(started: Started, options: PutOptions, attempt: Attempt, context: CausalContext): Promise<PutOutcome> {
    const { explanation } = started
    const { version } = attempt
    const { result, judgedBy: plan, heldLive } = await this.#round(started, attempt)
    const receipt = writeReceipt(plan, result)
    const told = explanation ? { receipt, explain: explanation.entries } : { receipt }
    // Of a retry the first attempt is somewhere, whoever refuses it now.
    const isFirst = attempt.intent === 'client'
    if (result.verdict.state === 'lost')
      return lost(plan, isFirst ? result : { ...result, verdict: unknown(result.verdict) }, told)
    const { written } = result
    const { clock, hybrid } = this.#parts
    // A retry may be of a write that was superseded since, or has expired; a write may meet one that is greater (in `lww`).
    const isGone = !holds(attempt.view.versions, version.dot)
    const nowMs = version.deadlineMs === null ? 0 : msFromHybrid(hybrid.read(clock.now()))
    const isShown = !isGone && isLive(version, nowMs) && !isRefused(written, version)
    let siblings = isShown ? 1 : 0
    for (const answer of written) if (answer.siblings > siblings) siblings = answer.siblings
    // A retry has the outcome of the first attempt, whatever lives here by now: of a tagged write the tag decides.
    const created = version.tag ? !version.tag.replaces : !(heldLive ?? !context.seen.isEmpty)
    // What the homes hold in its place the client has not seen.
    const answered = answerContext(context, version, isGone ? null : result)
    const stored: PutOutcome & { readonly type: 'stored' } = {
      type: 'stored',
      created,
      context: fits(answered) ? answered : answerContext(context, version, null),
      version: version.dot,
      siblings,
      etag: isShown && siblings === 1 ? entityTag([version]) : null,
      receipt,
    }
    if (!options.returnRepresentation) return explanation ? { ...stored, ...told } : stored
    const now = await read(this.#parts, plan, DotSet.of(version.dot), explanation)
    if (now.type !== 'read') return { ...stored, ...told, representation: isShown ? [version] : [] }
    const versions = shown(now)
    const seen = contextOf(now.view, stored.context)
    return {
      ...stored,
      ...told,
      context: seen,
      siblings: versions.length,
      etag: versions.length === 1 ? entityTag(versions) : null,
      representation: versions,
    }
  }

  async #round(started: Started, attempt: Attempt): Promise<Round> {
    const { explanation } = started
    let { plan } = started
    const { underWay, hedgeMs, clock, onEverywhere } = this.#parts
    const write = {
      name: plan.name,
      view: attempt.view,
      intent: attempt.intent,
      durable: plan.settings.durability === 'durable',
    }
    const reached = this.#reach.enough(plan, plan.w)
    if (reached) await reached
    // Too few in reach even now: better said at once, with nothing sent, than left half done.
    const hopeless = reached !== undefined && !this.#reach.isEnough(plan, plan.w)
    let heldLive: boolean | null = null
    for (let round = 1; ; round++) {
      const { homes, fallbacks, w: required, sloppy, deadlineAt } = plan
      const terms = { homes, fallbacks, required, sloppy, deadlineAt, hedgeMs, nothingToSend: hopeless }
      const digest = this.#parts.directory()?.membersDigest
      let answeredAt: number | null = null
      const goesOn = underWay()
      const settled = (everywhere: boolean): void => {
        goesOn()
        if (everywhere) onEverywhere(answeredAt === null ? 0 : clock.monotonic() - answeredAt)
      }
      const result = await writeRound(this.#parts, write, terms, explanation, settled)
      answeredAt = clock.monotonic()
      heldLive = heldLiveIn(result.written, heldLive)
      // A storage was replaced meanwhile: what its predecessor acknowledged is gone with it. Or the bucket has other settings than this
      // node knew: W may be another. Every replica is asked again; those that hold the write say so at no cost.
      const again = planAgain(plan, this.#parts.directory())
      const isCurrent = digest === this.#parts.directory()?.membersDigest && again === plan
      const judgedBy = plan
      plan = again
      if (round < ROUNDS_MAX && isBrokenOff(result) && (await this.#isBack(plan))) continue
      if (round === 1 && (isCurrent || result.verdict.state === 'lost')) {
        const { verdict } = result
        if (attempt.intent === 'client' && verdict.state === 'lost' && verdict.outcome === 'not-applied')
          this.#parts.mint.burn(plan.name.partition, attempt.version.dot)
        return { result, judgedBy, heldLive }
      }
      if (isCurrent && result.verdict.state === 'met') return { result, judgedBy, heldLive }
      if (result.verdict.state === 'lost' || round === ROUNDS_MAX)
        return { result: { ...result, verdict: unknown(result.verdict) }, judgedBy, heldLive }
    }
  }

  /** Links that broke are often back in a moment: whether enough are, in time. All may break at once, after a pause of this process. */
  async #isBack(plan: Plan): Promise<boolean> {
    const back = this.#reach.enough(plan, plan.w)
    if (back) await back
    return this.#reach.isEnough(plan, plan.w) && this.#parts.clock.monotonic() < plan.deadlineAt
  }
}

interface Round {
  readonly result: WriteRoundResult
  /** The plan that the verdict is of. */
  readonly judgedBy: Plan
  /** Whether a home held something live that this write found there; null: the answers that would say so were lost with their links. */
  readonly heldLive: boolean | null
}

/** Who hears of a write for the first time knows what else there was; who is asked once more has nothing to say. */
function heldLiveIn(written: readonly Written[], before: boolean | null): boolean | null {
  if (before === true || written.some((answer) => answer.heldLive)) return true
  return written.some((answer) => answer.stored) ? false : before
}

/** Nobody said no; links broke under it, or it was too late. */
function isBrokenOff({ verdict, tally }: WriteRoundResult): boolean {
  if (verdict.state !== 'lost' || verdict.outcome !== 'unknown' || verdict.reasons.length > 0) return false
  return tally.replicas.some(({ state }) => state === 'failed')
}

function isRefused(written: readonly Written[], { dot }: Version): boolean {
  for (const { refused } of written) if (refused.some((other) => sameDot(other, dot))) return true
  return false
}

// The last instant that a date can name.
const DEADLINE_MAX_MS = 8_640_000_000_000_000

// Each further round needs one more storage to be replaced right during the one before.
const ROUNDS_MAX = 3

/** Lost after a round that was met: whatever the last replies said, the write is somewhere. */
function unknown({ counts }: WriteRoundResult['verdict']): WriteRoundResult['verdict'] {
  return { state: 'lost', counts, outcome: 'unknown', reason: null, reasons: [] }
}
