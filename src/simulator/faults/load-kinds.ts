// What clients do to a cluster: all at once, all on one key, blindly one beside the other, with huge values. Changes what the clients
// choose for a while (`World.load`). Knows nothing of hosts. Invariant: when a fault ends its load is the ordinary one again.

import type { FaultKind } from '../seed-plan.ts'
import { wait } from '../virtual-clock.ts'
import type { Load } from '../world.ts'
import type { Means } from './means.ts'

/** Longer ones find nothing more. */
const DURATION_MS_MAX = 1500
const FLOOD_MS_MAX = 300
const HUGE_BYTES = 120_000

export class LoadKinds {
  readonly #means: Means

  constructor(means: Means) {
    this.#means = means
  }

  /** Hardly any pause between one operation and the next. */
  burst(durationMs: number): Promise<void> {
    return this.#for('burst', Math.min(durationMs, DURATION_MS_MAX), 'of all clients', { pace: 0.15 })
  }

  hotKey(durationMs: number): Promise<void> {
    const hot = this.#someKey()
    return this.#for('hot-key', Math.min(durationMs, DURATION_MS_MAX), `${hot.bucket}/${hot.key}`, { hot, pace: 0.5 })
  }

  /** Everybody writes the same key and has seen nothing. */
  siblingFlood(durationMs: number): Promise<void> {
    const hot = this.#someKey()
    const load = { hot, pace: 0.15, isBlind: true }
    return this.#for('sibling-flood', Math.min(durationMs, FLOOD_MS_MAX), `${hot.bucket}/${hot.key}`, load)
  }

  hugeValues(durationMs: number): Promise<void> {
    return this.#for('huge-values', Math.min(durationMs, DURATION_MS_MAX), `of ${HUGE_BYTES} bytes`, {
      valueBytes: HUGE_BYTES,
    })
  }

  #someKey(): NonNullable<Load['hot']> {
    const bucket = this.#means.random.pick(this.#means.world.plan.buckets)
    return { bucket: bucket.name, key: this.#means.random.pick(bucket.keys) }
  }

  async #for(kind: FaultKind, durationMs: number, what: string, load: Load): Promise<void> {
    const { world, time } = this.#means
    if (world.load !== null) return
    this.#means.note(kind, `${what} for ${durationMs.toFixed(0)}`)
    world.load = load
    await wait(time, durationMs)
    world.load = null
  }
}
