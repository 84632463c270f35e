// `npm run torture -- <story> [--cycles N] [--seconds N] [--short] [--seed N]`: runs one story, or all of them, against real processes and
// prints what it found, at the end in a table. Invariant: exit status 0 only when nothing was violated; interrupted, it takes its
// processes along.

import { randomInt } from 'node:crypto'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { readArguments, wholeNumber } from '../command-line.ts'
import { type Row, sloppyRate, tableOf } from './report.ts'
import { checkpoints } from './stories/checkpoints.ts'
import { disk } from './stories/disk.ts'
import { hostile } from './stories/hostile.ts'
import { idempotency } from './stories/idempotency.ts'
import { identity } from './stories/identity.ts'
import { kill } from './stories/kill.ts'
import { listing } from './stories/listing.ts'
import { partition } from './stories/partition.ts'
import { pause } from './stories/pause.ts'
import { power, powerWithoutFsync } from './stories/power.ts'
import { restart } from './stories/restart.ts'
import { wipe } from './stories/wipe.ts'
import type { Story } from './verdict.ts'

interface Entry {
  readonly story: Story
  readonly seconds: number
  /** Of each kind of fault that the story injects; 0: it has no count, or an end of its own. */
  readonly cycles: number
  readonly shortCycles?: number
}

const STORIES: ReadonlyMap<string, Entry> = new Map([
  ['kill', { story: kill, seconds: 0, cycles: 200, shortCycles: 5 }],
  ['partition', { story: partition, seconds: 0, cycles: 60, shortCycles: 3 }],
  ['pause', { story: pause, seconds: 0, cycles: 40, shortCycles: 3 }],
  ['disk', { story: disk, seconds: 0, cycles: 10 }],
  ['identity', { story: identity, seconds: 0, cycles: 5 }],
  ['checkpoints', { story: checkpoints, seconds: 90, cycles: 0 }],
  ['wipe', { story: wipe, seconds: 30, cycles: 0 }],
  ['idempotency', { story: idempotency, seconds: 60, cycles: 0 }],
  ['listing', { story: listing, seconds: 0, cycles: 0 }],
  ['hostile', { story: hostile, seconds: 0, cycles: 0 }],
  ['restart', { story: restart, seconds: 40, cycles: 0 }],
  ['power', { story: power, seconds: 0, cycles: 50 }],
])

const counted = (): string =>
  [...STORIES].flatMap(([name, { cycles }]) => (cycles > 0 ? [`${name} ${cycles}`] : [])).join(', ')

const USAGE = `torture [story…] [--cycles N] [--seconds N] [--short] [--seed N] [--without-fsync]

  story        ${[...STORIES.keys()].join(', ')}, or all (the default)
  --cycles N   how many faults of each kind, in the stories that count them (${counted()})
  --seconds N  how long the others go on that have no end of their own; of those that count, instead of their number
  --short      a few seconds of each
  --without-fsync  of power only that a copy of the sources without fsync is caught
  --seed N     makes the choices of the run that printed N
`

const { values, positionals } = readArguments(
  {
    allowPositionals: true,
    options: {
      cycles: { type: 'string' },
      seconds: { type: 'string' },
      short: { type: 'boolean', default: false },
      'without-fsync': { type: 'boolean', default: false },
      seed: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  },
  USAGE,
)
if (values.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}
const wantedCycles = values.cycles === undefined ? null : wholeNumber('cycles', values.cycles, 1, USAGE)
const wanted = values.seconds === undefined ? null : wholeNumber('seconds', values.seconds, 0, USAGE)
const seed = values.seed === undefined ? randomInt(2 ** 31) : wholeNumber('seed', values.seed, 0, USAGE)

const names = positionals.length === 0 || positionals[0] === 'all' ? [...STORIES.keys()] : positionals
const unknown = names.filter((name) => !STORIES.has(name))
if (unknown.length > 0) {
  console.error(`no story ${unknown.join(', ')}; there are: ${[...STORIES.keys()].join(', ')}, all`)
  process.exit(2)
}
// The nodes end with their parent: their channel closes.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

let violated = 0
const rows: Row[] = []
for (const name of names) {
  const entry = STORIES.get(name)
  if (entry === undefined) continue
  const startedAt = performance.now()
  const secondsSoFar = (): number => (performance.now() - startedAt) / 1000
  const say = (line: string): void => console.log(`${secondsSoFar().toFixed(1).padStart(6)} s  ${line}`)
  console.log(`── ${name}, --seed ${seed}`)
  try {
    const seconds = wanted ?? (values.short ? Math.min(entry.seconds, 8) : entry.seconds)
    const usual = wanted !== null ? 0 : values.short ? (entry.shortCycles ?? 1) : entry.cycles
    const cycles = entry.cycles === 0 ? 0 : (wantedCycles ?? usual)
    const random = new SeededRandom(seed).fork(name)
    const story = values['without-fsync'] && name === 'power' ? powerWithoutFsync : entry.story
    const verdict = await story({ seconds, cycles, short: values.short, random, say })
    for (const [figure, value] of Object.entries(verdict.figures)) console.log(`  ${figure}: ${value}`)
    if (verdict.sloppy.sent > 0) console.log(`  sloppy puts through nodes that reached W nodes: ${sloppyRate(verdict)}`)
    for (const [what, why] of Object.entries(verdict.skipped)) console.log(`  skipped ${what}: ${why}`)
    for (const violation of verdict.violations) console.log(`  VIOLATED ${violation}`)
    violated += verdict.violated
    rows.push({ name, verdict, seconds: secondsSoFar() })
    say(verdict.violated === 0 ? `${name}: nothing violated` : `${name}: ${verdict.violated} violations`)
  } catch (error) {
    violated++
    rows.push({ name, verdict: error instanceof Error ? error.message : String(error), seconds: secondsSoFar() })
    say(`${name}: broke off: ${error instanceof Error ? error.stack : String(error)}`)
  }
}
console.log(tableOf(rows))
// A story that broke off may have left clients that ask on and on.
process.exit(violated === 0 ? 0 : 1)
