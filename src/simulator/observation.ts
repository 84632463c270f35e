// Hands every outcome to the checkers, and what leaves the coordinators to the history. Decides nothing: which property is judged how
// is each checker's own.

import { DotSet } from '../core/causality/dot-set.ts'
import { formatDot } from '../core/causality/dot.ts'
import type { Failure } from '../coordinator/operations.ts'
import type { QuorateNode } from '../node/node.ts'
import { checkAvailability } from './checkers/availability.ts'
import { checkAnsweredContext, checkContextReached, checkSent } from './checkers/context.ts'
import { DotsUnique } from './checkers/dots-unique.ts'
import { Collected } from './checkers/collected.ts'
import { Copies } from './checkers/copies.ts'
import { Durability } from './checkers/durability.ts'
import { checkExpiry } from './checkers/expiry.ts'
import { checkFreshness, joinStrictWrite } from './checkers/freshness.ts'
import { HintsKept } from './checkers/hints.ts'
import { checkIntact } from './checkers/intact.ts'
import { checkReadReceipt, checkWriteReceipt } from './checkers/receipts.ts'
import { checkSiblings } from './checkers/siblings.ts'
import { homesOf } from './holdings.ts'
import type { KeyHistory, WriteRecord } from './history.ts'
import type { ObservedFailure, ObservedRead, ObservedWrite } from './observed.ts'
import { Stability } from './stability.ts'
import { tally, type World } from './world.ts'

export class Observation {
  readonly stability: Stability
  readonly durability: Durability
  readonly #copies: Copies
  readonly #hints: HintsKept
  readonly #collected: Collected
  readonly dots: DotsUnique
  readonly #world: World

  constructor(world: World) {
    this.#world = world
    this.stability = new Stability(() => world.cluster.time.now)
    this.durability = new Durability(world)
    this.#copies = new Copies(world)
    this.#hints = new HintsKept(world)
    this.#collected = new Collected(world)
    this.dots = new DotsUnique(world.violations)
  }

  /** Listens to what this node's coordinator sends out: the only way to learn the dot of a write that breaks off. */
  attach(node: QuorateNode): void {
    const { history, cluster } = this.#world
    const replicas = node.rooms?.replicas
    if (!replicas) return
    const write = replicas.write.bind(replicas)
    replicas.write = (member, outgoing, hintFor, deadlineAt, done) => {
      const { name, view, intent } = outgoing
      if (intent === 'client') {
        const key = history.of(name.bucket, name.key)
        const [version] = view.versions
        const isNew = version !== undefined && !key.byDot.has(formatDot(version.dot))
        const record = key.noteSent(view, cluster.time.now)
        if (record && isNew) checkSent(this.#world, key, record, view)
        for (const sent of view.versions) this.dots.note(key, sent)
      }
      write(member, outgoing, hintFor, deadlineAt, done)
    }
  }

  /** What must hold at any time. `isWhole`: nothing that was destroyed is still to be repaired. */
  tick(isWhole: boolean): void {
    this.#copies.tick(isWhole)
    this.#hints.tick(isWhole)
    this.#collected.tick(isWhole)
  }

  /** What holds for the key now, before an operation on it begins. */
  before(key: KeyHistory): Pick<ObservedRead, 'startedAt' | 'fillingAtStart' | 'strictAtStart' | 'toldAtStart'> {
    const { cluster } = this.#world
    const filling = homesOf(cluster, key).filter((home) =>
      cluster.host(home).node?.rooms?.filling.isFilling(key.partition),
    )
    return {
      startedAt: cluster.time.now,
      fillingAtStart: new Set(filling),
      strictAtStart: key.strict.clone(),
      toldAtStart: key.told.clone(),
    }
  }

  read(read: ObservedRead): void {
    const { outcome, key } = read
    tally(this.#world.operations, `get ${outcome.type} ${outcome.receipt.guarantee}`)
    if (outcome.type === 'found') {
      for (const version of outcome.versions) {
        checkIntact(this.#world, key, version, 'a read')
        this.dots.note(key, version)
        // Seen with its dot: an attempt whose outcome nobody heard of is known from here on.
        const write = key.writeOf(version)
        if (write && !key.byDot.has(formatDot(version.dot))) {
          key.noteAttempt(write, version, DotSet.of(version.dot), null)
        }
      }
    }
    checkReadReceipt(this.#world, read)
    checkSiblings(this.#world, read)
    checkContextReached(this.#world, read)
    checkExpiry(this.#world, read)
    checkFreshness(this.#world, read)
  }

  written(observed: ObservedWrite): void {
    const { outcome, key, startedAt, endedAt } = observed
    const label = outcome.type === 'deleted' && !outcome.version ? 'nothing' : outcome.receipt.guarantee
    tally(this.#world.operations, `${outcome.type === 'deleted' ? 'delete' : 'put'} ${label}`)
    if (!outcome.version) return
    const write = observed.write ?? key.byDot.get(formatDot(outcome.version)) ?? null
    const judged = { ...observed, write }
    if (write) {
      if (!write.attempts.has(formatDot(outcome.version)) && outcome.context) {
        // Another attempt of an idempotent write, of a coordinator that is gone.
        key.noteAttempt(write, { dot: outcome.version, stamp: outcome.context.stamp }, DotSet.of(outcome.version), null)
      }
      key.noteAcknowledged(write, outcome.version, endedAt, outcome.receipt.required)
      write.lastEndedAt = Math.max(write.lastEndedAt, endedAt)
    } else
      this.#world.violations.add(
        'G7',
        `${key.name}: ${formatDot(outcome.version)} was acknowledged at ${startedAt} and never sent`,
      )
    checkWriteReceipt(this.#world, judged)
    this.durability.check(judged)
    this.#copies.note(judged)
    this.#collected.note(judged)
    checkAnsweredContext(this.#world, judged)
    joinStrictWrite(judged)
  }

  failed(failure: ObservedFailure): void {
    const { outcome, write, kind, endedAt } = failure
    const certainty = outcome.type === 'quorum-not-met' && kind !== 'get' ? ` ${outcome.outcome}` : ''
    tally(this.#world.operations, `${kind} ${outcome.type}${certainty}`)
    if (write) settle(write, isCertain(outcome) ? 'void' : 'unknown', endedAt)
    checkAvailability(this.#world, this.stability, failure)
  }

  /** The connection to the coordinator broke: anything may have happened. */
  broken(kind: string, write: WriteRecord | null, endedAt: number): void {
    tally(this.#world.operations, `${kind} broken`)
    if (write) settle(write, 'unknown', endedAt)
  }
}

/** A write is void only when every one of its attempts is. */
function settle(write: WriteRecord, fate: 'void' | 'unknown', at: number): void {
  write.lastEndedAt = Math.max(write.lastEndedAt, at)
  if (write.fate === 'acknowledged' || write.fate === 'unknown') return
  if (fate === 'unknown') write.fate = 'unknown'
  else if (write.open === 0) write.fate = 'void'
}

/** Every failure but one means that nothing was applied. */
function isCertain(outcome: Failure): boolean {
  return outcome.type !== 'quorum-not-met' || outcome.operation === 'read' || outcome.outcome === 'not-applied'
}
