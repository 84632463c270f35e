// The end of a run: everything is mended, the cluster has so long to become one, and then each key is read once more, through several
// nodes. Invariant: nobody works any more, so what is found now is what is left.

import type { GetOutcome } from '../coordinator/operations.ts'
import { checkBounds } from './checkers/bounds.ts'
import { whatDiffers } from './checkers/convergence.ts'
import { checkFinalRead, checkStored } from './checkers/final-state.ts'
import { describeError } from './describe.ts'
import type { FaultInjector } from './faults/injector.ts'
import type { Observation } from './observation.ts'
import { tally, type World } from './world.ts'

const HEALING_MS_MAX = 90_000

export class Ending {
  readonly #world: World
  readonly #observation: Observation
  readonly #faults: FaultInjector

  constructor(world: World, observation: Observation, faults: FaultInjector) {
    this.#world = world
    this.#observation = observation
    this.#faults = faults
  }

  /** Everything is mended; then the cluster has so long to become one. */
  async heal(): Promise<void> {
    const { cluster, violations, disksTrusted } = this.#world
    const { antiEntropy } = this.#world.plan.healing
    this.#world.trace('everything is mended')
    this.#faults.operator.mendAll()
    const until = cluster.time.now + HEALING_MS_MAX
    const whole = antiEntropy && disksTrusted
    let differs: string | null = 'not looked yet'
    for (let round = 0; differs !== null && cluster.time.now < until; round++) {
      await cluster.time.runFor(500)
      for (const host of cluster.hosts) this.#faults.operator.bringBack(host)
      for (const host of cluster.hosts) this.#faults.operator.enlarge(host)
      checkBounds(this.#world)
      this.#observation.tick(this.#faults.losses.isWhole)
      differs = whatDiffers(this.#world, whole)
      // Without anti-entropy reads of all homes do its work.
      if (differs !== null && !antiEntropy && round % 4 === 3) await this.#readAll('all', null)
    }
    if (differs !== null) violations.add('G5', `${HEALING_MS_MAX / 1000} s after everything was mended: ${differs}`)
    this.#faults.losses.tick()
  }

  async judge(): Promise<void> {
    const { cluster } = this.#world
    checkStored(this.#world, this.#observation)
    const through =
      cluster.hosts.length <= 3
        ? cluster.hosts
        : [0, 1, 2].map((i) => cluster.hosts[(this.#world.plan.seed + i) % cluster.hosts.length])
    for (const host of through) if (host?.serving) await this.#readAll('quorum', host.name)
    await this.#observation.durability.finish()
  }

  /** Reads every key; through whoever serves when no host is named, and then nothing is judged. */
  async #readAll(r: 'all' | 'quorum', through: string | null): Promise<void> {
    const { cluster, history } = this.#world
    for (const key of history.keys.values()) {
      const host = through === null ? cluster.serving[0] : cluster.host(through)
      const node = host?.node
      if (!host || !node) return
      const startedAt = cluster.time.now
      let outcome: GetOutcome
      try {
        outcome = await cluster.time.settle(
          node.coordinator.get({ bucket: key.bucket, key: key.key, r, timeoutMs: 5000 }),
          20_000,
        )
      } catch (error) {
        this.#world.violations.add(
          'G11',
          `a read of ${key.name} through ${host.name} has no end: ${describeError(error)}`,
        )
        continue
      }
      tally(this.#world.operations, `final get ${outcome.type}`)
      if (through !== null) checkFinalRead(this.#world, key, host.name, startedAt, outcome)
    }
  }
}
