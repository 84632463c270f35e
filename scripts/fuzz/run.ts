// `npm run fuzz -- frames --executions 2000000`: hostile bytes for every decoder and for the client port, and a verdict. Invariant: exit
// status 0 only when every execution asked for was done (or the time asked for is over) and none failed.

import { relative } from 'node:path'
import { readFileSync } from 'node:fs'
import { readArguments, refuse, wholeNumber } from '../command-line.ts'
import { keep } from './corpus.ts'
import { judge, type Tally } from './engine.ts'
import { fuzzHttp } from './http/run.ts'
import { fuzzInThreads } from './pool.ts'
import { TARGETS } from './targets.ts'
import type { WorkDone } from './worker.ts'

const USAGE = `fuzz [frames | records | contexts | http | all] [--executions N] [--seconds N] [--seed N] [--jobs N] [--coverage]
fuzz --replay FILE

  --executions N  of each target (default 200000; http: a tenth)
  --seconds N     end after that long, however many were done
  --seed N        begin here (default: drawn, and printed)
  --jobs N        threads for each target but http (default 2)
  --coverage      say how much of the decoders was reached (slower)
  --kinds N       show the N most frequent kinds of outcome (default 12)
  --replay FILE   one sample of test/fuzz/corpus again
`

const NAMES = ['frames', 'records', 'contexts', 'http'] as const
type Name = (typeof NAMES)[number]

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(
    {
      args: [...args],
      allowPositionals: true,
      options: {
        executions: { type: 'string', default: '200000' },
        seconds: { type: 'string', default: '100000' },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
        jobs: { type: 'string', default: '2' },
        kinds: { type: 'string', default: '12' },
        coverage: { type: 'boolean', default: false },
        replay: { type: 'string' },
      },
    },
    USAGE,
  )
  if (values.replay !== undefined) return replay(values.replay)
  const number = (name: 'executions' | 'seconds' | 'seed' | 'jobs' | 'kinds', least: number): number =>
    wholeNumber(name, values[name], least, USAGE)
  const given = positionals.length === 0 ? ['all'] : positionals
  const names = given.flatMap((name): readonly Name[] => {
    if (name === 'all') return NAMES
    const known = NAMES.find((one) => one === name)
    return known === undefined ? refuse(`"${name}" is no target`, USAGE) : [known]
  })
  const executions = number('executions', 1)
  const seed = number('seed', 0)
  const seconds = number('seconds', 1)
  let failures = 0
  for (const name of names) {
    if (name === 'http') {
      const share = given.includes('http') ? executions : Math.ceil(executions / 10)
      failures += await fuzzHttp({ executions: share, seconds, seed, say })
      continue
    }
    say(`${name}: seed ${seed}, ${executions} executions`)
    const done = await fuzzInThreads({
      ...{ target: name, executions, seconds, seed, coverage: values.coverage },
      jobs: number('jobs', 1),
      onProgress: progressOf(name, executions),
    })
    tell(name, done, number('kinds', 0))
    failures += done.tally.failures.length
  }
  say(failures === 0 ? 'nothing found' : `${failures} failures`)
  return failures === 0 ? 0 : 1
}

function say(line: string): void {
  console.log(line)
}

function progressOf(name: string, executions: number): (done: number) => void {
  let told = performance.now()
  return (done) => {
    if (performance.now() - told < 30_000) return
    told = performance.now()
    say(`${name}: ${done} of ${executions}`)
  }
}

function tell(name: keyof typeof TARGETS, { tally, coverage }: WorkDone, kindsMax: number): void {
  const { executions, accepted, kinds, seconds, worstMs, worstBytes, worstRatio, bytesFed } = tally
  const share = (count: number): string => `${((100 * count) / Math.max(1, executions)).toFixed(1)} %`
  const rate = Math.round(executions / seconds)
  say(`${name}: ${executions} executions in ${seconds.toFixed(0)} s (${rate} a second), ${bytesFed} bytes fed`)
  say(`  ${share(accepted)} accepted; ${kinds.size} kinds of outcome; by door:`)
  for (const [door, { all, taken }] of byDoor(tally))
    say(`    ${door.padEnd(10)} ${String(all).padStart(9)}, ${((100 * taken) / all).toFixed(1)} % accepted`)
  const ordered = [...kinds].sort((a, b) => b[1] - a[1])
  for (const [kind, times] of ordered.slice(0, kindsMax)) say(`    ${share(times).padStart(7)}  ${kind}`)
  say(
    `  worst: ${worstMs.toFixed(1)} ms of CPU time (${worstBytes} bytes), ${worstRatio.toFixed(0)} bytes allocated a byte`,
  )
  say(`  resident at the end: ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`)
  for (const { file, reached, lines } of coverage) say(`  ${file}: ${reached} of ${lines} lines reached`)
  for (const failure of tally.failures) {
    const file = relative(process.cwd(), keep(name, failure))
    say(`FAILED ${name} ${failure.signature}\n  ${failure.detail.split('\n').slice(0, 6).join('\n  ')}`)
    say(`  again: npm run fuzz -- --replay ${file}`)
  }
}

function byDoor({ kinds }: Tally): Map<string, { all: number; taken: number }> {
  const doors = new Map<string, { all: number; taken: number }>()
  for (const [kind, times] of kinds) {
    const [name = '', outcome = ''] = kind.split(' | ')
    const door = doors.get(name) ?? { all: 0, taken: 0 }
    door.all += times
    if (!/^(?:refused: |undeclared|unlawful)/.test(outcome)) door.taken += times
    doors.set(name, door)
  }
  return doors
}

async function replay(file: string): Promise<number> {
  const [, target = '', door = ''] = /([a-z]+)\/([a-z]+)--[^/]*$/.exec(file) ?? []
  const found = Object.values(TARGETS)
    .find(({ name }) => name === target)
    ?.doors.find(({ name }) => name === door)
  if (found === undefined)
    refuse(`${file}: neither .../<target>/<door>--<what>.bin nor a target that is replayed here`, USAGE)
  const { kind, failure, ms, allocated } = await judge(found, readFileSync(file))
  say(`${target}, ${door}: ${kind}; ${ms.toFixed(2)} ms of CPU time, ${allocated} bytes allocated`)
  if (failure !== null) say(`FAILED ${failure.signature}\n${failure.detail}`)
  return failure === null ? 0 : 1
}
