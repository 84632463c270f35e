// GET, PUT and DELETE of one key: composes reading, minting and the write round into the outcomes of `operations.ts`.
// Decides what a write supersedes and what its answer may claim to have seen; knows nothing of HTTP, links or disks.
// Invariant: the dot is taken before anything is sent, and the answer's context never includes what its client was not shown.

import {
  type CausalContext,
  CONTEXT_TOKEN_MAX,
  contextTokenLength,
  EMPTY_CONTEXT,
  uniteContexts,
} from '../core/causality/context-token.ts'
import { DotSet } from '../core/causality/dot-set.ts'
import { msFromHybrid } from '../core/causality/hybrid-clock.ts'
import { type Content, isLive, type Tag, type Version } from '../core/causality/version.ts'
import { type DeadTag, type View, withoutTwins, writeView } from '../core/causality/view.ts'
import { entityTag } from '../core/causality/view-digest.ts'
import type { Directory } from '../core/membership/directory.ts'
import { writeGuarantee } from '../core/quorum/guarantee.ts'
import type { DotMint } from './dot-mint.ts'
import { Explanation } from './explanation.ts'
import { tagOf } from './idempotency.ts'
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
import { type Plan, planFor, receiptOf } from './plan.ts'
import { read, type ReadingParts, type ReadResult } from './reading.ts'
import type { OutgoingWrite } from './replicas.ts'
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
  /** Work that goes on behind an answer: stragglers, hints. */
  readonly background: (work: Promise<void>) => void
}

interface Started {
  readonly plan: Plan
  readonly explanation: Explanation | null
}

export class KeyCoordinator {
  readonly #parts: KeyCoordinatorParts

  constructor(parts: KeyCoordinatorParts) {
    this.#parts = parts
  }

