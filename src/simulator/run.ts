// One seed from beginning to end: a cluster forms, clients work while faults come and go, everything is mended, and what is left must be
// what the clients were promised. Invariant: equal seeds give equal histories, event by event; the hash over all events proves it.

import { createHash } from 'node:crypto'
import { partitionId } from '../core/ring/partition.ts'
import { keyHash, partitionOfHash } from '../core/ring/key-hash.ts'
import { DEFAULT_BUCKET } from '../core/membership/bucket-settings.ts'
import type { Logger } from '../telemetry/log.ts'
import { checkBounds } from './checkers/bounds.ts'
import { Client } from './clients/client.ts'
import { describeError } from './describe.ts'
import { Ending } from './ending.ts'
import { FaultInjector } from './faults/injector.ts'
import { History } from './history.ts'
import { Observation } from './observation.ts'
import { planOf, type SeedPlan } from './seed-plan.ts'
import { SimulatedCluster } from './simulated-cluster.ts'
import type { ClockSettings } from './simulated-process.ts'
import { SeededRandom } from './seeded-random.ts'
import { type Violation, Violations } from './violation.ts'
import type { Doings, World } from './world.ts'

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
  /** Once everything is mended, before the last reads. */
  readonly afterwards?: (stage: Stage) => Promise<void>
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
const HEARD_MAX = 1 << 15
/** Copies are counted so often; bounds are looked at every so many times. */
const TICK_MS = 50
const TICKS_PER_LOOK = 5

export async function runSeed(seed: number, options: RunOptions = {}): Promise<SeedResult> {
  const run = new SeedRun(options.plan ?? planOf(seed), options)
  return run.result()
}

class SeedRun {
  readonly #plan: SeedPlan
  readonly #hash = createHash('sha256')
  /** Events that are not in the hash yet. */
  #heard = ''
  readonly #world: World
  readonly #observation: Observation
  readonly #faults: FaultInjector
  readonly #clients: readonly Client[]
  readonly #script: RunOptions['work']
  readonly #afterwards: RunOptions['afterwards']
  readonly #activeUntilMs: number | undefined
  readonly #stopAt: string | undefined
  #activeMs = 0

  constructor(plan: SeedPlan, { onEvent, onWorld, work, afterwards, leftOut, activeUntilMs, stopAt }: RunOptions) {
    this.#script = work
    this.#afterwards = afterwards
    this.#activeUntilMs = activeUntilMs
    this.#stopAt = stopAt
    this.#plan = plan
    const trace = (event: string): void => {
      const at = cluster.time.now
      this.#heard += `${at} ${event}\n`
      if (this.#heard.length >= HEARD_MAX) this.#hashHeard()
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
      timings: plan.timings,
      limits: {
        hintBytesMax: plan.hintBytesMax,
        bytesMax: plan.bytesMax,
        siblingsMax: plan.siblingsMax,
        partBytes: plan.partBytes,
        ...plan.files,
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
      load: null,
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
    this.#hashHeard()
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

  #hashHeard(): void {
    this.#hash.update(this.#heard)
    this.#heard = ''
  }

  get #isStopped(): boolean {
    return this.#stopAt !== undefined && this.#world.violations.has(this.#stopAt)
  }

  get #operationCount(): number {
    return this.#clients.reduce((sum, client) => sum + client.operations, 0)
  }

  async #run(): Promise<void> {
    await this.#form()
    const stage = {
      world: this.#world,
      observation: this.#observation,
      clients: this.#clients,
      faults: this.#faults,
    }
    if (this.#script) await this.#script(stage)
    else await this.#work()
    if (this.#isStopped) return
    const ending = new Ending(this.#world, this.#observation, this.#faults)
    await ending.heal()
    await this.#afterwards?.(stage)
    if (!this.#isStopped) await ending.judge()
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
    for (let tick = 0; left > 0 && !this.#isStopped; tick++) {
      await cluster.time.runFor(TICK_MS)
      this.#observation.tick(this.#faults.losses.isWhole)
      if (tick % TICKS_PER_LOOK === 0) checkBounds(this.#world)
      if (cluster.time.now > limit + ACTIVE_MS_MAX) throw new Error('the clients do not come to an end')
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
