// One seed from beginning to end: a cluster forms, clients work while faults come and go, everything is mended, and what is left must be
// what the clients were promised. Invariant: equal seeds give equal histories, event by event; the hash over all events proves it.

import { createHash } from 'node:crypto'
import type { GetOutcome } from '../coordinator/operations.ts'
import { partitionId } from '../core/ring/partition.ts'
import { keyHash, partitionOfHash } from '../core/ring/key-hash.ts'
import { DEFAULT_BUCKET } from '../core/membership/bucket-settings.ts'
import type { Logger } from '../telemetry/log.ts'
import { checkBounds } from './checkers/bounds.ts'
import { whatDiffers } from './checkers/convergence.ts'
import { checkFinalRead, checkStored } from './checkers/final-state.ts'
import { Client } from './clients/client.ts'
import { FaultInjector } from './faults/injector.ts'
import { History } from './history.ts'
import { Observation } from './observation.ts'
import { planOf, type SeedPlan } from './seed-plan.ts'
import { SimulatedCluster } from './simulated-cluster.ts'
import type { ClockSettings } from './simulated-process.ts'
import { SeededRandom } from './seeded-random.ts'
import { type Violation, Violations } from './violation.ts'
import { type Doings, tally, type World } from './world.ts'

export interface SeedResult {
  readonly seed: number
  /** Over all events. */
  readonly hash: string
  readonly violations: readonly Violation[]
  readonly operations: Readonly<Record<string, number>>
  readonly operationCount: number
  readonly faults: Readonly<Record<string, number>>
  readonly faultCount: number
  readonly events: number
  readonly simulatedMs: number
  /** From when on clients and faults began nothing more; simulated milliseconds. */
  readonly activeMs: number
}

/** What a script plays on. */
export interface Stage {
  readonly world: World
  readonly observation: Observation
  readonly clients: readonly Client[]
  readonly faults: FaultInjector
}

export interface RunOptions {
  /** Every event with its time, as it happens. */
  readonly onEvent?: (at: number, event: string) => void
  readonly plan?: SeedPlan
  /** In place of the clients' own choices and the seed's faults. */
  readonly work?: (stage: Stage) => Promise<void>
  /** For tests and debuggers: what the run is made of, before it begins. */
  readonly onWorld?: (world: World) => void
  readonly leftOut?: Doings
  /** Clients and faults end then, however much they have done by then. Simulated milliseconds. */
  readonly activeUntilMs?: number
  /** The run is over as soon as this guarantee was violated. */
  readonly stopAt?: string
}

const NOTHING: Doings = { faults: new Set(), operations: new Set() }

const ACTIVE_MS_MAX = 180_000
const HEALING_MS_MAX = 90_000

export async function runSeed(seed: number, options: RunOptions = {}): Promise<SeedResult> {
  const run = new SeedRun(options.plan ?? planOf(seed), options)
  return run.result()
}

class SeedRun {
  readonly #plan: SeedPlan
  readonly #hash = createHash('sha256')
  readonly #world: World
  readonly #observation: Observation
  readonly #faults: FaultInjector
  readonly #clients: readonly Client[]
  readonly #script: RunOptions['work']
  readonly #activeUntilMs: number | undefined
  readonly #stopAt: string | undefined
  #activeMs = 0

  constructor(plan: SeedPlan, { onEvent, onWorld, work, leftOut, activeUntilMs, stopAt }: RunOptions) {
    this.#script = work
    this.#activeUntilMs = activeUntilMs
    this.#stopAt = stopAt
    this.#plan = plan
    const trace = (event: string): void => {
      const at = cluster.time.now
      this.#hash.update(`${at} ${event}\n`)
      onEvent?.(at, event)
    }
    const clocks = new SeededRandom(`clocks ${plan.seed}`)
    const offsets = new Map<string, ClockSettings>()
    const clockOf = (host: string): ClockSettings => {
      let settings = offsets.get(host)
      if (!settings)
        offsets.set(
          host,
          (settings = {
            offsetMs: (2 * clocks.next() - 1) * plan.clockOffsetMsMax,
            drift: (2 * clocks.next() - 1) * 1e-4,
          }),
        )
      return settings
    }
    const cluster: SimulatedCluster = new SimulatedCluster({
      seed: plan.seed,
      nodes: plan.nodes,
      partitions: plan.partitions,
      memory: plan.memory,
      secrets: plan.secrets,
      healing: plan.healing,
      limits: {
        hintBytesMax: plan.hintBytesMax,
        bytesMax: plan.bytesMax,
        siblingsMax: plan.siblingsMax,
        partBytes: plan.partBytes,
      },
      clockOf,
      trace,
      logger: (host) => this.#logger(host, trace),
    })
    const settings = new Map(plan.buckets.map((bucket) => [bucket.name, bucket.settings] as const))
    const settingsOf = (bucket: string): typeof DEFAULT_BUCKET => settings.get(bucket) ?? DEFAULT_BUCKET
    const history = new History(settingsOf, (bucket, key) =>
      partitionId(partitionOfHash(keyHash(bucket, key), plan.partitions), settingsOf(bucket).n),
    )
    this.#world = {
      plan,
      cluster,
      history,
      violations: new Violations(() => cluster.time.now, trace),
      trace,
      operations: new Map(),
      faults: new Map(),
      leftOut: leftOut ?? NOTHING,
      begun: { faults: new Set(), operations: new Set() },
      disksTrusted: true,
      clocksTrusted: true,
    }
    onWorld?.(this.#world)
    this.#observation = new Observation(this.#world)
    cluster.onServing.push((_host, node) => this.#observation.attach(node))
    this.#faults = new FaultInjector(this.#world, this.#observation.stability)
    this.#clients = plan.habits.map((habit, i) => new Client(this.#world, this.#observation, i, habit))
  }

  async result(): Promise<SeedResult> {
    const { violations, operations, faults } = this.#world
    const onRejection = (error: unknown): void => violations.add('crash', `nobody handled ${describeError(error)}`)
    process.on('unhandledRejection', onRejection)
    try {
      await this.#run()
    } catch (error) {
      violations.add('crash', describeError(error))
    } finally {
      // Rejections are reported a turn of the event loop later.
      await new Promise((resolve) => setImmediate(resolve))
      process.off('unhandledRejection', onRejection)
    }
    return {
      seed: this.#plan.seed,
      hash: this.#hash.digest('hex').slice(0, 32),
      violations: violations.found,
      operations: Object.fromEntries(operations),
      operationCount: this.#operationCount,
      faults: Object.fromEntries(faults),
      faultCount: this.#faults.count,
      events: this.#world.cluster.time.events,
      simulatedMs: this.#world.cluster.time.now,
      activeMs: this.#activeMs,
    }
  }

  get #isStopped(): boolean {
    return this.#stopAt !== undefined && this.#world.violations.has(this.#stopAt)
  }

