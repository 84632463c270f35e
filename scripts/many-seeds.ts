// Many seeds in worker processes: which run, how long, and what is said while they do. Decides when it is enough; what a seed is about and
// what it finds is the simulator's. Invariant: what counts is in the order of seeds, whatever order they end in.

import { fork } from 'node:child_process'
import { join } from 'node:path'
import { Report } from '../src/simulator/report.ts'
import { runSeed, type SeedResult } from '../src/simulator/run.ts'

export interface ManyOptions {
  readonly jobs: number
  /** No more seeds after the first in which one of these was violated; `any`: whichever. Null: all are run. */
  readonly stopAt: ReadonlySet<string> | 'any' | null
  readonly json: boolean
  /** Each twice, in two processes. */
  readonly verify: boolean
}

/** Seeds from here on until so much time was simulated, or so many seeds ran. */
export interface SeedRange {
  readonly from: number
  readonly count: number
  readonly simulatedMs: number
}

interface Told {
  readonly result: SeedResult
  /** User and system time that it took, all threads of the worker. */
  readonly cpuMs: number
}

const PROGRESS_EVERY_MS = 10_000

/** A worker takes one seed at a time. */
export function work(): void {
  process.on('message', (seed: number) => {
    const before = process.cpuUsage()
    void runSeed(seed).then((result) => {
      const { user, system } = process.cpuUsage(before)
      const told: Told = { result, cpuMs: (user + system) / 1000 }
      process.send?.(told)
    })
  })
  process.on('disconnect', () => process.exit(0))
}

class SeedRuns {
  readonly #range: SeedRange
  readonly #options: ManyOptions
  readonly #results = new Map<number, SeedResult>()
  readonly #again: number[] = []
  readonly #begun = performance.now()
  #next: number
  #simulatedMs = 0
  #operations = 0
  #faults = 0
  #events = 0
  #cpuMs = 0
  #bad = 0
  #unlike = 0
  #isStopped = false
  #saidAt = 0

  constructor(range: SeedRange, options: ManyOptions) {
    this.#range = range
    this.#options = options
    this.#next = range.from
  }

  get isGood(): boolean {
    return this.#bad === 0 && this.#unlike === 0
  }

  /** The seed that is to run now; undefined: no more. */
  next(): number | undefined {
    if (this.#isStopped) return undefined
    const again = this.#again.shift()
    if (again !== undefined) return again
    if (this.#next >= this.#range.from + this.#range.count || this.#simulatedMs >= this.#range.simulatedMs)
      return undefined
    if (this.#options.verify) this.#again.push(this.#next)
    return this.#next++
  }

  take({ result, cpuMs }: Told): void {
    this.#cpuMs += cpuMs
    const known = this.#results.get(result.seed)
    if (known !== undefined) this.#compare(known, result)
    else this.#count(result)
    this.#progress()
  }

  #compare(known: SeedResult, again: SeedResult): void {
    if (known.hash === again.hash) return
    this.#unlike++
    process.stdout.write(`seed ${known.seed} gave two histories: ${known.hash} and ${again.hash}\n`)
  }

  #count(result: SeedResult): void {
    this.#results.set(result.seed, result)
    this.#simulatedMs += result.simulatedMs
    this.#operations += result.operationCount
    this.#faults += result.faultCount
    this.#events += result.events
    if (result.violations.length > 0) this.#bad++
    const { stopAt } = this.#options
    this.#isStopped ||= result.violations.some(({ guarantee }) => stopAt === 'any' || stopAt?.has(guarantee))
    if (this.#options.json) process.stdout.write(`${JSON.stringify(result)}\n`)
    else
      for (const { guarantee, at, what } of result.violations.slice(0, 3))
        process.stdout.write(`seed ${result.seed}: ${guarantee} violated at ${at.toFixed(1)} ms: ${what}\n`)
  }

  #progress(): void {
    if (this.#options.json) return
    const now = performance.now()
    if (!process.stderr.isTTY && now - this.#saidAt < PROGRESS_EVERY_MS) return
    this.#saidAt = now
    const line = `${this.#results.size} seeds, ${hours(this.#simulatedMs)}, ${whole(this.#operations)} operations, ${whole(this.#faults)} faults, ${this.#bad === 0 ? 'no violation' : `${this.#bad} with violations`}, ${((now - this.#begun) / 60_000).toFixed(1)} min`
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`)
  }

  end(): void {
    if (this.#options.json) return
    if (process.stderr.isTTY) process.stderr.write('\n')
    const results = [...this.#results.values()].sort((a, b) => a.seed - b.seed)
    process.stdout.write(new Report(results).text)
    const wallMinutes = (performance.now() - this.#begun) / 60_000
    const repeated = this.#options.verify ? `; each seed ran twice, ${this.#unlike} gave two histories` : ''
    process.stdout.write(
      `${hours(this.#simulatedMs)} in ${wallMinutes.toFixed(1)} minutes, ${whole((this.#events * (this.#options.verify ? 2 : 1)) / (this.#cpuMs / 1000))} events in a second of a core${repeated}\n`,
    )
  }
}

function hours(simulatedMs: number): string {
  return `${(simulatedMs / 3_600_000).toFixed(2)} simulated hours`
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}

/** Resolves with whether no guarantee was violated and no seed gave two histories. */
export async function runMany(range: SeedRange, options: ManyOptions): Promise<boolean> {
  const runs = new SeedRuns(range, options)
  await Promise.all(Array.from({ length: Math.min(options.jobs, range.count) }, () => worker(runs)))
  runs.end()
  return runs.isGood
}

function worker(runs: SeedRuns): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'simulate.ts'), ['--worker'], { serialization: 'json' })
    const more = (): void => {
      const seed = runs.next()
      if (seed === undefined) child.disconnect()
      else child.send(seed)
    }
    child.on('message', (told: Told) => {
      runs.take(told)
      more()
    })
    child.on('exit', (status) => (status === 0 ? resolve() : reject(new Error(`a worker ended with status ${status}`))))
    more()
  })
}
