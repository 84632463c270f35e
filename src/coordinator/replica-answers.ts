// What one replica is asked and what it can answer, wherever it is; and what its words, its silence or its failure come to. Decides what a
// loss means for the one who asked; sends nothing. Invariant: an answer that is garbled is a failure, never an exception.

import { MalformedBytes } from '../core/bytes.ts'
import type { Dot } from '../core/causality/dot.ts'
import { DotSet } from '../core/causality/dot-set.ts'
import { decodeDotSet } from '../core/causality/dot-set-bytes.ts'
import type { HybridTime } from '../core/causality/hybrid-clock.ts'
import { decodeView, type View } from '../core/causality/view.ts'
import { viewDigest } from '../core/causality/view-digest.ts'
import { QuorateError } from '../errors.ts'
import type { ReadReply, RefusalReason, WriteReply } from '../protocol/messages.ts'
import type { KeyName } from '../replica/replica.ts'
import type { Written } from '../replica/written.ts'

export interface OutgoingWrite {
  readonly name: KeyName
  readonly view: View
  readonly intent: 'client' | 'repair' | 'handoff'
  /** Wait for the sync before acknowledging. */
  readonly durable: boolean
}

export type WriteAnswer =
  | Written
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

export type Refused = { readonly type: 'refused'; readonly reason: RefusalReason }
export type Loss = { readonly type: 'failed' } | { readonly type: 'unreachable' } | Refused

/** What a failure means for the one who asked. */
export function lossOf(error: unknown): Loss {
  // What a peer garbled may still have been received.
  if (error instanceof MalformedBytes) return { type: 'failed' }
  // No operating failure but a broken invariant: a rejection that nobody takes stops the process, wherever this was called from.
  if (!(error instanceof QuorateError)) {
    void Promise.reject(error)
    return { type: 'failed' }
  }
  return error.code === 'unreachable' || error.code === 'overloaded' ? { type: 'unreachable' } : { type: 'failed' }
}

export function failWith(take: (loss: Loss) => void): (error: unknown) => void {
  return (error) => take(lossOf(error))
}

/** What `make` makes, or what its failure means. */
export function orLoss<A>(make: () => A): A | Loss {
  try {
    return make()
  } catch (error) {
    return lossOf(error)
  }
}

export function isStale(answer: WriteAnswer | ReadAnswer): boolean {
  return answer.type === 'refused' && (answer.reason === 'stale-members' || answer.reason === 'stale-settings')
}

// Shared, since answers are never changed.
const NOTHING_MISSING: DotSet = DotSet.empty()
const NO_DOTS: readonly Dot[] = []

/** Of the versions that were sent; what else a peer names means nothing here. */
function dotsAmong(view: View, named: DotSet): Dot[] {
  return view.versions.map(({ dot }) => dot).filter((dot) => named.has(dot))
}

export function writtenThere({ view }: OutgoingWrite, reply: WriteReply): WriteAnswer {
  if (reply.outcome === 'hinted') return { type: 'hinted', durable: reply.durable }
  return {
    type: 'written',
    stored: reply.outcome === 'stored',
    durable: reply.durable,
    heldLive: reply.heldLive,
    siblings: reply.siblings,
    context: reply.context && decodeDotSet(reply.context),
    refused: reply.refusedDots ? dotsAmong(view, decodeDotSet(reply.refusedDots)) : NO_DOTS,
    filling: reply.filling,
  }
}

export function readThere(expect: ReadQuestion['expect'], reply: ReadReply, time: HybridTime): ReadAnswer {
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

export function expectation(view: View | null): { readonly view: View | null; readonly digest: string } {
  return { view, digest: viewDigest(view) }
}
