// Asks one replica, wherever it is: this node's own through its door, another's over its link. Decides what an answer is worth: one
// from a storage that has been replaced is void. Knows nothing of quorums. Invariant: never rejects; every outcome is an answer.

import { encodeDotSet } from '../core/causality/dot-set-bytes.ts'
import type { HybridTime } from '../core/causality/hybrid-clock.ts'
import { splitView } from '../core/causality/view.ts'
import { type Directory, UNSETTLED } from '../core/membership/directory.ts'
import type { Peers } from '../link/peers.ts'
import type { ReadRequest, RefusalReason, WriteRequest } from '../protocol/messages.ts'
import type { Basis, LookResult, ReplicaService } from '../replica/replica-service.ts'
import {
  failWith,
  isStale,
  type Loss,
  lossOf,
  orLoss,
  type OutgoingWrite,
  type ReadAnswer,
  type ReadQuestion,
  readThere,
  type Refused,
  type WriteAnswer,
  writtenThere,
} from './replica-answers.ts'

/** Brings the two sides' member tables or bucket settings together; cluster/ does it. */
export interface Corrections {
  exchange(member: string, what: 'members' | 'settings', correction: Uint8Array | null, budgetMs: number): Promise<void>
}

// A correction changes what both sides know, so one retry is the rule and a few cover races of several changes.
const ATTEMPTS_MAX = 4

export class Replicas {
  readonly #directory: () => Directory
  readonly #peers: Peers
  readonly #service: ReplicaService
  readonly #corrections: Corrections
  readonly #monotonic: () => number
  readonly #hybridNow: () => HybridTime
  #lastBasis: Basis | null = null
  #lastWrite: { readonly write: OutgoingWrite; readonly basis: Basis; readonly request: WriteRequest } | null = null

  constructor(parts: {
    directory: () => Directory
    peers: Peers
    service: ReplicaService
    corrections: Corrections
    monotonic: () => number
    hybridNow: () => HybridTime
  }) {
    this.#directory = parts.directory
    this.#peers = parts.peers
    this.#service = parts.service
    this.#corrections = parts.corrections
    this.#monotonic = parts.monotonic
    this.#hybridNow = parts.hybridNow
  }

  reachable(member: string): boolean {
    return member === this.#directory().self || this.#peers.reachable(member)
  }

  onChange(listener: () => void): () => void {
    return this.#peers.onChange(listener)
  }

