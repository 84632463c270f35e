// Three whole nodes, one of which has lost its disk and is filled again while clients write: that node is crashed at every operation of its
// new disk. Decides only the story; that nothing acknowledged is missing and nothing invented, and that the replicas become one, is
// judged by the simulator's own checkers. Invariant: up to the crash every run of it is the same.

import { DEFAULT_BUCKET } from '../../core/membership/bucket-settings.ts'
import { invariant } from '../../errors.ts'
import { DEFAULT_HEALING } from '../../node/options.ts'
import { runSeed, type Stage } from '../run.ts'
import { planOf, type SeedPlan } from '../seed-plan.ts'
import type { Host } from '../simulated-cluster.ts'
import { aftermathOf, variantsAt } from './aftermath.ts'
import { type CrashPoint, type Moment, nameOf, type Survey, type Workload } from './points.ts'

const BUCKET = { name: 'siblings', settings: DEFAULT_BUCKET, keys: Array.from({ length: 16 }, (_, i) => `k${i}`) }
/** Small enough that filling alone makes segments and checkpoints. */
const LIMITS = { segmentBytesMax: 3 << 10, checkpointBytesMin: 6 << 10 }
const DOWN_MS = 150
const FILLED_WITHIN_MS = 20_000
const START_OPERATIONS = 45
/** A run costs as much as some dozen points of one storage: one of each kind. */
const LEFT_OUT: ReadonlySet<string> = new Set(['killed-twice', 'power-2', 'power-3', 'power-any-order-2'])

const PLAN: SeedPlan = {
  ...planOf(1),
  seed: 1,
  nodes: 3,
  partitions: 8,
  memory: false,
  secrets: [],
  buckets: [BUCKET],
  healing: DEFAULT_HEALING,
  habits: ['session', 'careful', 'blind'],
  faults: ['wipe'],
  lossesMax: 1,
  clockOffsetMsMax: 20,
  hintBytesMax: 1 << 20,
  bytesMax: 1 << 26,
  siblingsMax: 100,
  ownLevels: false,
  sloppyAllowed: true,
  valueBytesMax: 600,
  partBytes: 1 << 10,
}

export class ClusterWorkload implements Workload {
  readonly name = 'filling'

  async survey(): Promise<Survey> {
    const operations: string[] = []
    const telling = new Telling(null, operations)
    const wrong = await telling.told()
    invariant(wrong === null, `the story ends well without a crash: ${wrong}`)
    return {
      operations,
      figures: telling.figures,
      variantsAt: (operation: number, moment: Moment) =>
        variantsAt(operations[operation - 1] ?? '', moment).filter((variant) => !LEFT_OUT.has(variant)),
      judge: (point) => new Telling(point, []).told(),
    }
  }
}

/** The story, told once. */
class Telling {
  readonly figures: Record<string, number> = { checkpoints: 0 }
  readonly #point: CrashPoint | null
  readonly #operations: string[]
  readonly #wrong: string[] = []
  #crashed = false
  #secondIn = 0

  constructor(point: CrashPoint | null, operations: string[]) {
    this.#point = point
    this.#operations = operations
  }

  async told(): Promise<string | null> {
    const { violations, operationCount } = await runSeed(PLAN.seed, { plan: PLAN, work: (stage) => this.#tell(stage) })
    this.figures['client operations'] = operationCount
    if (this.#point && !this.#crashed) this.#wrong.push(`the story has no operation ${this.#point.operation}`)
    const found = [...violations.map(({ guarantee, what }) => `${guarantee}: ${what}`), ...this.#wrong]
    return found.length > 0 ? found.slice(0, 3).join(' | ') : null
  }

  async #tell(stage: Stage): Promise<void> {
    const { world, observation, faults } = stage
    const { cluster } = world
    const host = cluster.host('node-1')
    // Whom a client reaches is not what this is about.
    observation.stability.begin('everything')
    await write(stage, 30)
    faults.losses.note(host.name)
    cluster.crash(host, 'reset', true)
    host.disk.wipe()
    await write(stage, 8)
    cluster.limits = { ...cluster.limits, ...LIMITS }
    cluster.onServing.push((served) => this.#checkStart(served))
    this.#crashAt(stage, host)
    cluster.start(host)
    await write(stage, 48)
    await this.#untilFilled(stage, host)
    await write(stage, 40)
    // Once more over what it has been filled with.
    this.figures['checkpoints'] = host.node?.rooms?.storage.stats.checkpoints ?? 0
    cluster.crash(host, 'reset', false)
    faults.operator.bringBack(host)
    await this.#untilFilled(stage, host)
    host.disk.beforeOperation = null
    host.disk.afterOperation = null
    const odd = [...host.disk.snapshot().keys()].filter((name) => name.startsWith('quarantine-'))
    if (odd.length > 0) this.#wrong.push(`${odd.join()} left over`)
  }

  async #untilFilled({ world: { cluster } }: Stage, host: Host): Promise<void> {
    const isFilled = (): boolean => host.serving && host.node?.rooms?.filling.isActive === false
    if (!(await cluster.time.runUntilCondition(isFilled, FILLED_WITHIN_MS)))
      this.#wrong.push(`${host.name} is not filled: ${host.fatal ?? 'it runs'}`)
  }

  #checkStart({ name, node }: Host): void {
    const [damage] = node?.rooms?.storage.recovery.damaged ?? []
    if (damage) this.#wrong.push(`${name} reports damage: ${damage.file} at ${damage.offset}: ${damage.what}`)
  }

  #crashAt({ world, faults }: Stage, host: Host): void {
    const point = this.#point
    const random = world.cluster.random.fork(point ? nameOf(point) : 'no crash')
    const crash = (what: string): void => {
      world.cluster.crash(host, 'reset', false)
      const { leave } = aftermathOf(point?.variant ?? 'killed')
      leave(host.disk, random, what)
      void faults.operator.backAfter(host, DOWN_MS)
    }
    const strike = (what: string): void => {
      if (point === null || this.#crashed || this.#operations.length !== point.operation) return
      this.#crashed = true
      if (aftermathOf(point.variant).twice) this.#secondIn = random.integer(1, START_OPERATIONS)
      crash(what)
    }
    host.disk.beforeOperation = (what): void => {
      this.#operations.push(what)
      if (this.#secondIn > 0 && --this.#secondIn === 0) crash(what)
      if (point?.moment === 'before') strike(what)
    }
    host.disk.afterOperation = (what): void => {
      if (point?.moment === 'after') strike(what)
    }
  }
}

/** So many operations, one after the other, by all clients in turn. */
async function write({ world, clients }: Stage, count: number): Promise<void> {
  const { cluster } = world
  for (let i = 0; i < count; i++) {
    const key = BUCKET.keys[(i * 5) % BUCKET.keys.length] as string
    const done = clients[i % clients.length]?.perform(i % 6 === 5 ? 'delete' : i % 6 === 4 ? 'get' : 'put', BUCKET, key)
    if (done) await cluster.time.settle(done)
  }
}
