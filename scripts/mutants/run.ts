// `npm run mutants [-- --from SEED] [name…]`: breaks a copy of the sources in one way at a time and runs the simulator's ordinary seeds on it
// until a checker objects; then the whole sources on the same seeds. Prints who caught what, and fails when a mutant survives, is caught by
// another guarantee than it breaks, or nothing is broken and something is found. Nothing here is special to any mutant.

import { resolve } from 'node:path'
import Table from 'cli-table3'
import type { SeedResult } from '../../src/simulator/run.ts'
import type { Violation } from '../../src/simulator/violation.ts'
import { readArguments, refuse, wholeNumber } from '../command-line.ts'
import { inMutant, NoLongerFits, type RunScript } from './copy.ts'
import { type Mutant, MUTANTS } from './list.ts'

const USAGE = `npm run mutants [-- [--from SEED] [--seeds COUNT] [--no-clean] NAME…]

  --from SEED    the first seed that is run (default 1)
  --seeds COUNT  of each mutant at most so many (default 300)
  --no-clean     do not run the whole sources on the same seeds

mutants: ${MUTANTS.map(({ name }) => name).join(', ')}`
const root = resolve(import.meta.dirname, '../..')

interface Verdict {
  readonly mutant: Mutant
  /** Guarantees that were violated in the first bad seed; empty: it survived. */
  readonly caught: readonly string[]
  readonly seed: number | null
  /** Of clusters' time, from the first seed's beginning to the violation. */
  readonly simulatedMinutes: number
  /** Why it could not be run. */
  readonly problem: string | null
}

const { values: flags, positionals: names } = readArguments(
  {
    allowPositionals: true,
    options: {
      from: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '300' },
      'no-clean': { type: 'boolean', default: false },
    },
  },
  USAGE,
)
const from = wholeNumber('from', flags.from, 0, USAGE)
const last = from + wholeNumber('seeds', flags.seeds, 1, USAGE) - 1
const unknown = names.filter((name) => !MUTANTS.some((mutant) => mutant.name === name))
if (unknown.length > 0) refuse(`no such mutant: ${unknown.join(', ')}`, USAGE)
process.exitCode = await main(MUTANTS.filter(({ name }) => names.length === 0 || names.includes(name)))

async function main(mutants: readonly Mutant[]): Promise<number> {
  const verdicts: Verdict[] = []
  for (const mutant of mutants) {
    const verdict = await judge(mutant)
    verdicts.push(verdict)
    process.stderr.write(`${verdicts.length}/${mutants.length} ${mutant.name}: ${outcomeOf(verdict)}\n`)
  }
  const table = new Table({
    head: ['mutant', 'breaks', 'caught by', 'simulated min', 'seed'],
    style: { head: [], border: [] },
  })
  for (const { mutant, caught, simulatedMinutes, seed, problem } of verdicts)
    table.push([
      mutant.name,
      mutant.guarantee,
      problem ?? (caught.join(', ') || 'NOT CAUGHT'),
      simulatedMinutes.toFixed(1),
      seed ?? '',
    ])
  const good = verdicts.filter(isGood)
  const minutes = good.map(({ simulatedMinutes }) => simulatedMinutes).sort((a, b) => a - b)
  process.stdout.write(
    `${table.toString()}\n${good.length} of ${verdicts.length} caught, each by a guarantee that it breaks; simulated minutes: median ${(minutes[minutes.length >> 1] ?? Number.NaN).toFixed(1)}, most ${(minutes.at(-1) ?? Number.NaN).toFixed(1)}\n`,
  )
  const isClean =
    flags['no-clean'] || (await wholeSourcesPass(Math.max(from, ...verdicts.map(({ seed }) => seed ?? from))))
  return good.length === verdicts.length && isClean ? 0 : 1
}

function guaranteesOf(mutant: Mutant): string[] {
  return mutant.guarantee.split(', ')
}

function isGood({ mutant, caught, problem }: Verdict): boolean {
  return problem === null && caught.some((guarantee) => guaranteesOf(mutant).includes(guarantee))
}

function outcomeOf({ seed, caught, problem }: Verdict): string {
  return problem ?? (seed === null ? 'NOT CAUGHT' : `${caught.join(', ')} in seed ${seed}`)
}

async function judge(mutant: Mutant): Promise<Verdict> {
  const none = { mutant, caught: [], seed: null, simulatedMinutes: 0, problem: null }
  try {
    const broken = guaranteesOf(mutant)
    const results = await inMutant(root, mutant, (run) => resultsOf(run, last, broken))
    const first = (result: SeedResult): Violation | undefined =>
      result.violations.find(({ guarantee }) => broken.includes(guarantee))
    const bad = results.find(first)
    const before = results.filter(({ seed }) => bad === undefined || seed < bad.seed)
    const simulatedMs = before.reduce((sum, result) => sum + result.simulatedMs, (bad && first(bad)?.at) ?? 0)
    const caught = [...new Set(bad?.violations.map(({ guarantee }) => guarantee))]
    return { ...none, caught, seed: bad?.seed ?? null, simulatedMinutes: simulatedMs / 60_000 }
  } catch (error) {
    if (error instanceof NoLongerFits) return { ...none, problem: error.message }
    throw error
  }
}

/** Until one of these guarantees is violated, in the order of seeds. */
async function resultsOf(run: RunScript, through: number, guarantees: readonly string[]): Promise<SeedResult[]> {
  const stop = guarantees.length === 0 ? [] : ['--stop-at', guarantees.join(',')]
  const { child, status } = run('scripts/simulate.ts', ['--seeds', `${from}..${through}`, ...stop, '--json'], 'pipe')
  let output = ''
  child.stdout?.on('data', (bytes: Buffer) => (output += bytes.toString()))
  await status
  const lines = output.split('\n').filter((text) => text.startsWith('{'))
  // From our own process.
  return lines.map((text) => JSON.parse(text) as SeedResult).sort((a, b) => a.seed - b.seed)
}

async function wholeSourcesPass(through: number): Promise<boolean> {
  const results = await inMutant(root, null, (run) => resultsOf(run, through, []))
  const bad = results.filter(({ violations }) => violations.length > 0)
  process.stdout.write(
    `the whole sources on seeds ${from}..${through}: ${bad.length === 0 ? 'no violation' : `VIOLATIONS in seed ${bad.map(({ seed }) => seed).join(', ')}`}\n`,
  )
  return bad.length === 0
}
