// Asks one replica, wherever it is: this node's own through its door, another's over its link. Decides what an answer is worth: one
// from a storage that has been replaced is void. Knows nothing of quorums. Invariant: never rejects; every outcome is an answer.

import type { Dot } from '../core/causality/dot.ts'
import { ByteReader, ByteWriter, MalformedBytes } from '../core/bytes.ts'
import { DotSet } from '../core/causality/dot-set.ts'
import type { HybridTime } from '../core/causality/hybrid-clock.ts'
import { decodeView, encodeView, type View } from '../core/causality/view.ts'
import { viewDigest } from '../core/causality/view-digest.ts'
import { type Directory, UNSETTLED } from '../core/membership/directory.ts'
import { QuorateError } from '../errors.ts'
import type { Peers } from '../link/peers.ts'
import type { RefusalReason } from '../protocol/messages.ts'
import type { Basis, LookResult, ReplicaService } from '../replica/replica-service.ts'
import type { KeyName, WriteResult } from '../replica/replica.ts'

export interface OutgoingWrite {
  readonly name: KeyName
  readonly view: View
  readonly intent: 'client' | 'repair' | 'handoff'
  /** Wait for the sync before acknowledging. */
  readonly durable: boolean
}

export type WriteAnswer =
  | {
      readonly type: 'written'
      readonly stored: boolean
      readonly durable: boolean
      readonly heldLive: boolean
      readonly siblings: number
      readonly context: DotSet | null
      readonly refused: readonly Dot[]
      readonly filling: boolean
    }
  | { readonly type: 'hinted'; readonly durable: boolean }
  | { readonly type: 'refused'; readonly reason: RefusalReason }
  /** It may have been received. */
  | { readonly type: 'failed' }
  /** Nothing was sent. */
  | { readonly type: 'unreachable' }

export type ReadAnswer =
  | {
      readonly type: 'answered'
      /** Null: nothing is known of the key there. */
      readonly view: View | null
      /** The digest was the expected one; then `view` is the caller's own. */
      readonly same: boolean
      /** The part of the required context that it does not know. */
      readonly missing: DotSet
      readonly filling: boolean
      /** A hybrid time that the replica knows. */
      readonly time: HybridTime
    }
  | { readonly type: 'refused'; readonly reason: RefusalReason }
  | { readonly type: 'failed' }
  | { readonly type: 'unreachable' }

