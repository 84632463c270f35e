// The work that goes on without being asked: hints to their homes, rounds of anti-entropy, collection, tables brought together. Decides
// only when; each piece of work is a room's. Invariant: one of each kind at a time, all end with `stop`, none rejects.

import { type Clock, sleep } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { Logger } from '../telemetry/log.ts'

export class Background {
  readonly #clock: Clock
  readonly #random: Random
  readonly #logger: Logger
  readonly #abort = new AbortController()
  /** Pieces of work that have not ended, and who waits until none is left. A count, since every write has one. */
  #running = 0
  #ended: (() => void) | null = null
  readonly #wakers = new Map<string, () => void>()
  /** Woken while at work: the next pause is skipped. */
  readonly #woken = new Set<string>()

  constructor(parts: { clock: Clock; random: Random; logger: Logger }) {
    this.#clock = parts.clock
    this.#random = parts.random
    this.#logger = parts.logger
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Repeats `work` with about `intervalMs` (± 20 %) between the end of one and the start of the next; `wake(name)` starts it now. */
  every(name: string, intervalMs: number, work: (signal: AbortSignal) => Promise<void>): void {
    this.own(this.#loop(name, intervalMs, work))
  }

  wake(name: string): void {
    const waker = this.#wakers.get(name)
    if (waker) waker()
    else this.#woken.add(name)
  }

  /** Keeps a piece of work until it ends; `stop` waits for it. */
  own(work: Promise<void>): void {
    const end = this.begin()
    work.then(end, (error: unknown) => {
      this.#logger.error({ error: String(error) }, 'background work failed')
      end()
    })
  }

  /** A piece of work that has no promise: to be called once, when it has ended. */
  begin(): () => void {
    this.#running++
    return this.#end
  }

  readonly #end = (): void => {
    if (--this.#running === 0) this.#ended?.()
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    while (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#ended = resolve
      })
    }
  }

  async #loop(name: string, intervalMs: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#abort
    while (!signal.aborted) {
      await this.#pause(name, intervalMs * (0.8 + 0.4 * this.#random.next()))
      if (signal.aborted) return
      try {
        await work(signal)
      } catch (error) {
        this.#logger.warn({ work: name, error: String(error) }, 'background work was interrupted')
      }
    }
  }

  async #pause(name: string, delayMs: number): Promise<void> {
    if (this.#woken.delete(name)) return
    const woken = new AbortController()
    const stop = (): void => woken.abort()
    this.#wakers.set(name, stop)
    this.signal.addEventListener('abort', stop, { once: true })
    await sleep(this.#clock, delayMs, woken.signal)
    this.signal.removeEventListener('abort', stop)
    this.#wakers.delete(name)
  }
}
