// `npm run simulate -- --seeds 1..300`: runs seeds in worker processes, says what was done to the cluster and what was found, and how to
// see one seed again. Invariant: exit status 0 only when every seed ran and no guarantee was violated.

import { resolve } from 'node:path'
import { Report } from '../src/simulator/report.ts'
import { runSeed } from '../src/simulator/run.ts'
import { readArguments, refuse, wholeNumber } from './command-line.ts'
import { CRASH_WORKLOADS, crashEverywhere, crashOnePoint, crashPointNamed } from './crash-points.ts'
import { runMany, type SeedRange, work } from './many-seeds.ts'
import { simulateMerge } from './merge.ts'
import { inMutant } from './mutants/copy.ts'
import { MUTANTS } from './mutants/list.ts'
import { drawSeed, shrinkSeed } from './shrink.ts'

const USAGE = `simulate --seeds A..B | --hours H [--from N] | --seed N [--trace | --shrink] [--verify] [--jobs N] [--stop-first] [--json]
simulate --mutant NAME, with any of these
simulate --merge FILE [--seeds A..B | --seed N]
simulate --crash-points [--workload NAME] [--sample N] [--point NAME] [--jobs N] [--json]

  --seeds A..B   run these seeds (default 1..300)
  --hours H      run seeds until H hours of clusters' time were simulated
  --from N       with --hours: the first seed (default 1)
  --seed N       run one seed and print the hash over all its events
  --shrink       with --seed: of what violates a guarantee, leave out all that can be done without, and print the story that is left
  --html FILE    with --seed: draw the story, or the whole seed: a lane for each client and node, arrows for messages
  --guarantee G  with --shrink: this one, not the first that is violated
  --tries N      with --shrink: stories told at most (default 400)
  --trace        with --seed: every event, one a line, with its simulated time
  --trace-all    with --seed: also every frame and every disk operation
  --verify       run each seed twice, in two processes, and compare the hashes
  --jobs N       worker processes (default 2)
  --stop-first   stop at the first violation
  --stop-at G,…  stop at the first violation of one of these guarantees
  --json         the results as JSON lines
  --mutant NAME  run a copy of the sources that is broken in this way (npm run mutants lists them)

  --merge FILE    clients merge siblings with the function that this module exports (seeds 1..10 by default): does it
                  converge, and what does it lose

  --crash-points  fixed workloads (${CRASH_WORKLOADS.join(', ')}), crashed at every operation of a disk
  --workload NAME one of them
  --sample N      of each at most so many crashes
  --point NAME    one crash again, as a failure prints it
`

/** Their results are all kept until the end. */
const SEEDS_MAX = 1_000_000

if (process.argv[2] === '--worker') work()
else process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  const { values } = readArguments(
    {
      args: [...args],
      options: {
        seeds: { type: 'string' },
        seed: { type: 'string' },
        hours: { type: 'string' },
        from: { type: 'string', default: '1' },
        shrink: { type: 'boolean' },
        html: { type: 'string' },
        guarantee: { type: 'string' },
        tries: { type: 'string', default: '400' },
        mutant: { type: 'string' },
        trace: { type: 'boolean' },
        'trace-all': { type: 'boolean' },
        verify: { type: 'boolean' },
        jobs: { type: 'string', default: '2' },
        'stop-first': { type: 'boolean' },
        'stop-at': { type: 'string' },
        json: { type: 'boolean' },
        merge: { type: 'string' },
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
  if (values.mutant !== undefined) return mutated(values.mutant, args)
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
  if (values.merge !== undefined) return simulateMerge(values.merge, seedsOf(values.seed ?? values.seeds ?? '1..10'))
  const seed = values.seed === undefined ? null : wholeNumber('seed', values.seed, 0, USAGE)
  const html = values.html ?? null
  if (values.shrink) {
    if (seed === null) refuse('--shrink needs --seed', USAGE)
    const terms = { guarantee: values.guarantee ?? null, triesMax: wholeNumber('tries', values.tries, 1, USAGE), html }
    return shrinkSeed(seed, terms)
  }
  if (html !== null) {
    if (seed === null) refuse('--html needs --seed', USAGE)
    return drawSeed(seed, html)
  }
  if (seed !== null && !values.verify) return one(seed, values.trace === true, values['trace-all'] === true)
  const isGood = await runMany(rangeOf(seed, values), {
    jobs: wholeNumber('jobs', values.jobs, 1, USAGE),
    stopAt:
      values['stop-at'] === undefined ? (values['stop-first'] ? 'any' : null) : new Set(values['stop-at'].split(',')),
    json: values.json === true,
    verify: values.verify === true,
  })
  return isGood ? 0 : 1
}

function rangeOf(seed: number | null, values: { seeds?: string; hours?: string; from: string }): SeedRange {
  if (seed !== null) return { from: seed, count: 1, simulatedMs: Infinity }
  if (values.hours === undefined) return { ...seedsOf(values.seeds ?? '1..300'), simulatedMs: Infinity }
  const hours = Number(values.hours)
  if (!(hours > 0) || values.seeds !== undefined) refuse('--hours takes a number above 0, and no --seeds', USAGE)
  return { from: wholeNumber('from', values.from, 0, USAGE), count: SEEDS_MAX, simulatedMs: hours * 3_600_000 }
}

function seedsOf(text: string): { from: number; count: number } {
  const [, first = '', last = first] = /^(\d{1,15})(?:\.\.(\d{1,15}))?$/.exec(text) ?? []
  const from = Number(first)
  const count = Number(last) - from + 1
  if (first === '' || count < 1 || count > SEEDS_MAX)
    refuse(`--seeds takes A..B, 1 to ${SEEDS_MAX} seeds; not "${text}"`, USAGE)
  return { from, count }
}

/** The same command in a copy of the sources that is broken. */
function mutated(name: string, args: readonly string[]): Promise<number> {
  const mutant = MUTANTS.find((one) => one.name === name)
  if (!mutant) refuse(`--mutant takes one of ${MUTANTS.map((one) => one.name).join(', ')}; not "${name}"`, USAGE)
  const at = args.findIndex((arg) => arg.startsWith('--mutant'))
  const others = args.toSpliced(at, args[at] === '--mutant' ? 2 : 1)
  return inMutant(
    resolve(import.meta.dirname, '..'),
    mutant,
    (child) => child('scripts/simulate.ts', others, 'inherit').status,
  )
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