  get #operationCount(): number {
    return this.#clients.reduce((sum, client) => sum + client.operations, 0)
  }

  async #run(): Promise<void> {
    await this.#form()
    if (this.#script)
      await this.#script({
        world: this.#world,
        observation: this.#observation,
        clients: this.#clients,
        faults: this.#faults,
      })
    else await this.#work()
    if (this.#isStopped) return
    await this.#heal()
    if (!this.#isStopped) await this.#judge()
  }

  async #form(): Promise<void> {
    const { cluster, violations } = this.#world
    cluster.startAll()
    if (!(await cluster.untilServing(30_000))) {
      violations.add(
        'forming',
        `the cluster does not form: ${cluster.hosts.map(({ name, node, fatal }) => `${name} ${fatal ?? node?.rooms?.membership.waitingFor ?? ''}`).join('; ')}`,
      )
      throw new Error('no cluster')
    }
    for (const { name, settings } of this.#plan.buckets) {
      const node = cluster.hosts[0]?.node
      for (let attempt = 1; node; attempt++) {
        const outcome = await cluster.time.settle(node.putBucket(name, settings))
        if (outcome.type === 'ok') break
        if (attempt === 20) throw new Error(`bucket ${name} cannot be configured: ${JSON.stringify(outcome)}`)
        await cluster.time.runFor(200)
      }
    }
    await cluster.time.runFor(300)
  }

  async #work(): Promise<void> {
    const { cluster } = this.#world
    const { operationsMin, faultsMin } = this.#plan
    const limit = this.#activeUntilMs ?? cluster.time.now + ACTIVE_MS_MAX
    const isFull = (): boolean =>
      this.#activeUntilMs === undefined && this.#operationCount >= operationsMin && this.#faults.count >= faultsMin
    const enough = (): boolean => {
      const isEnough = cluster.time.now >= limit || isFull() || this.#isStopped
      if (isEnough && this.#activeMs === 0) this.#activeMs = cluster.time.now
      return isEnough
    }
    let left = this.#clients.length + 1
    const done = (): void => void left--
    for (const client of this.#clients) void client.run(enough).then(done)
    void this.#faults.run(enough).then(done)
    while (left > 0 && !this.#isStopped) {
      await cluster.time.runFor(250)
      this.#faults.losses.tick()
      checkBounds(this.#world)
      if (cluster.time.now > limit + ACTIVE_MS_MAX) throw new Error('the clients do not come to an end')
    }
  }

  /** Everything is mended; then the cluster has so long to become one. */
  async #heal(): Promise<void> {
    const { cluster, violations, disksTrusted } = this.#world
    const { antiEntropy } = this.#plan.healing
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
      differs = whatDiffers(this.#world, whole)
      // Without anti-entropy reads of all homes do its work.
      if (differs !== null && !antiEntropy && round % 4 === 3) await this.#readAll('all', null)
    }
    if (differs !== null) violations.add('G5', `${HEALING_MS_MAX / 1000} s after everything was mended: ${differs}`)
    this.#faults.losses.tick()
  }

  async #judge(): Promise<void> {
    const { cluster } = this.#world
    checkStored(this.#world, this.#observation)
    const through =
      cluster.hosts.length <= 3
        ? cluster.hosts
        : [0, 1, 2].map((i) => cluster.hosts[(this.#plan.seed + i) % cluster.hosts.length])
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

  #logger(host: string, trace: (event: string) => void): Logger {
    const say = (level: string, fields: object, message: string): void => {
      // Without stacks: they name the folder of this checkout, and the hash must be the same in all of them.
      trace(
        `${host} ${level} ${message} ${JSON.stringify(fields, (_name, value: unknown) => (value instanceof Error ? String(value) : value))}`,
      )
      if (message === 'background work failed')
        this.#world.violations.add('crash', `${host}: ${message} ${JSON.stringify(fields)}`)
    }
    return {
      debug: () => {},
      info: (fields, message) => say('info', fields, message),
      warn: (fields, message) => say('warn', fields, message),
      error: (fields, message) => say('error', fields, message),
    }
  }
}

function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' | ') : String(error)
}
