// `npm run torture -- <story> [--seconds N] [--short] [--seed N]`: runs one story, or all of them, against real processes and prints what it found.
// Invariant: exit status 0 only when nothing was violated; interrupted, it takes its processes along.

import { randomInt } from 'node:crypto'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { readArguments, wholeNumber } from '../command-line.ts'
import { checkpoints } from './stories/checkpoints.ts'
import { hostile } from './stories/hostile.ts'
import { idempotency } from './stories/idempotency.ts'
import { kill } from './stories/kill.ts'
import { listing } from './stories/listing.ts'
import { power } from './stories/power.ts'
import { restart } from './stories/restart.ts'
import { wipe } from './stories/wipe.ts'
import type { Story } from './verdict.ts'

interface Entry {
  readonly story: Story
  readonly seconds: number
}

const STORIES: ReadonlyMap<string, Entry> = new Map([
  ['kill', { story: kill, seconds: 180 }],
  ['checkpoints', { story: checkpoints, seconds: 90 }],
  ['wipe', { story: wipe, seconds: 30 }],
  ['idempotency', { story: idempotency, seconds: 60 }],
  ['listing', { story: listing, seconds: 0 }],
  ['hostile', { story: hostile, seconds: 0 }],
  ['restart', { story: restart, seconds: 40 }],
  ['power', { story: power, seconds: 40 }],
])

const USAGE = `torture [story…] [--seconds N] [--short] [--seed N]

  story        ${[...STORIES.keys()].join(', ')}, or all (the default)
  --seconds N  how long the stories go on that have no end of their own
  --short      a few seconds of each
  --seed N     makes the choices of the run that printed N
`

const { values, positionals } = readArguments(
  {
    allowPositionals: true,
    options: {
      seconds: { type: 'string' },
      short: { type: 'boolean', default: false },
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
for (const name of names) {
  const entry = STORIES.get(name)
  if (entry === undefined) continue
  const startedAt = performance.now()
  const elapsed = (): string => `${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s`
  const say = (line: string): void => console.log(`${elapsed()}  ${line}`)
  console.log(`── ${name}, --seed ${seed}`)
  try {
    const seconds = wanted ?? (values.short ? Math.min(entry.seconds, 8) : entry.seconds)
    const verdict = await entry.story({ seconds, short: values.short, random: new SeededRandom(seed).fork(name), say })
    for (const [figure, value] of Object.entries(verdict.figures)) console.log(`  ${figure}: ${value}`)
    for (const violation of verdict.violations) console.log(`  VIOLATED ${violation}`)
    violated += verdict.violated
    say(verdict.violated === 0 ? `${name}: nothing violated` : `${name}: ${verdict.violated} violations`)
  } catch (error) {
    violated++
    say(`${name}: broke off: ${error instanceof Error ? error.stack : String(error)}`)
  }
}
process.exitCode = violated === 0 ? 0 : 1
