// Requests of ours that wait for their replies on one link: matched by id, bounded by deadlines. Knows nothing of bytes.
// Invariant: each settles once, by its reply, its deadline, its signal, or the end of the link; a second reply changes nothing.
// Nothing expires before its time, nor later than one tick after it.
//
// Ids are given in order and without gaps, since the peer remembers each gap. They wait in a table at (id modulo its size), behind each
// other where some wait for long: a Map with such a turnover leaves outgrown tables behind
// that point to their successors, and everything in them outlives the young generation, which costs more than the work itself.
// There is one timer for all of them, set to the earliest deadline; since hardly any comes due, it seldom has anything to do.

import { QuorateError } from '../errors.ts'
import type { Clock, Timer } from '../ports/clock.ts'
import type { Reply, ReplyFrame, Request } from '../protocol/messages.ts'
import type { LinkCounters } from './counters.ts'
import type { Answer, AnswerTo } from './peers.ts'

export interface Asked<R extends Request> {
  readonly request: R
  readonly budgetMs: number
  readonly signal: AbortSignal | undefined
  readonly done: (answer: AnswerTo<R> | QuorateError) => void
}

/** One request as it waits; of its reply only the type is checked, and that before `done` is called. */
interface Waiting {
  readonly id: number
  readonly type: Request['type']
  readonly budgetMs: number
  readonly dueAt: number
  readonly signal: AbortSignal | undefined
  readonly abort: (() => void) | undefined
  /** At the same place, mostly nobody. */
  next: Waiting | undefined
  done(answer: Answer<Reply> | QuorateError): void
}

const ID_MAX = 0xffffffff
const TABLE_SIZE_MIN = 256
const TICK_MS = 8

export class InFlight {
  readonly #clock: Clock
  readonly #counters: LinkCounters
  /** Its size is a power of two, and at most half as many wait. */
  #waiting: (Waiting | undefined)[] = new Array<undefined>(TABLE_SIZE_MIN).fill(undefined)
  #count = 0
  #lastId = 0
  #timer: Timer | null = null
  /** When the timer runs. */
  #wakeAt = Infinity

  constructor(clock: Clock, counters: LinkCounters) {
    this.#clock = clock
    this.#counters = counters
  }

  get count(): number {
    return this.#count
  }

  /** The id to send the next request under: the same until one is added. */
  nextId(): number {
    let id = this.#lastId
    do id = id === ID_MAX ? 1 : id + 1
    while (this.#find(id) !== undefined)
    return id
  }

  /** Was sent under that id, the next one, and waits from now on. */
  add<R extends Request>(id: number, asked: Asked<R>, now: number): void {
    const { request, signal, done } = asked
    const budgetMs = Math.max(0, asked.budgetMs)
    const abort = signal && ((): void => this.#abort(id))
    const dueAt = now + budgetMs
    const waiting: Waiting = { id, type: request.type, budgetMs, dueAt, signal, abort, next: undefined, done }
    if (this.#count * 2 >= this.#waiting.length) this.#grow()
    this.#lastId = id
    this.#put(waiting)
    this.#count++
    if (signal && abort) signal.addEventListener('abort', abort, { once: true })
    if (dueAt <= this.#wakeAt - TICK_MS) this.#wake(dueAt, now)
  }

  /** False when the reply does not fit its request. One that nobody waits for any more is welcome and ignored. */
  settle({ id, time, reply }: ReplyFrame, storage: string): boolean {
    const waiting = this.#find(id)
    if (waiting === undefined) return true
    const fits = reply.type === waiting.type || reply.type === 'refused'
    this.#forget(waiting)
    waiting.done(
      fits
        ? { reply, storage, time }
        : new QuorateError('protocol', `a ${reply.type} reply to a ${waiting.type} request`),
    )
    return fits
  }

  /** The link has ended: nobody is answered any more. */
  failAll(error: QuorateError): void {
    this.#timer?.cancel()
    this.#timer = null
    for (const one of this.#all().sort((a, b) => a.id - b.id)) this.#fail(one, error)
  }

  #abort(id: number): void {
    const waiting = this.#find(id)
    if (waiting) this.#fail(waiting, new QuorateError('timeout', `gave up waiting for the reply to ${waiting.type}`))
  }

  /** Nothing happens to one that was settled meanwhile. */
  #fail(waiting: Waiting, error: QuorateError): void {
    if (this.#find(waiting.id) !== waiting) return
    this.#forget(waiting)
    waiting.done(error)
  }

  #forget(waiting: Waiting): void {
    const place = this.#placeOf(waiting.id)
    let before = this.#waiting[place]
    if (before === waiting) this.#waiting[place] = waiting.next
    else {
      while (before && before.next !== waiting) before = before.next
      if (before) before.next = waiting.next
    }
    this.#count--
    if (waiting.signal && waiting.abort) waiting.signal.removeEventListener('abort', waiting.abort)
  }

  #wake(dueAt: number, now: number): void {
    this.#timer?.cancel()
    this.#wakeAt = Math.ceil(dueAt / TICK_MS) * TICK_MS
    this.#timer = this.#clock.after(this.#wakeAt - now, () => this.#expire())
  }

  #expire(): void {
    const now = Math.max(this.#wakeAt, this.#clock.monotonic())
    this.#timer = null
    this.#wakeAt = Infinity
    const due: Waiting[] = []
    let next = Infinity
    for (const waiting of this.#all()) {
      if (waiting.dueAt <= now) due.push(waiting)
      else if (waiting.dueAt < next) next = waiting.dueAt
    }
    if (next < Infinity) this.#wake(next, now)
    for (const waiting of due.sort((a, b) => a.id - b.id)) {
      const error = new QuorateError('timeout', `no reply to ${waiting.type} within ${waiting.budgetMs} ms`)
      if (this.#find(waiting.id) === waiting) this.#counters.timeouts++
      this.#fail(waiting, error)
    }
  }

  #all(): Waiting[] {
    const all: Waiting[] = []
    for (let waiting of this.#waiting) for (; waiting; waiting = waiting.next) all.push(waiting)
    return all
  }

  #find(id: number): Waiting | undefined {
    let waiting = this.#waiting[this.#placeOf(id)]
    while (waiting !== undefined && waiting.id !== id) waiting = waiting.next
    return waiting
  }

  #put(waiting: Waiting): void {
    const place = this.#placeOf(waiting.id)
    waiting.next = this.#waiting[place]
    this.#waiting[place] = waiting
  }

  #grow(): void {
    const all = this.#all()
    this.#waiting = new Array<undefined>(this.#waiting.length * 2).fill(undefined)
    for (const waiting of all) this.#put(waiting)
  }

  #placeOf(id: number): number {
    return (id & (this.#waiting.length - 1)) >>> 0
  }
}