  async get(options: GetOptions): Promise<GetOutcome> {
    const started = await this.#start(options, 'read')
    if ('type' in started) return started
    const { plan, explanation } = started
    const result = await read(this.#parts, plan, options.context?.seen ?? null, explanation)
    if (result.type !== 'read') return result
    const told = { receipt: readReceipt(plan, result), ...(explanation && { explain: explanation.entries }) }
    const versions = shown(result)
    // What the client brought and what the answer includes: it has seen both.
    const context = options.context
      ? uniteContexts(contextOf(result.view), { ...options.context, tags: [] })
      : contextOf(result.view)
    if (versions.length === 0) return { type: 'not-found', context: context.seen.isEmpty ? null : context, ...told }
    return { type: 'found', versions, context, etag: entityTag(versions), ...told }
  }

  async put(options: PutOptions): Promise<PutOutcome> {
    const started = await this.#start(options, 'write')
    if ('type' in started) return started
    const { plan } = started
    const tag =
      options.idempotencyKey === undefined
        ? null
        : tagOf(options.bucket, options.key, options.idempotencyKey, options.content)
    const base = await this.#base(started, options.context, options.precondition, tag)
    if ('type' in base) return base
    if (base.attempt) return this.#stored(started, options, base.attempt, base.context)
    const write = this.#mint(plan, options.content, base.context, base.tag, options.ttlMs)
    if (contextTokenLength(answerContext(base.context, write.version, null)) > CONTEXT_TOKEN_MAX) {
      return { type: 'context-too-large', ...nothingDone(plan, plan.w) }
    }
    return this.#stored(started, options, write, base.context)
  }

  async delete(options: DeleteOptions): Promise<DeleteOutcome> {
    const started = await this.#start(options, 'write')
    if ('type' in started) return started
    const { plan, explanation } = started
    const found = await read(this.#parts, plan, null, explanation)
    if (found.type !== 'read') return found
    const versions = shown(found)
    const failed = preconditionFails(options.precondition, versions)
    if (failed)
      return {
        type: 'precondition-failed',
        etag: versions.length ? entityTag(versions) : null,
        ...nothingDone(plan, plan.w),
      }
    const given =
      options.context === undefined || options.context === 'latest' || options.precondition ? null : options.context
    const context = given ?? contextOf(found.view)
    const superseded = versions.filter((version) => context.seen.has(version.dot)).length
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
    const result = await this.#round(started, write)
    const told = {
      receipt: { ...writeReceipt(plan, result), superseded },
      ...(explanation && { explain: explanation.entries }),
    }
    if (result.verdict.state === 'lost') return lost(plan, result, told)
    return {
      type: 'deleted',
      version: write.version.dot,
      context: answerContext(context, write.version, result),
      ...told,
    }
  }

  // ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #start(options: KeyOptions, kind: 'read' | 'write'): Started | Failure | Promise<Started> {
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
    const started = { plan, explanation: options.explain ? new Explanation(clock) : null }
    const reached = this.#reachEnough(plan, kind === 'read' ? plan.r : plan.w)
    return reached ? reached.then(() => started) : started
  }

  /** Links that are just coming up deserve a moment; with too few replicas in reach after it, nothing is sent at all. */
  #reachEnough(plan: Plan, required: number): Promise<void> | undefined {
    if (this.#areReachable(plan, required)) return undefined
    const { replicas, clock, reachGraceMs } = this.#parts
    return new Promise((resolve) => {
      const done = (): void => {
        stop()
        timer.cancel()
        resolve()
      }
      const timer = clock.after(Math.min(reachGraceMs, Math.max(0, plan.deadlineAt - clock.monotonic())), done)
      const stop = replicas.onChange(() => {
        if (this.#areReachable(plan, required)) done()
      })
    })
  }

  /** Whether so many of those who may answer are in reach. */
  #areReachable(plan: Plan, required: number): boolean {
    const { replicas } = this.#parts
    let reachable = 0
    for (const home of plan.homes) if (replicas.reachable(home) && ++reachable >= required) return true
    if (plan.sloppy)
      for (const member of plan.fallbacks) if (replicas.reachable(member) && ++reachable >= required) return true
    return false
  }

  /** What a PUT supersedes, or the attempt that already is what it asks for. */
  async #base(
    { plan, explanation }: Started,
    given: CausalContext | 'latest' | undefined,
    precondition: Precondition | undefined,
    tag: Tag | null,
  ): Promise<
    { readonly context: CausalContext; readonly attempt: Attempt | null; readonly tag: Tag | null } | Failure
  > {
    const context = given === 'latest' || given === undefined ? EMPTY_CONTEXT : given
    // A client that saw an earlier attempt of this very write: what became of it must be known before there is another one.
    const isRetry = context.tags.some((seen) => seen.id === tag?.id)
    const mustRead = given === 'latest' || precondition !== undefined
    if (!mustRead && tag === null) return { context, attempt: null, tag }
    const found = await read(this.#parts, plan, null, explanation)
    if (found.type !== 'read') {
      // Without a majority in reach an idempotent write still goes out: its tag makes the attempts one when they meet.
      return mustRead || isRetry ? found : { context, attempt: null, tag }
    }
    if (tag !== null) {
      const twin = found.view.versions.find((version) => version.tag?.id === tag.id)
      if (twin?.tag && twin.tag.fingerprint !== tag.fingerprint)
        return { type: 'idempotency-mismatch', ...nothingDone(plan, plan.w) }
      if (twin) return { context, attempt: { version: twin, view: found.view, intent: 'repair' }, tag }
      // Superseded already: the attempt says so itself, or a home that has not heard of it yet would take it for news.
      const dead = found.view.deadTags.find(({ id }) => id === tag.id)
      if (dead) return { context: uniteContexts(context, { ...EMPTY_CONTEXT, tags: [dead] }), attempt: null, tag }
    }
    // Under its own tag, a write that supersedes an earlier attempt would die with it.
    if (!mustRead) return { context, attempt: null, tag: isRetry ? null : tag }
    const versions = shown(found)
    if (preconditionFails(precondition, versions)) {
      return {
        type: 'precondition-failed',
        etag: versions.length ? entityTag(versions) : null,
        ...nothingDone(plan, plan.w),
      }
    }
    return { context: contextOf(found.view), attempt: null, tag }
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
    const { plan, explanation } = started
    const { version } = attempt
    const result = await this.#round(started, attempt)
    const told = { receipt: writeReceipt(plan, result), ...(explanation && { explain: explanation.entries }) }
    if (result.verdict.state === 'lost') return lost(plan, result, told)
    const written = [...result.written.values()]
    const siblings = Math.max(1, ...written.map((answer) => answer.siblings))
    const created = !written.some((answer) => answer.heldLive)
    const answered = answerContext(context, version, result)
    const stored = {
      type: 'stored',
      created,
      context: contextTokenLength(answered) <= CONTEXT_TOKEN_MAX ? answered : answerContext(context, version, null),
      version: version.dot,
      siblings,
      etag: siblings === 1 ? entityTag([version]) : null,
      ...told,
    } as const
    if (!options.returnRepresentation) return stored
    const now = await read(this.#parts, plan, DotSet.of(version.dot), explanation)
    if (now.type !== 'read') return { ...stored, representation: [version] }
    const versions = shown(now)
    const seen = uniteContexts(stored.context, contextOf(now.view))
    return {
      ...stored,
      context: seen,
      siblings: versions.length,
      etag: versions.length === 1 ? entityTag(versions) : null,
      representation: versions,
    }
  }

  async #round({ plan, explanation }: Started, attempt: Attempt): Promise<WriteRoundResult> {
    const { background, hedgeMs, clock, onEverywhere } = this.#parts
    const write = {
      name: plan.name,
      view: attempt.view,
      intent: attempt.intent,
      durable: plan.settings.durability === 'durable',
    }
    // The links may have gone and come since the read that this write was built on.
    await this.#reachEnough(plan, plan.w)
    // Too few in reach even now: better said at once, with nothing sent, than left half done.
    const hopeless = !this.#areReachable(plan, plan.w)
    const terms = {
      homes: plan.homes,
      fallbacks: plan.fallbacks,
      required: plan.w,
      sloppy: plan.sloppy,
      deadlineAt: plan.deadlineAt,
      hedgeMs,
      nothingToSend: hopeless,
    }
    for (let round = 1; ; round++) {
      const digest = this.#parts.directory()?.membersDigest
      const result = await writeRound(this.#parts, write, terms, explanation)
      const answeredAt = clock.monotonic()
      background(
        result.settled.then((everywhere) => {
          if (everywhere) onEverywhere(clock.monotonic() - answeredAt)
        }),
      )
      // A storage was replaced meanwhile: what its predecessor acknowledged is gone with it. Every replica is asked again; those that
      // hold the write say so at no cost.
      const isCurrent = digest === this.#parts.directory()?.membersDigest
      if (round === 1 && (isCurrent || result.verdict.state === 'lost')) return result
      if (isCurrent && result.verdict.state === 'met') return result
      if (result.verdict.state === 'lost' || round === ROUNDS_MAX)
        return { ...result, verdict: unknown(result.verdict) }
    }
  }
}

// The last instant that a date can name.
const DEADLINE_MAX_MS = 8_640_000_000_000_000

// Each further round needs one more storage to be replaced right during the one before.
const ROUNDS_MAX = 3

/** Lost after a round that was met: whatever the last replies said, the write is somewhere. */
function unknown({ counts }: WriteRoundResult['verdict']): WriteRoundResult['verdict'] {
  return { state: 'lost', counts, outcome: 'unknown', reason: null, reasons: [] }
}

interface Attempt {
  readonly version: Version
  readonly view: View
  readonly intent: 'client' | 'repair'
}

function shown(result: ReadResult): readonly Version[] {
  return withoutTwins(result.view.versions.filter((version) => isLive(version, result.judgedAtMs)))
}

/** Everything that the view has seen; the tags of its versions, which die when a write under this context supersedes them. */
function contextOf(view: View): CausalContext {
  return {
    seen: view.seen,
    stamp: view.versions.reduce((greatest, version) => Math.max(greatest, version.stamp), 0),
    tags: tagsOf(view.versions),
  }
}

function tagsOf(versions: readonly Version[]): readonly DeadTag[] {
  const tags = new Map<string, DeadTag>()
  for (const { tag, stamp } of versions)
    if (tag && !tags.has(tag.id)) tags.set(tag.id, { id: tag.id, atMs: msFromHybrid(stamp) })
  return [...tags.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
}

/**
 * The request's context and the new dot. What a replica knows beyond that is added only where it holds exactly this version:
 * otherwise the client would seem to have seen siblings that nobody showed it, and its next write would drop them.
 */
function answerContext(context: CausalContext, version: Version, result: WriteRoundResult | null): CausalContext {
  const seen = context.seen.clone()
  seen.add(version.dot)
  for (const answer of result?.written.values() ?? []) if (answer.context) seen.addAll(answer.context)
  return { seen, stamp: Math.max(context.stamp, version.stamp), tags: tagsOf([version]) }
}

/** RFC 9110 §13.1: checked against what the read found. */
function preconditionFails(precondition: Precondition | undefined, versions: readonly Version[]): boolean {
  if (!precondition) return false
  if (precondition.type === 'none') return versions.length > 0
  if (precondition.etags === '*') return versions.length === 0
  return versions.length === 0 || !precondition.etags.includes(entityTag(versions))
}

function nothingDone(plan: Plan, required: number): { readonly receipt: Receipt } {
  return { receipt: receiptOf(plan, required, { replied: 0, hinted: 0, durable: 0, guarantee: 'eventual' }) }
}

function readReceipt(plan: Plan, result: ReadResult): Receipt {
  return receiptOf(plan, plan.r, {
    replied: result.replied,
    hinted: result.hinted,
    durable: 0,
    guarantee: result.guarantee,
  })
}

function writeReceipt(plan: Plan, { verdict }: WriteRoundResult): Receipt {
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
  return receiptOf(plan, plan.w, { replied: counts.replied, hinted: counts.hinted, durable: counts.durable, guarantee })
}

function lost(plan: Plan, result: WriteRoundResult, told: { readonly receipt: Receipt }): Failure {
  const { verdict, tally, notAsked } = result
  if (verdict.state === 'lost' && verdict.outcome === 'not-applied') {
    switch (verdict.reason) {
      case 'too-many-siblings':
      case 'idempotency-mismatch':
      case 'clock-ahead':
      case 'storage-full':
        return { type: verdict.reason, ...told }
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
