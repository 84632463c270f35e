// Requests of the peer on one link: each is handed to this node's handler, and what it answers is said. Knows nothing of bytes, nor of
// what requests mean. Invariant: a request is handed on once, and has at most one reply, none where its handler failed.

import { QuorateError } from '../errors.ts'
import type { Reply, ReplyFrame, RequestFrame } from '../protocol/messages.ts'
import type { RequestHandler } from './peers.ts'
import { Once } from './once.ts'
import { type LinkEnvironment, overtakenMax } from './settings.ts'

export class Serving {
  readonly #environment: LinkEnvironment
  readonly #say: (frame: ReplyFrame) => boolean
  readonly #settledLate: () => void
  readonly #once: Once
  #count = 0

  /** `say` is false when the reply is too large, and throws `protocol` where the peer could not read it; `settledLate` runs when one that was waited for is no longer under way. */
  constructor(environment: LinkEnvironment, say: (frame: ReplyFrame) => boolean, settledLate: () => void) {
    this.#environment = environment
    this.#once = new Once(overtakenMax(environment.settings))
    this.#say = say
    this.#settledLate = settledLate
  }

  /** How many are being worked on. */
  get count(): number {
    return this.#count
  }

  /** `time`: this node's hybrid time now. Throws `protocol` where nobody can tell any more whether the request came before. */
  serve(frame: RequestFrame, from: Parameters<RequestHandler>[0], time: number): void {
    if (!this.#once.isNew(frame.id)) return
    const { hooks } = this.#environment
    this.#count++
    // A handler which throws is the same as one which rejects; one that need not wait costs no promise.
    let reply: Reply | Promise<Reply>
    try {
      reply = hooks.handler(from, frame.request, frame)
    } catch (error) {
      return this.#failed(frame, from.name, error)
    }
    if (!(reply instanceof Promise)) return this.#answer(frame, from.name, reply, time)
    reply.then(
      (late) => {
        this.#answer(frame, from.name, late, hooks.hybridTime())
        this.#settledLate()
      },
      (error: unknown) => {
        this.#failed(frame, from.name, error)
        this.#settledLate()
      },
    )
  }

  #answer({ id, request }: RequestFrame, peer: string, reply: Reply, time: number): void {
    this.#count--
    const { counters, logger } = this.#environment
    try {
      if (!this.#say({ type: 'reply', id, time, reply }))
        logger.error({ peer, request: request.type }, 'reply is too large to send')
    } catch (error) {
      if (!(error instanceof QuorateError)) throw error
      counters.handlerErrors++
      logger.error({ peer, request: request.type, error }, 'reply cannot be said')
    }
  }

  /** What it did before it failed is unknown, so a refusal would be a lie: the peer's deadline answers. */
  #failed({ request }: RequestFrame, peer: string, error: unknown): void {
    const { counters, logger } = this.#environment
    this.#count--
    // Its time was over before its answer was there: the peer has given up.
    if (error instanceof QuorateError && error.code === 'timeout') return
    counters.handlerErrors++
    logger.error({ peer, request: request.type, error }, 'request handler failed')
  }
}
