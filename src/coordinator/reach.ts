// Whether enough replicas are in reach to begin, and the moment that links which are just coming up deserve. Decides nothing about what
// is sent. Invariant: waits no longer than the grace, nor past the request's deadline.

import type { Clock } from '../ports/clock.ts'
import type { Plan } from './plan.ts'
import type { Replicas } from './replicas.ts'

export class Reach {
  readonly #replicas: Replicas
  readonly #clock: Clock
  readonly #graceMs: number

  constructor(replicas: Replicas, clock: Clock, graceMs: number) {
    this.#replicas = replicas
    this.#clock = clock
    this.#graceMs = graceMs
  }

  /** Undefined: enough are in reach already. With too few after the wait, nothing should be sent at all. */
  enough(plan: Plan, required: number): Promise<void> | undefined {
    if (this.isEnough(plan, required)) return undefined
    const clock = this.#clock
    return new Promise((resolve) => {
      const done = (): void => {
        stop()
        timer.cancel()
        resolve()
      }
      const timer = clock.after(Math.min(this.#graceMs, Math.max(0, plan.deadlineAt - clock.monotonic())), done)
      const stop = this.#replicas.onChange(() => {
        if (this.isEnough(plan, required)) done()
      })
    })
  }

  /** Whether so many of those who may answer are in reach. */
  isEnough(plan: Plan, required: number): boolean {
    return this.count(plan, required) >= required
  }

  /** How many of those who may answer are in reach; no more than `most`. */
  count({ homes, fallbacks, sloppy }: Plan, most: number): number {
    const replicas = this.#replicas
    let reachable = 0
    for (const home of homes) if (reachable < most && replicas.reachable(home)) reachable++
    if (sloppy) for (const member of fallbacks) if (reachable < most && replicas.reachable(member)) reachable++
    return reachable
  }
}
