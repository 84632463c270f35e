// One budget, loaded twice over: what was refused and how, what went on meanwhile, what the process took, and when writes were taken again
// after half was deleted. Decides the steps and measures; knows nothing of targets.

import { setTimeout as delay } from 'node:timers/promises'
import { diskUsage } from '../parts/disk.ts'
import { checked, Driver, type RunResult } from '../parts/driver.ts'
import type { Task } from '../parts/dialects.ts'
import { KEY_BYTES, VALUE_BYTES } from '../parts/key-space.ts'
import { residentOf } from '../parts/proc.ts'
import { megabytes, say, whole } from '../parts/report.ts'
import { BUCKET, QuorateServer } from '../parts/servers.ts'
import type { Session } from '../parts/session.ts'
import { loading } from '../parts/tasks.ts'
import { FATE, LimitsDialect } from './dialect.ts'

export interface Scenario {
  readonly name: string
  readonly budgetBytes: number
  /** Where its data lies. */
  readonly place: string
  readonly args: readonly string[]
  /** What must stay within the budget. */
  readonly of: 'resident memory' | 'data directory'
  readonly valueCopies: number
  readonly holdSeconds: number
}

export interface Outcome {
  readonly scenario: Scenario
  readonly stored: number
  readonly refused: number
  readonly load: RunResult
  /** At the limit: reads, deletions, and writes that are refused. */
  readonly hold: RunResult
  /** Greatest, as a multiple of the budget. */
  readonly ratio: number
  readonly residentMax: number
  readonly diskMax: number
  /** Of a small part that asked all the time: whether all was answered, and the slowest. */
  readonly probes: RunResult
  /** From the last of the deletions; null: never. */
  readonly backSeconds: number | null
  readonly takenAgain: number
  readonly valuesRead: number
}

const BACK_SECONDS_MAX = 180
const PROBES_PER_SECOND = 40
const PATIENCE_MS = 500

export async function play(session: Session, scenario: Scenario): Promise<Outcome> {
  const { budgetBytes, valueCopies, holdSeconds } = scenario
  const keys = Math.ceil((2 * budgetBytes) / (KEY_BYTES + valueCopies * VALUE_BYTES))
  const node = await QuorateServer.start(session, { place: scenario.place, args: scenario.args })
  const dialect = new LimitsDialect(node.port, BUCKET, { keys: keys * 2, copies: valueCopies })
  const driver = new Driver(node.port, dialect, node.pace)
  const prober = new Driver(node.port, dialect, { connections: 2, depth: 4 })
  const greatest = sampling(session, node, scenario)
  say(`${scenario.name}: ${whole(keys)} keys of ${whole(valueCopies * VALUE_BYTES)} bytes`)

  const probing = new Probes(dialect, keys)
  const probes = prober.run(probing.next, { ratePerSecond: PROBES_PER_SECOND })
  const load = checked('load', await driver.run(loading(0, keys, null)))
  const [stored, refused] = [dialect.stored, dialect.refused]
  say(`loaded: ${whole(stored)} stored, ${whole(refused)} refused, ${whole(load.perSecond)}/s`)
  const endAt = performance.now() + holdSeconds * 1000
  let next = keys
  const mix = (): Task | null => {
    if (performance.now() > endAt || next === 2 * keys - 1) return null
    return Math.random() < 0.3 ? putting(next++) : probing.read()
  }
  const hold = checked('at the limit', await driver.run(mix))
  probing.isOver = true
  const probed = checked('reads and deletions meanwhile', await probes)
  say(`at the limit: ${whole(hold.perSecond)}/s, ${whole(dialect.refused - refused)} refused`)

  const doomed = [...halfOf(dialect.fates)]
  let at = 0
  checked('deletions', await driver.run(() => (at < doomed.length ? deleting(doomed[at++] as number) : null)))
  const deletedAt = performance.now()
  say(`${whole(doomed.length)} deleted`)
  const backSeconds = await takesAgain(driver, dialect, () => next++, deletedAt)
  say(backSeconds === null ? 'no write was taken again' : `writes are taken again after ${backSeconds.toFixed(1)} s`)
  const before = dialect.stored
  const until = Math.min(next + Math.floor(doomed.length / 4), 2 * keys - 1)
  checked('writes again', await driver.run(() => (next < until ? putting(next++) : null)))
  const takenAgain = dialect.stored - before
  let key = 0
  const all = (): Task | null => (key < next ? reading(key++) : null)
  const read = checked('all values', await driver.run(all))
  if (read.wrong > 0) throw new Error(`${read.wrong} values were wrong: ${read.samples.join('\n')}`)
  if (!node.isRunning) throw new Error('the node has ended')
  driver.close()
  prober.close()
  const figures = greatest()
  await node.stop()
  return {
    ...{ scenario, stored, refused, load, hold, probes: probed, backSeconds, takenAgain, valuesRead: read.tasks },
    ...figures,
  }
}

