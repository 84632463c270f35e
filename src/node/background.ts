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
  readonly #running = new Set<Promise<void>>()
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
    const owned: Promise<void> = work.then(
      () => void this.#running.delete(owned),
      (error: unknown) => {
        this.#running.delete(owned)
        this.#logger.error({ error: String(error) }, 'background work failed')
      },
    )
    this.#running.add(owned)
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    while (this.#running.size > 0) await Promise.all(this.#running)
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
