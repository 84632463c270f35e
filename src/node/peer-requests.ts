// How a node answers its peers: each request goes to the room that owns it, and what comes from outside is decoded here, where a
// malformed field becomes a refusal to talk, never a crash. Decides nothing else.

import { MalformedBytes } from '../core/bytes.ts'
import { DotSet } from '../core/causality/dot-set.ts'
import { decodeDotSet, encodeDotSet } from '../core/causality/dot-set-bytes.ts'
import { decodeView, splitView, type View } from '../core/causality/view.ts'
import { viewDigest } from '../core/causality/view-digest.ts'
import { QuorateError } from '../errors.ts'
import type { BucketRegistry } from '../cluster/bucket-registry.ts'
import type { Membership } from '../cluster/membership.ts'
import { decodeTable } from '../cluster/tables.ts'
import type { RequestHandler } from '../link/peers.ts'
import type {
  ReadReply,
  ReadRequest,
  Refusal,
  RefusalReason,
  Reply,
  Request,
  WriteReply,
  WriteRequest,
  ListReply,
} from '../protocol/messages.ts'
import type { ExchangeService } from '../repair/exchange-service.ts'
import type { ListQuestion } from '../replica/list.ts'
import type { WriteResult } from '../replica/replica.ts'
import type { LookResult, ReplicaService } from '../replica/replica-service.ts'

export interface PeerRequestParts {
  readonly service: ReplicaService
  readonly exchange: ExchangeService
  readonly membership: Membership
  readonly buckets: BucketRegistry
  readonly list: (question: ListQuestion) => ListReply
  readonly handoffBytes: (pendingBytes: number) => number
  readonly serving: () => boolean
}

export class PeerRequests {
  readonly #parts: PeerRequestParts

  constructor(parts: PeerRequestParts) {
    this.#parts = parts
  }

  /** Rejects with `timeout` when the disk takes longer than the budget. */
  readonly handle: RequestHandler = (from, request, { budgetMs }) => {
    // Most answers need no waiting, and then no promise.
    try {
      if (request.type === 'read') return this.#read(request, budgetMs)
      if (request.type === 'write') return this.#write(from.name, request, budgetMs)
    } catch (error) {
      return refusalFor(error)
    }
    return this.#answer(from, request, budgetMs).catch(refusalFor)
  }

  async #answer(
    from: { readonly name: string; readonly storage: string },
    request: Exclude<Request, ReadRequest | WriteRequest>,
    budgetMs: number,
  ): Promise<Reply> {
    const { service, exchange, membership, buckets, list, handoffBytes, serving } = this.#parts
    switch (request.type) {
      case 'members': {
        const known = membership.table?.member(from.name)
        const identity = { ...from, peerAddress: known?.peerAddress ?? '', clientAddress: known?.clientAddress ?? '' }
        membership.receive(identity, decodeTable(request.table))
        return { type: 'members', table: membership.encoded }
      }
      case 'settings':
        return { type: 'settings', settings: buckets.answer(from.name, request.settings) }
      default:
    }
    if (!serving()) return refusal('not-serving')
    switch (request.type) {
      case 'list':
        return service.synced(list(request), budgetMs)
      case 'compare':
        return exchange.compare(from, request, budgetMs)
      case 'exchange':
        return exchange.exchange(from, request, budgetMs)
      case 'tree':
        return exchange.tree(from, request)
      case 'handoff':
        return { type: 'handoff', bytesGranted: handoffBytes(request.pendingBytes) }
    }
  }

  #write(from: string, request: WriteRequest, budgetMs: number): WriteReply | Refusal | Promise<WriteReply | Refusal> {
    const view = decodeView(request.view)
    // What fails from here on fails after it was merged: a refusal would say that nothing of it is here. The link then answers nothing.
    if (request.hintFor !== null) return this.#hold(request, view, request.hintFor, budgetMs)
    const { intent, durable } = request
    const result = this.#parts.service.write(from, request, view, request, { intent, durable, budgetMs })
    return result instanceof Promise ? result.then((done) => this.#written(done)) : this.#written(result)
  }

  async #hold(request: WriteRequest, view: View, target: string, budgetMs: number): Promise<WriteReply | Refusal> {
    const { intent, durable } = request
    const held = await this.#parts.service.hint(request, view, request, target, { intent, durable, budgetMs })
    if (held.type === 'refused') return this.#refuse(held.reason)
    return {
      type: 'write',
      outcome: 'hinted',
      durable: held.durable,
      heldLive: false,
      siblings: 0,
      context: null,
      refusedDots: null,
      filling: false,
    }
  }

  #written(result: WriteResult): WriteReply | Refusal {
    if (result.type === 'refused') return this.#refuse(result.reason)
    return {
      type: 'write',
      outcome: result.stored ? 'stored' : 'already',
      durable: result.durable,
      heldLive: result.heldLive,
      siblings: result.siblings,
      context: result.context && encodeDotSet(result.context),
      refusedDots: result.refused.length > 0 ? encodeDotSet(DotSet.of(...result.refused)) : null,
      filling: result.filling,
    }
  }

  #read(request: ReadRequest, budgetMs: number): ReadReply | Refusal | Promise<ReadReply | Refusal> {
    const { service } = this.#parts
    const mustInclude = request.mustInclude === null ? null : decodeDotSet(request.mustInclude)
    const look = request.fallback
      ? service.lookAtHints(request, request, mustInclude, budgetMs)
      : service.look(request, request, mustInclude, budgetMs)
    if (!(look instanceof Promise)) return this.#tell(request, look)
    return look.then((seen) => this.#tell(request, seen)).catch(refusalFor)
  }

  #tell(request: ReadRequest, look: LookResult): ReadReply | Refusal {
    if (look.type === 'refused') return this.#refuse(look.reason)
    const { view, missing } = look
    const digest = viewDigest(view)
    return {
      type: 'read',
      digest,
      view: view === null || digest === request.expectDigest ? null : splitView(view),
      missing: missing.isEmpty ? null : encodeDotSet(missing),
      filling: look.filling,
    }
  }

  #refuse(reason: RefusalReason): Refusal {
    if (reason === 'stale-members') return { type: 'refused', reason, correction: this.#parts.membership.encoded }
    if (reason === 'stale-settings') return { type: 'refused', reason, correction: this.#parts.buckets.encode() }
    return refusal(reason)
  }
}

/** Throws what is no operating failure, and what is too late to be told; what a peer garbled is its breach of the protocol. */
function refusalFor(error: unknown): Refusal {
  if (error instanceof MalformedBytes) throw new QuorateError('protocol', error.message, { cause: error })
  if (error instanceof QuorateError && error.code !== 'timeout') return refusal('not-serving')
  throw error
}

function refusal(reason: RefusalReason): Refusal {
  return { type: 'refused', reason, correction: null }
}
