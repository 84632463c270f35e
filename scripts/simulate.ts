// `npm run simulate -- --seeds 1..300`: runs seeds in worker processes, says what was done to the cluster and what was found, and how to
// see one seed again. Invariant: exit status 0 only when every seed ran and no guarantee was violated.

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { runSeed, type SeedResult } from '../src/simulator/run.ts'
import { Report } from '../src/simulator/report.ts'
import { readArguments, refuse, wholeNumber } from './command-line.ts'
import { CRASH_WORKLOADS, crashEverywhere, crashOnePoint, crashPointNamed } from './crash-points.ts'

const USAGE = `simulate --seeds A..B | --seed N [--trace] [--verify] [--jobs N] [--stop-first] [--json]
simulate --crash-points [--workload NAME] [--sample N] [--point NAME] [--jobs N] [--json]

  --seeds A..B   run these seeds (default 1..300)
  --seed N       run one seed and print the hash over all its events
  --trace        with --seed: every event, one a line, with its simulated time
  --trace-all    with --seed: also every frame and every disk operation
  --verify       run each seed twice, in two processes, and compare the hashes
  --jobs N       worker processes (default 2)
  --stop-first   stop at the first violation
  --json         the results as JSON lines

  --crash-points  fixed workloads (${CRASH_WORKLOADS.join(', ')}), crashed at every operation of a disk
  --workload NAME one of them
  --sample N      of each at most so many crashes
  --point NAME    one crash again, as a failure prints it
`

/** Their results are all kept until the end. */
const SEEDS_MAX = 1_000_000

if (process.argv[2] === '--worker') work()
else process.exitCode = await main(process.argv.slice(2))

/** A worker takes one seed at a time. */
function work(): void {
  process.on('message', (seed: number) => {
    void runSeed(seed).then((result) => process.send?.(result))
  })
  process.on('disconnect', () => process.exit(0))
}

async function main(args: readonly string[]): Promise<number> {
  const { values } = readArguments(
    {
      args: [...args],
      options: {
        seeds: { type: 'string' },
        seed: { type: 'string' },
        trace: { type: 'boolean' },
        'trace-all': { type: 'boolean' },
        verify: { type: 'boolean' },
        jobs: { type: 'string', default: '2' },
        'stop-first': { type: 'boolean' },
        json: { type: 'boolean' },
        'crash-points': { type: 'boolean' },
        workload: { type: 'string' },
        sample: { type: 'string' },
        point: { type: 'string' },
        help: { type: 'boolean' },
      },
    },
    USAGE,
  )
  if (values.help) {
    process.stdout.write(USAGE)
    return 0
  }
  if (values['crash-points']) {
    if (values.point !== undefined) {
      const point = crashPointNamed(values.point)
      if (point === null) refuse(`--point takes a name like records:17:before:killed; not "${values.point}"`, USAGE)
      return crashOnePoint(point)
    }
    const { workload } = values
    if (workload !== undefined && !CRASH_WORKLOADS.includes(workload))
      refuse(`--workload takes ${CRASH_WORKLOADS.join(', ')}; not "${workload}"`, USAGE)
    return crashEverywhere({
      jobs: wholeNumber('jobs', values.jobs, 1, USAGE),
      most: values.sample === undefined ? Infinity : wholeNumber('sample', values.sample, 1, USAGE),
      workloads: workload === undefined ? [] : [workload],
      json: values.json === true,
    })
  }
  const seed = values.seed === undefined ? null : wholeNumber('seed', values.seed, 0, USAGE)
  if (seed !== null && !values.verify) return one(seed, values.trace === true, values['trace-all'] === true)
  return many(seed === null ? seedsOf(values.seeds ?? '1..300') : [seed], {
    jobs: wholeNumber('jobs', values.jobs, 1, USAGE),
    stopFirst: values['stop-first'] === true,
    json: values.json === true,
    verify: values.verify === true,
  })
}

function seedsOf(text: string): number[] {
  const [, first = '', last = first] = /^(\d{1,15})(?:\.\.(\d{1,15}))?$/.exec(text) ?? []
  const from = Number(first)
  const count = Number(last) - from + 1
  if (first === '' || count < 1 || count > SEEDS_MAX)
    refuse(`--seeds takes A..B, 1 to ${SEEDS_MAX} seeds; not "${text}"`, USAGE)
  return Array.from({ length: count }, (_, i) => from + i)
}

async function one(seed: number, trace: boolean, all: boolean): Promise<number> {
  const onEvent = (at: number, event: string): void => {
    const isDetail = event.startsWith('net ') || / disk /.test(event)
    if (all || !isDetail || /^net (cut|heal|crash)/.test(event))
      process.stdout.write(`${at.toFixed(2).padStart(10)} ${event}\n`)
  }
  const result = await runSeed(seed, trace || all ? { onEvent } : {})
  process.stdout.write(new Report([result]).text)
  process.stdout.write(`seed ${seed}: ${result.hash}\n`)
  return result.violations.length > 0 ? 1 : 0
}

interface ManyOptions {
  readonly jobs: number
  readonly stopFirst: boolean
  readonly json: boolean
  readonly verify: boolean
}

async function many(seeds: readonly number[], { jobs, stopFirst, json, verify }: ManyOptions): Promise<number> {
  const results: SeedResult[] = []
  const hashes = new Map<number, string>()
  const queue = verify ? [...seeds, ...seeds] : [...seeds]
  let unlike = 0
  const isOver = (): boolean =>
    queue.length === 0 || (stopFirst && results.some(({ violations }) => violations.length > 0))
  const take = (result: SeedResult): void => {
    const known = hashes.get(result.seed)
    if (known !== undefined) {
      if (known !== result.hash) {
        unlike++
        process.stdout.write(`seed ${result.seed} gave two histories: ${known} and ${result.hash}\n`)
      }
      return
    }
    hashes.set(result.seed, result.hash)
    results.push(result)
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`)
    for (const { guarantee, at, what } of result.violations.slice(0, 3)) {
      if (!json) process.stdout.write(`seed ${result.seed}: ${guarantee} violated at ${at.toFixed(1)} ms: ${what}\n`)
    }
    if (!json && process.stderr.isTTY) process.stderr.write(`\r${results.length}/${seeds.length} seeds `)
    else if (!json && results.length % 50 === 0) process.stderr.write(`${results.length}/${seeds.length} seeds\n`)
  }
  await Promise.all(
    Array.from({ length: Math.min(jobs, queue.length) }, () =>
      worker(() => (isOver() ? undefined : queue.shift()), take),
    ),
  )
  results.sort((a, b) => a.seed - b.seed)
  if (!json) process.stdout.write(`${process.stderr.isTTY ? '\n' : ''}${new Report(results).text}`)
  return unlike > 0 || results.some(({ violations }) => violations.length > 0) ? 1 : 0
}

function worker(next: () => number | undefined, take: (result: SeedResult) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ['--worker'], { serialization: 'json' })
    const more = (): void => {
      const seed = next()
      if (seed === undefined) child.disconnect()
      else child.send(seed)
    }
    child.on('message', (result: SeedResult) => {
      take(result)
      more()
    })
    child.on('exit', (status) => (status === 0 ? resolve() : reject(new Error(`a worker ended with status ${status}`))))
    more()
  })
}
