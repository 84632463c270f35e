// One seed of `--merge`: the seed's cluster and faults, clients that read, merge, edit and write back, and after everything is mended a
// calm in which they only merge what they read. Decides whether they come to one value that stays, and what it lacks. All that the store
// itself promises is checked as in any seed. Invariant: what is reported lost was acknowledged.

import { DEFAULT_BUCKET } from '../../core/membership/bucket-settings.ts'
import { checkBounds } from '../checkers/bounds.ts'
import type { KeyHistory } from '../history.ts'
import { runSeed, type SeedResult, type Stage } from '../run.ts'
import { planOf, type SeedPlan } from '../seed-plan.ts'
import type { World } from '../world.ts'
import { MergeClient } from './merge-client.ts'
import { canonical, type Json, MergeFailed, type MergeFunction } from './merge-function.ts'
import type { MergeLaws } from './merge-laws.ts'
import { type LostEdit, MergeLedger } from './merge-ledger.ts'

export interface MergeResult {
  readonly seed: SeedResult
  readonly ledger: MergeLedger
  readonly operations: number
  readonly lost: readonly LostEdit[]
  /** Keys whose value did not come to rest. */
  readonly restless: readonly Restless[]
  /** The user's code could not go on. */
  readonly failure: MergeFailed | null
}

export interface Restless {
  readonly key: string
  /** What clients made of it, though nobody changed it any more. */
  readonly values: readonly Json[]
}

const BUCKET = 'carts'
const KEYS = ['cart-1', 'cart-2', 'cart-3'] as const
const CLIENTS = 5
const EDITS_MIN = 90
const ACTIVE_MS_MAX = 120_000
/** What must hold at any time is looked at so often. */
const TICK_MS = 100
/** All clients merge at once and write back; a merge that is no join shows itself in the second. */
const CALM_ROUNDS = 4

export async function runMergeSeed(seed: number, merging: MergeFunction, laws: MergeLaws): Promise<MergeResult> {
  const run = new MergeRun(merging, laws)
  const result = await runSeed(seed, {
    plan: planFor(seed),
    work: (stage) => run.work(stage),
    afterwards: (stage) => run.calm(stage),
  })
  return run.resultWith(result)
}

class MergeRun {
  readonly #merging: MergeFunction
  readonly #laws: MergeLaws
  readonly #ledger = new MergeLedger()
  readonly #lost: LostEdit[] = []
  readonly #restless: Restless[] = []
  #clients: readonly MergeClient[] = []
  #failure: MergeFailed | null = null

  constructor(merging: MergeFunction, laws: MergeLaws) {
    this.#merging = merging
    this.#laws = laws
  }

  resultWith(seed: SeedResult): MergeResult {
    return {
      seed,
      ledger: this.#ledger,
      operations: this.#clients.reduce((sum, { operations }) => sum + operations, 0),
      lost: this.#lost,
      restless: this.#restless,
      failure: this.#failure,
    }
  }

  async work({ world, observation, faults }: Stage): Promise<void> {
    const { cluster, history } = world
    const ledger = this.#ledger
    const keys = KEYS.map((key) => history.of(BUCKET, key))
    const parts = { world, observation, merging: this.#merging, laws: this.#laws, ledger, keys }
    this.#clients = Array.from({ length: CLIENTS }, (_, i) => new MergeClient(parts, i))
    const limit = cluster.time.now + ACTIVE_MS_MAX
    const isFull = (): boolean => ledger.edits.length >= EDITS_MIN && faults.count >= world.plan.faultsMin
    const enough = (): boolean => this.#failure !== null || cluster.time.now >= limit || isFull()
    let left = this.#clients.length + 1
    const done = (): void => void left--
    for (const client of this.#clients) void this.#orFailure(client.run(enough)).then(done)
    void faults.run(enough).then(done)
    while (left > 0) {
      await cluster.time.runFor(TICK_MS)
      observation.tick(faults.losses.isWhole)
      checkBounds(world)
    }
  }

  /** Nobody edits any more: what do the clients make of what is left? */
  async calm({ world }: Stage): Promise<void> {
    for (const name of KEYS) {
      const key = world.history.of(BUCKET, name)
      const merging = this.#rounds(world, key)
      await this.#orFailure(merging)
      if (this.#failure !== null) return
    }
  }

  /** Rounds in which all clients merge at once what they read through different nodes, and write it back. */
  async #rounds({ cluster }: World, key: KeyHistory): Promise<void> {
    const different = new Map<string, Json>()
    let final: Json | null = null
    for (let round = 0; round < CALM_ROUNDS; round++) {
      const settled = this.#clients.map((client, i) => {
        const host = cluster.serving[(i + round) % cluster.serving.length]
        return host ? client.settle(key, host) : Promise.resolve(null)
      })
      for (const value of await cluster.time.settle(Promise.all(settled))) {
        if (value === null) continue
        final = value
        different.set(canonical(value), value)
      }
      await cluster.time.runFor(500)
    }
    if (different.size > 1) this.#restless.push({ key: key.name, values: [...different.values()] })
    if (final !== null) this.#lost.push(...this.#ledger.lostFrom(key, final, this.#merging))
  }

  async #orFailure(work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (error) {
      if (!(error instanceof MergeFailed)) throw error
      this.#failure ??= error
    }
  }
}

/** The seed's own cluster and faults; in place of its buckets one of carts. A disk from the past may lose what was acknowledged. */
function planFor(seed: number): SeedPlan {
  const plan = planOf(seed)
  const sloppy = plan.buckets[0]?.settings.sloppy ?? true
  return {
    ...plan,
    buckets: [{ name: BUCKET, settings: { ...DEFAULT_BUCKET, sloppy }, keys: [...KEYS] }],
    faults: plan.faults.filter((kind) => kind !== 'old-disk'),
    lossesMax: Math.min(plan.lossesMax, 1),
    siblingsMax: 100,
    bytesMax: 1 << 26,
  }
}
