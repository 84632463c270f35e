// What the rooms above may know of other nodes: ask one by name, with a budget, and learn whether it can be reached.
// Nothing above link sees connections, frames or addresses.

import type { QuorateError } from '../errors.ts'
import type { Reply, ReplyOf, Request } from '../protocol/messages.ts'

/** An answer together with who really gave it: the storage that stood behind the name when the reply came. */
export interface Answer<T extends Reply> {
  readonly reply: T
  readonly storage: string
  /** The sender's hybrid time when it answered. */
  readonly time: number
}

/** What may come back for a request: its own reply or a refusal. */
export type AnswerTo<R extends Request> = Answer<ReplyOf[R['type']] | Extract<Reply, { type: 'refused' }>>

export interface RequestOptions {
  readonly budgetMs: number
  /** Hybrid time to carry; taken from the node's clock when absent. */
  readonly time?: number
  readonly trace?: string | null
  /** Gives up waiting (the peer may still act). */
  readonly signal?: AbortSignal
}

export interface Peers {
  /**
   * Sends a request to a member. Resolves with its reply (a `refused` reply included).
   * Rejects with `unreachable` when nothing was sent, `timeout` or `closed` when it may or may not have been received,
   * `overloaded` when the link's queue is full (nothing sent).
   */
  request<R extends Request>(member: string, request: R, options: RequestOptions): Promise<AnswerTo<R>>
  /**
   * The same without a promise, for those who ask with every operation. `done` runs exactly once and must not throw: while the reply
   * is being read, or at once, before `ask` returns, when nothing can be sent.
   */
  ask<R extends Request>(
    member: string,
    request: R,
    options: RequestOptions,
    done: (answer: AnswerTo<R> | QuorateError) => void,
  ): void
  /** Whether a link is up and its heartbeats are fresh: a request could be sent now. */
  reachable(member: string): boolean
  /** Monotonic time at which the member was last heard, or null. */
  lastHeardAt(member: string): number | null
  /** Calls back whenever a member becomes reachable or unreachable; returns how to stop. */
  onChange(listener: (member: string, reachable: boolean) => void): () => void
}

/**
 * How a node answers its peers; one function for all requests, set by node/. `from` is proven by the handshake. It settles within the
 * budget or soon after it, if need be by rejecting with `timeout`: until then it takes one of the link's places.
 */
export type RequestHandler = (
  from: { readonly name: string; readonly storage: string },
  request: Request,
  context: { readonly budgetMs: number; readonly time: number; readonly trace: string | null },
) => Promise<Reply> | Reply