export interface ReadQuestion {
  readonly name: KeyName
  readonly fallback: boolean
  /** What the caller already holds: an equal answer comes back as `same`. */
  readonly expect: { readonly view: View | null; readonly digest: string } | null
  readonly mustInclude: DotSet | null
}

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

  /** Merge the view there (`hintFor` null), or hold it there for another member. At once where nothing has to be waited for. */
  write(
    member: string,
    write: OutgoingWrite,
    hintFor: string | null,
    deadlineAt: number,
  ): WriteAnswer | Promise<WriteAnswer> {
    return this.#persist(write.name.bucket, deadlineAt, 1, (basis, budgetMs) =>
      member === this.#directory().self
        ? this.#writeHere(write, hintFor, basis)
        : this.#writeThere(member, write, hintFor, basis, budgetMs),
    )
  }

  #writeHere(write: OutgoingWrite, hintFor: string | null, basis: Basis): WriteAnswer | Promise<WriteAnswer> {
    const { name, view, intent, durable } = write
    if (hintFor !== null) return this.#service.hint(name, view, basis, hintFor, durable)
    const result = this.#service.write(name, view, basis, { intent, durable })
    return result instanceof Promise ? result.then(writtenHere) : writtenHere(result)
  }

  async #writeThere(
    member: string,
    write: OutgoingWrite,
    hintFor: string | null,
    basis: Basis,
    budgetMs: number,
  ): Promise<WriteAnswer> {
    const { name, view, intent, durable } = write
    const request = { type: 'write', ...name, intent, view: encoded(view), hintFor, durable, ...basis } as const
    const { reply, storage } = await this.#peers.request(member, request, { budgetMs })
    if (storage !== this.#directory().storageOf(member)) return { type: 'failed' }
    if (reply.type === 'refused') return this.#refused(member, reply, budgetMs)
    if (reply.outcome === 'hinted') return { type: 'hinted', durable: reply.durable }
    return {
      type: 'written',
      stored: reply.outcome === 'stored',
      durable: reply.durable,
      heldLive: reply.heldLive,
      siblings: reply.siblings,
      context: reply.context && decodeDotSet(reply.context),
      refused: reply.refusedDots ? dotsAmong(view, decodeDotSet(reply.refusedDots)) : [],
      filling: reply.filling,
    }
  }

  /** What the replica knows of the key. At once where nothing has to be waited for. */
  read(member: string, question: ReadQuestion, deadlineAt: number): ReadAnswer | Promise<ReadAnswer> {
    return this.#persist(question.name.bucket, deadlineAt, 1, (basis, budgetMs) =>
      member === this.#directory().self
        ? this.#readHere(question, basis)
        : this.#readThere(member, question, basis, budgetMs),
    )
  }

  #readHere({ name, fallback, mustInclude }: ReadQuestion, basis: Basis): ReadAnswer | Promise<ReadAnswer> {
    const time = this.#hybridNow()
    const answer = (look: LookResult): ReadAnswer => {
      if (look.type === 'refused') return look
      const missing = this.#missingHere(name, look.view, fallback, mustInclude)
      return { type: 'answered', view: look.view, same: false, missing, filling: look.filling, time }
    }
    const look = fallback ? this.#service.lookAtHints(name, basis) : this.#service.look(name, basis)
    return look instanceof Promise ? look.then(answer) : answer(look)
  }

  async #readThere(member: string, question: ReadQuestion, basis: Basis, budgetMs: number): Promise<ReadAnswer> {
    const { name, fallback, expect, mustInclude } = question
    const request = {
      type: 'read',
      ...name,
      expectDigest: expect?.digest ?? null,
      mustInclude: mustInclude && encodeDotSet(mustInclude),
      fallback,
      ...basis,
    } as const
    const { reply, storage, time } = await this.#peers.request(member, request, { budgetMs, time: this.#hybridNow() })
    if (storage !== this.#directory().storageOf(member)) return { type: 'failed' }
    if (reply.type === 'refused') return this.#refused(member, reply, budgetMs)
    const same = expect !== null && reply.view === null && reply.digest === expect.digest
    return {
      type: 'answered',
      view: same ? expect.view : reply.view && decodeView(reply.view),
      same,
      missing: reply.missing ? decodeDotSet(reply.missing) : NOTHING_MISSING,
      filling: reply.filling,
      // Its own word: a time that was too far ahead for it was told, but not taken over.
      time,
    }
  }

  #missingHere(name: KeyName, view: View | null, fallback: boolean, mustInclude: DotSet | null): DotSet {
    if (mustInclude === null) return NOTHING_MISSING
    if (!fallback) return this.#service.missing(name, mustInclude)
    return view ? mustInclude.subtract(view.seen) : mustInclude
  }

  async #refused(
    member: string,
    reply: { readonly reason: RefusalReason; readonly correction: Uint8Array | null },
    budgetMs: number,
  ): Promise<{ readonly type: 'refused'; readonly reason: RefusalReason }> {
    if (reply.reason === 'stale-members')
      await this.#corrections.exchange(member, 'members', reply.correction, budgetMs)
    if (reply.reason === 'stale-settings')
      await this.#corrections.exchange(member, 'settings', reply.correction, budgetMs)
    return { type: 'refused', reason: reply.reason }
  }

  /** Asks again while the two sides only disagree on tables, which the refusal has brought together. */
  #persist<A extends WriteAnswer | ReadAnswer>(
    bucket: string,
    deadlineAt: number,
    attempt: number,
    ask: (basis: Basis, budgetMs: number) => A | Promise<A>,
  ): A | Loss | Promise<A | Loss> {
    const budgetMs = deadlineAt - this.#monotonic()
    if (budgetMs <= 0) return attempt === 1 ? { type: 'unreachable' } : { type: 'refused', reason: 'stale-members' }
    const directory = this.#directory()
    const settingsVersion = directory.settingsOf(bucket).version
    if (settingsVersion === UNSETTLED) return { type: 'refused', reason: 'stale-settings' }
    const judge = (answer: A): A | Loss | Promise<A | Loss> =>
      attempt < ATTEMPTS_MAX && isStale(answer) ? this.#persist(bucket, deadlineAt, attempt + 1, ask) : answer
    let answer: A | Promise<A>
    try {
      answer = ask({ membersDigest: directory.membersDigest, settingsVersion }, budgetMs)
    } catch (error) {
      const loss = lossOf(error)
      // A broken invariant must stop the process, as it does where the answer is waited for.
      return loss ?? Promise.reject(error)
    }
    if (!(answer instanceof Promise)) return judge(answer)
    return answer.then(judge, (error: unknown) => {
      const loss = lossOf(error)
      if (loss === null) throw error
      return loss
    })
  }
}

type Loss =
  | { readonly type: 'failed' }
  | { readonly type: 'unreachable' }
  | { readonly type: 'refused'; readonly reason: RefusalReason }

/** What an operating failure means for the one who asked; null: it is none. */
function lossOf(error: unknown): Loss | null {
  // What a peer garbled may still have been received.
  if (error instanceof MalformedBytes) return { type: 'failed' }
  if (!(error instanceof QuorateError)) return null
  return error.code === 'unreachable' || error.code === 'overloaded' ? { type: 'unreachable' } : { type: 'failed' }
}

function isStale(answer: WriteAnswer | ReadAnswer): boolean {
  return answer.type === 'refused' && (answer.reason === 'stale-members' || answer.reason === 'stale-settings')
}

function writtenHere(result: WriteResult): WriteAnswer {
  if (result.type === 'refused') return result
  const { durable, heldLive, siblings, context, refused, filling } = result
  return {
    type: 'written',
    stored: result.outcome === 'stored',
    durable,
    heldLive,
    siblings,
    context,
    refused,
    filling,
  }
}

// Shared, since answers are never changed.
const NOTHING_MISSING: DotSet = DotSet.empty()

/** Of the versions that were sent; what else a peer names means nothing here. */
function dotsAmong(view: View, named: DotSet): Dot[] {
  return view.versions.map(({ dot }) => dot).filter((dot) => named.has(dot))
}

// One write goes to several replicas: its bytes are made once.
const encodings = new WeakMap<View, Buffer>()

function encoded(view: View): Buffer {
  const known = encodings.get(view)
  if (known) return known
  const bytes = encodeView(view)
  encodings.set(view, bytes)
  return bytes
}

export function encodeDotSet(set: DotSet): Buffer {
  const writer = new ByteWriter(64)
  set.encode(writer)
  return writer.finish()
}

export function decodeDotSet(bytes: Uint8Array): DotSet {
  const reader = new ByteReader(bytes)
  const set = DotSet.decode(reader)
  reader.end()
  return set
}

export function expectation(view: View | null): { readonly view: View | null; readonly digest: string } {
  return { view, digest: viewDigest(view) }
}