  /** Merge the view there (`hintFor` null), or hold it there for another member. `done` runs once, at once where nothing is waited for. */
  write(
    member: string,
    write: OutgoingWrite,
    hintFor: string | null,
    deadlineAt: number,
    done: (answer: WriteAnswer) => void,
  ): void {
    this.#attempt(member, write.name.bucket, deadlineAt, done, (basis, budgetMs, take) => {
      if (member === this.#directory().self) this.#writeHere(write, hintFor, basis, budgetMs, take)
      else this.#writeThere(member, write, hintFor, basis, budgetMs, take)
    })
  }

  #writeHere(
    write: OutgoingWrite,
    hintFor: string | null,
    basis: Basis,
    leftMs: number,
    take: (answer: WriteAnswer) => void,
  ): void {
    const { name, view, intent, durable } = write
    // A client's is waited for to the end, however late: nobody keeps a hint for the node that he is on.
    const budgetMs = intent === 'client' ? Infinity : leftMs
    if (hintFor !== null) {
      void this.#service.hint(name, view, basis, hintFor, { intent, durable, budgetMs }).then(take, failWith(take))
      return
    }
    const { self } = this.#directory()
    const result = orLoss(() => this.#service.write(self, name, view, basis, { intent, durable, budgetMs }))
    if (result instanceof Promise) void result.then(take, failWith(take))
    else take(result)
  }

  #writeThere(
    member: string,
    write: OutgoingWrite,
    hintFor: string | null,
    basis: Basis,
    budgetMs: number,
    take: (answer: WriteAnswer) => void,
  ): void {
    this.#peers.ask(member, this.#writeRequest(write, hintFor, basis), { budgetMs }, (answer) => {
      if (answer instanceof Error) return take(lossOf(answer))
      const { reply, storage } = answer
      if (storage !== this.#directory().storageOf(member)) return take({ type: 'failed' })
      if (reply.type === 'refused') return this.#correct(member, reply, budgetMs, take)
      take(orLoss(() => writtenThere(write, reply)))
    })
  }

  /** The same object for every member that is sent the same: the links then make its bytes once. */
  #writeRequest(write: OutgoingWrite, hintFor: string | null, basis: Basis): WriteRequest {
    const last = this.#lastWrite
    if (last?.write === write && last.basis === basis && last.request.hintFor === hintFor) return last.request
    const { name, view, intent, durable } = write
    const { partition, bucket, key } = name
    const { membersDigest, settingsVersion } = basis
    const request: WriteRequest = {
      type: 'write',
      bucket,
      key,
      partition,
      intent,
      view: splitView(view),
      hintFor,
      durable,
      membersDigest,
      settingsVersion,
    }
    this.#lastWrite = { write, basis, request }
    return request
  }

  /** What the replica knows of the key. `done` runs once, at once where nothing is waited for. */
  read(member: string, question: ReadQuestion, deadlineAt: number, done: (answer: ReadAnswer) => void): void {
    this.#attempt(member, question.name.bucket, deadlineAt, done, (basis, budgetMs, take) => {
      if (member === this.#directory().self) this.#readHere(question, basis, budgetMs, take)
      else this.#readThere(member, question, basis, budgetMs, take)
    })
  }

  #readHere(question: ReadQuestion, basis: Basis, budgetMs: number, take: (answer: ReadAnswer) => void): void {
    const { name, fallback, mustInclude } = question
    const time = this.#hybridNow()
    const tell = (look: LookResult): void => {
      if (look.type === 'refused') return take(look)
      const { view, missing, filling } = look
      take({ type: 'answered', view, same: false, missing, filling, time })
    }
    const look = fallback
      ? this.#service.lookAtHints(name, basis, mustInclude, budgetMs)
      : this.#service.look(name, basis, mustInclude, budgetMs)
    if (look instanceof Promise) void look.then(tell, failWith(take))
    else tell(look)
  }

  #readThere(
    member: string,
    question: ReadQuestion,
    basis: Basis,
    budgetMs: number,
    take: (answer: ReadAnswer) => void,
  ): void {
    const { name, fallback, expect, mustInclude } = question
    const request: ReadRequest = {
      type: 'read',
      bucket: name.bucket,
      key: name.key,
      partition: name.partition,
      expectDigest: expect?.digest ?? null,
      mustInclude: mustInclude && encodeDotSet(mustInclude),
      fallback,
      membersDigest: basis.membersDigest,
      settingsVersion: basis.settingsVersion,
    }
    this.#peers.ask(member, request, { budgetMs, time: this.#hybridNow() }, (answer) => {
      if (answer instanceof Error) return take(lossOf(answer))
      const { reply, storage, time } = answer
      if (storage !== this.#directory().storageOf(member)) return take({ type: 'failed' })
      if (reply.type === 'refused') return this.#correct(member, reply, budgetMs, take)
      take(orLoss(() => readThere(expect, reply, time)))
    })
  }

  /** A refusal that came of different tables brings them together before it is told. */
  #correct(
    member: string,
    { reason, correction }: { readonly reason: RefusalReason; readonly correction: Uint8Array | null },
    budgetMs: number,
    take: (answer: Loss) => void,
  ): void {
    const what = reason === 'stale-members' ? 'members' : reason === 'stale-settings' ? 'settings' : null
    const refused: Refused = { type: 'refused', reason }
    if (what === null) return take(refused)
    const corrected = this.#corrections.exchange(member, what, correction, budgetMs)
    void corrected.then(() => take(refused), failWith(take))
  }

  /** Asks again while the two sides only disagree on tables, which the refusal has brought together. */
  #attempt<A extends WriteAnswer | ReadAnswer>(
    member: string,
    bucket: string,
    deadlineAt: number,
    done: (answer: A | Loss) => void,
    ask: (basis: Basis, budgetMs: number, take: (answer: A | Loss) => void) => void,
    attempt: number = 1,
  ): void {
    const budgetMs = deadlineAt - this.#monotonic()
    if (budgetMs <= 0)
      return done(attempt === 1 ? { type: 'unreachable' } : { type: 'refused', reason: 'stale-members' })
    const basis = this.#basisOf(bucket)
    if (basis === null) return done({ type: 'refused', reason: 'stale-settings' })
    ask(basis, budgetMs, (answer) => {
      if (attempt < ATTEMPTS_MAX && isStale(answer)) this.#attempt(member, bucket, deadlineAt, done, ask, attempt + 1)
      else done(answer)
    })
  }

  /** One object as long as the tables stay; null while the bucket's settings are being settled. */
  #basisOf(bucket: string): Basis | null {
    const { membersDigest, settingsOf } = this.#directory()
    const settingsVersion = settingsOf(bucket).version
    if (settingsVersion === UNSETTLED) return null
    const last = this.#lastBasis
    if (last?.membersDigest === membersDigest && last.settingsVersion === settingsVersion) return last
    return (this.#lastBasis = { membersDigest, settingsVersion })
  }
}
