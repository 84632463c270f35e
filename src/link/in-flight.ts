// Requests of ours that wait for their replies on one link: matched by id, bounded by deadlines. Knows nothing of bytes.
// Invariant: each settles once, by its reply, its deadline, its signal, or the end of the link; a second reply changes nothing.
//
// They wait in a table at (id modulo its size), ids being given in order: no Map, for the reason in `deadlines.ts`.

import { QuorateError } from '../errors.ts'
import type { Timer } from '../ports/clock.ts'
import type { Reply, ReplyFrame, ReplyOf, Request } from '../protocol/messages.ts'
import type { LinkCounters } from './counters.ts'
import type { Deadlines } from './deadlines.ts'
import type { Answer } from './peers.ts'

export type AnswerTo<R extends Request> = Answer<ReplyOf[R['type']] | Extract<Reply, { type: 'refused' }>>

interface Waiting {
  readonly id: number
  /** False when the reply is not one to this request. */
  readonly answer: (frame: ReplyFrame, storage: string) => boolean
  readonly fail: (error: QuorateError) => void
}

const ID_MAX = 0xffffffff
const TABLE_SIZE_MIN = 256

export class InFlight {
  readonly #deadlines: Deadlines
  readonly #counters: LinkCounters
  /** Its size is a power of two, and at most half of it is used. */
  #waiting: (Waiting | undefined)[] = new Array<undefined>(TABLE_SIZE_MIN).fill(undefined)
  #count = 0
  #lastId = 0

  constructor(deadlines: Deadlines, counters: LinkCounters) {
    this.#deadlines = deadlines
    this.#counters = counters
  }

  get count(): number {
    return this.#count
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
      let deadline: Timer | null = null
      const abort = (): void => end(new QuorateError('timeout', `gave up waiting for the reply to ${request.type}`))
      const forget = (): void => {
        this.#remove(id)
        deadline?.cancel()
        signal?.removeEventListener('abort', abort)
      }
      const end = (error: QuorateError): void => {
        forget()
        reject(error)
      }
      this.#add({
        id,
        answer: ({ reply, time }, storage) => {
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
      deadline = this.#deadlines.after(Math.max(0, budgetMs), () => {
        this.#counters.timeouts++
        end(new QuorateError('timeout', `no reply to ${request.type} within ${budgetMs} ms`))
      })
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** False when the reply does not fit its request. One that nobody waits for any more is welcome and ignored. */
  settle(frame: ReplyFrame, storage: string): boolean {
    const waiting = this.#waiting[this.#placeOf(frame.id)]
    return waiting?.id === frame.id ? waiting.answer(frame, storage) : true
  }

  failAll(error: QuorateError): void {
    const waiting = this.#waiting.filter((one) => one !== undefined)
    for (const one of waiting.sort((a, b) => a.id - b.id)) one.fail(error)
  }

  #add(waiting: Waiting): void {
    this.#waiting[this.#placeOf(waiting.id)] = waiting
    this.#count++
  }

  #remove(id: number): void {
    const place = this.#placeOf(id)
    if (this.#waiting[place]?.id !== id) return
    this.#waiting[place] = undefined
    this.#count--
  }

  /** The next whose place is free: one who waits for long keeps its own. */
  #nextId(): number {
    if (this.#count * 2 >= this.#waiting.length) this.#grow()
    do this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1
    while (this.#waiting[this.#placeOf(this.#lastId)] !== undefined)
    return this.#lastId
  }

  /** Doubling keeps those apart that had places of their own. */
  #grow(): void {
    const before = this.#waiting
    this.#waiting = new Array<undefined>(before.length * 2).fill(undefined)
    for (const waiting of before) if (waiting) this.#waiting[this.#placeOf(waiting.id)] = waiting
  }

  #placeOf(id: number): number {
    return (id & (this.#waiting.length - 1)) >>> 0
  }
}

function answers<R extends Request>(
  request: R,
  reply: Reply,
): reply is ReplyOf[R['type']] | Extract<Reply, { type: 'refused' }> {
  return reply.type === request.type || reply.type === 'refused'
}
