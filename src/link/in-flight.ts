// Requests of ours that wait for their replies on one link: matched by id, bounded by deadlines. Knows nothing of bytes.
// Invariant: each settles once, by its reply, its deadline, its signal, or the end of the link; a second reply changes nothing.

import { QuorateError } from '../errors.ts'
import type { Reply, ReplyFrame, ReplyOf, Request } from '../protocol/messages.ts'
import type { LinkCounters } from './counters.ts'
import type { Deadlines } from './deadlines.ts'
import type { Answer } from './peers.ts'

export type AnswerTo<R extends Request> = Answer<ReplyOf[R['type']] | Extract<Reply, { type: 'refused' }>>

interface Waiting {
  /** False when the reply is not one to this request. */
  readonly answer: (frame: ReplyFrame, storage: string) => boolean
  readonly fail: (error: QuorateError) => void
}

const ID_MAX = 0xffffffff

export class InFlight {
  readonly #deadlines: Deadlines
  readonly #counters: LinkCounters
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0

  constructor(deadlines: Deadlines, counters: LinkCounters) {
    this.#deadlines = deadlines
    this.#counters = counters
  }

  get count(): number {
    return this.#waiting.size
  }

  /** Sends by calling `send` with the id to use; when that throws, the promise rejects and nothing waits. */
  ask<R extends Request>(
    request: R,
    budgetMs: number,
    signal: AbortSignal | undefined,
    send: (id: number) => void,
  ): Promise<AnswerTo<R>> {
    if (signal?.aborted) return Promise.reject(new QuorateError('unreachable', 'given up before it was sent'))
    return new Promise((resolve, reject) => {
      const id = this.#nextId()
      send(id)
      const expire = (): void => {
        this.#counters.timeouts++
        end(new QuorateError('timeout', `no reply to ${request.type} within ${budgetMs} ms`))
      }
      const abort = (): void => end(new QuorateError('timeout', `gave up waiting for the reply to ${request.type}`))
      const forget = (): void => {
        this.#waiting.delete(id)
        this.#deadlines.remove(tick, expire)
        signal?.removeEventListener('abort', abort)
      }
      const end = (error: QuorateError): void => {
        forget()
        reject(error)
      }
      this.#waiting.set(id, {
        answer: (frame, storage) => {
          const { reply, time } = frame
          if (!answers(request, reply)) {
            end(new QuorateError('protocol', `a ${reply.type} reply to a ${request.type} request`))
            return false
          }
          forget()
          resolve({ reply, storage, time })
          return true
        },
        fail: end,
      })
      const tick = this.#deadlines.add(Math.max(0, budgetMs), expire)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** False when the reply does not fit its request. One that nobody waits for any more is welcome and ignored. */
  settle(frame: ReplyFrame, storage: string): boolean {
    return this.#waiting.get(frame.id)?.answer(frame, storage) ?? true
  }

  failAll(error: QuorateError): void {
    for (const waiting of [...this.#waiting.values()]) waiting.fail(error)
  }

  #nextId(): number {
    do this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1
    while (this.#waiting.has(this.#lastId))
    return this.#lastId
  }
}

function answers<R extends Request>(
  request: R,
  reply: Reply,
): reply is ReplyOf[R['type']] | Extract<Reply, { type: 'refused' }> {
  return reply.type === request.type || reply.type === 'refused'
}
