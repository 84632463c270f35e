// GET, PUT and DELETE of one key: composes reading, minting and writing into the outcomes of `operations.ts`.
// Decides what a write supersedes and what its answer may claim to have seen; knows nothing of HTTP, links or disks.
// Invariant: the dot is taken before anything is sent, and the answer's context never includes what its client was not shown.

import { areTwins } from '../core/causality/attempts.ts'
import { type CausalContext, EMPTY_CONTEXT } from '../core/causality/context-token.ts'
import { sameDot } from '../core/causality/dot.ts'
import { DotSet } from '../core/causality/dot-set.ts'
import { msFromHybrid } from '../core/causality/hybrid-clock.ts'
import { type Content, isLive, type Mark, type Tag, type Version } from '../core/causality/version.ts'
import { holds, writeView } from '../core/causality/view.ts'
import { entityTag } from '../core/causality/view-digest.ts'
import type { Written } from '../replica/written.ts'
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
import { asBase, byHomes, type Plan, planFor } from './plan.ts'
import { type Attempt, type Base, readBase, type Started } from './put-base.ts'
import { Reach } from './reach.ts'
import { read, readInForce, type ReadingParts } from './reading.ts'
import { unknown, write, type WritingParts } from './writing.ts'

export interface KeyCoordinatorParts extends ReadingParts, WritingParts {
  readonly clockBoundMs: number
  /** How long to wait for links to come up before a quorum is called unreachable. Milliseconds. */
  readonly reachGraceMs: number
}

export class KeyCoordinator {
  readonly #parts: KeyCoordinatorParts
  readonly #reach: Reach

  constructor(parts: KeyCoordinatorParts) {
    this.#parts = parts
    this.#reach = new Reach(parts.replicas, parts.clock, parts.reachGraceMs)
  }

  async get(options: GetOptions): Promise<GetOutcome> {
    const started = this.#start(options)
    if ('type' in started) return started
    const { explanation } = started
    const mustInclude = options.context?.seen ?? null
    const { plan, found } = await readInForce(this.#parts, this.#reach, started.plan, asItIs, mustInclude, explanation)
    if (found.type !== 'read') return found
    const receipt = readReceipt(plan, found)
    const versions = shown(found)
    // What the client brought and what the answer includes: it has seen both.
    const context = contextOf(found.view, options.context)
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
    return base instanceof Promise ? base.then((found) => this.#putOver(options, found)) : this.#putOver(options, base)
  }

  #putOver(options: PutOptions, base: Base | Failure): Promise<PutOutcome> {
    if ('type' in base) return Promise.resolve(base)
    const { started } = base
    const { plan } = started
    if (base.attempt) return this.#stored(started, options, base.attempt, base.context)
    const attempt = this.#mint(plan, options.content, base.context, base.tag, options.ttlMs)
    if (!isSmall(base.context) && !fits(answerContext(base.context, attempt.version, null))) {
      this.#parts.mint.burn(plan.name.partition, attempt.version.dot)
      return Promise.resolve({ type: 'context-too-large', ...nothingDone(plan, plan.w) })
    }
    return this.#stored(started, options, attempt, base.context)
  }

  async delete(options: DeleteOptions): Promise<DeleteOutcome> {
    const started = this.#start(options)
    if ('type' in started) return started
    const { explanation } = started
    const given =
      options.context === undefined || options.context === 'latest' || options.precondition ? null : options.context
    const question = (plan: Plan): Plan => asBase(given ? plan : byHomes(plan), this.#parts.clock.monotonic())
    const { plan, found } = await readInForce(this.#parts, this.#reach, started.plan, question, null, explanation)
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
    const deletion = this.#mint(plan, null, context, null, undefined)
    const { result, judgedBy } = await write(this.#parts, this.#reach, { plan, explanation }, deletion)
    const told = {
      receipt: { ...writeReceipt(judgedBy, result), superseded },
      ...(explanation && { explain: explanation.entries }),
    }
    if (result.verdict.state === 'lost') return lost(judgedBy, result, told)
    return {
      type: 'deleted',
      version: deletion.version.dot,
      context: answerContext(context, deletion.version, result),
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

  /** What a PUT supersedes, or the attempt that already is what it asks for. */
  #base(
    started: Started,
    given: CausalContext | 'latest' | undefined,
    precondition: Precondition | undefined,
    mark: Mark | null,
  ): Base | Promise<Base | Failure> {
    if (given !== 'latest' && precondition === undefined && mark === null)
      return { started, context: given ?? EMPTY_CONTEXT, attempt: null, tag: null }
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
    const { result, judgedBy: plan, heldLive } = await write(this.#parts, this.#reach, started, attempt)
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
}

function isRefused(written: readonly Written[], { dot }: Version): boolean {
  for (const { refused } of written) if (refused.some((other) => sameDot(other, dot))) return true
  return false
}

function asItIs(plan: Plan): Plan {
  return plan
}

// The last instant that a date can name.
const DEADLINE_MAX_MS = 8_640_000_000_000_000