function putting(index: number): Task {
  return { kind: 'put', index, version: 1, ttlSeconds: null, creates: true }
}

function deleting(index: number): Task {
  return { ...putting(index), kind: 'delete' }
}

function reading(index: number): Task {
  return { ...putting(index), kind: 'get' }
}

/** Reads of what is stored, and now and then a deletion, each of a key that nothing else is under way with. */
class Probes {
  isOver = false
  readonly #dialect: LimitsDialect
  readonly #keys: number
  #deleted = 0
  #count = 0

  constructor(dialect: LimitsDialect, keys: number) {
    this.#dialect = dialect
    this.#keys = keys
  }

  readonly next = (): Task | null => {
    if (this.isOver) return null
    // The first keys are for deletions, the others for reads.
    const index = this.#deleted * 16
    if (this.#count++ % 4 === 3 && this.#dialect.fates[index] === FATE.stored) {
      this.#deleted++
      return deleting(index)
    }
    return this.read()
  }

  read(): Task {
    const { fates } = this.#dialect
    for (let tries = 0; tries < 1000; tries++) {
      const index = Math.floor(Math.random() * this.#keys)
      if (index % 16 !== 0 && fates[index] === FATE.stored) return reading(index)
    }
    // Nothing is stored yet: whatever it is, it is not there.
    this.#dialect.fates[this.#dialect.fates.length - 1] = FATE.refused
    return reading(this.#dialect.fates.length - 1)
  }
}

function* halfOf(fates: Uint8Array): IterableIterator<number> {
  let turn = 0
  for (let index = 0; index < fates.length; index++) if (fates[index] === FATE.stored && turn++ % 2 === 0) yield index
}

/** Tries with one write after the other. */
async function takesAgain(
  driver: Driver,
  dialect: LimitsDialect,
  next: () => number,
  from: number,
): Promise<number | null> {
  for (;;) {
    const before = dialect.stored
    let task: Task | null = putting(next())
    checked('a write', await driver.run(() => [task, (task = null)][0] ?? null))
    const seconds = (performance.now() - from) / 1000
    if (dialect.stored > before) return seconds
    if (seconds > BACK_SECONDS_MAX) return null
    await delay(PATIENCE_MS)
  }
}

function sampling(
  session: Session,
  node: QuorateServer,
  { budgetBytes, of }: Scenario,
): () => Pick<Outcome, 'ratio' | 'residentMax' | 'diskMax'> {
  let [residentMax, diskMax, count] = [0, 0, 0]
  const timer = setInterval(() => {
    if (!node.isRunning) return
    const resident = residentOf(node.pid).rss
    const disk = diskUsage(node.dataDir)
    residentMax = Math.max(residentMax, resident)
    diskMax = Math.max(diskMax, disk)
    if (++count % 5 === 0) say(`  resident ${megabytes(resident)} MB, data directory ${megabytes(disk)} MB`)
  }, 1000)
  session.onEnd(() => clearInterval(timer))
  return () => {
    clearInterval(timer)
    return { residentMax, diskMax, ratio: (of === 'resident memory' ? residentMax : diskMax) / budgetBytes }
  }
}
