// The limits benchmark: one durable node whose budget, for memory or for the disk, is loaded twice over. Whether it refuses as it says,
// stays within the budget, serves meanwhile, and comes back. Decides the scenarios and prints the table.

import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { parseText } from '../../src/config/parse-value.ts'
import { readArguments, refuse, wholeNumber } from '../command-line.ts'
import { type Outcome, play, type Scenario } from './limits/scenario.ts'
import { VALUE_BYTES } from './parts/key-space.ts'
import { machineLine, megabytes, say, tableOf, verdict, whole } from './parts/report.ts'
import { inSession, type Session } from './parts/session.ts'

const USAGE = `npm run bench -- limits [--memory 512MiB] [--disk 512MiB] [--tmpfs 256MiB] [--only memory,disk,tmpfs] [--value 1000]
  [--seconds 15] [--dir DIRECTORY] [--json]`
const { values: flags } = readArguments(
  {
    options: {
      memory: { type: 'string', default: '512MiB' },
      disk: { type: 'string', default: '512MiB' },
      /** A small file system in memory, without a budget; only root may mount it. */
      tmpfs: { type: 'string', default: '256MiB' },
      only: { type: 'string', default: 'memory,disk,tmpfs' },
      /** Bytes of a value, in hundreds. */
      value: { type: 'string', default: '1000' },
      /** At the limit, under load. */
      seconds: { type: 'string', default: '15' },
      dir: { type: 'string', default: tmpdir() },
      json: { type: 'boolean', default: false },
    },
  },
  USAGE,
)
const RATIO_TARGET = 1.1
const BACK_TARGET_SECONDS = 120

const value = wholeNumber('value', flags.value, VALUE_BYTES, USAGE)
if (value % VALUE_BYTES !== 0) refuse(`--value takes a multiple of ${VALUE_BYTES}`, USAGE)
const valueCopies = value / VALUE_BYTES
const holdSeconds = wholeNumber('seconds', flags.seconds, 1, USAGE)
const only = flags.only.split(',')
const common = { valueCopies, holdSeconds, place: flags.dir }

await inSession(async (session) => {
  const outcomes: Outcome[] = []
  const skipped: string[] = []
  for (const scenario of scenarios(session, skipped)) outcomes.push(await play(session, scenario))
  report(outcomes, skipped)
})

function* scenarios(session: Session, skipped: string[]): IterableIterator<Scenario> {
  const [memory, disk, tmpfs] = [
    bytesOf('memory', flags.memory),
    bytesOf('disk', flags.disk),
    bytesOf('tmpfs', flags.tmpfs),
  ]
  if (only.includes('memory')) {
    const args = ['--memory-bytes-max', String(memory)]
    yield { ...common, name: 'memory', budgetBytes: memory, args, of: 'resident memory' }
  }
  if (only.includes('disk')) {
    const args = ['--disk-bytes-max', String(disk), '--memory-bytes-max', '16GiB']
    yield { ...common, name: 'disk', budgetBytes: disk, args, of: 'data directory' }
  }
  if (!only.includes('tmpfs')) return
  const place = session.folder(tmpdir())
  if (!mounted(session, place, tmpfs)) {
    skipped.push('tmpfs: skipped, only root may mount one')
    return
  }
  const args = ['--memory-bytes-max', '16GiB']
  yield { ...common, name: 'small file system', budgetBytes: tmpfs, place, args, of: 'data directory' }
}

function bytesOf(name: string, text: string): number {
  const parsed = parseText('bytes', text)
  if (parsed.type === 'malformed' || typeof parsed.value !== 'number')
    return refuse(`--${name} takes a size: 512MiB`, USAGE)
  return parsed.value
}

function mounted(session: Session, place: string, bytes: number): boolean {
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', place], { stdio: 'ignore' })
  if (status !== 0) return false
  session.onEnd(() => {
    if (spawnSync('umount', [place], { stdio: 'ignore' }).status !== 0) say(`${place} could not be unmounted`)
  })
  return true
}

function report(outcomes: readonly Outcome[], skipped: readonly string[]): void {
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ machine: machineLine(), outcomes, skipped }, null, 2)}\n`)
    return
  }
  const lines = [
    machineLine(),
    `One durable node, keys with values of ${whole(value)} bytes, loaded with twice the budget, then ${holdSeconds} s at the limit under reads and writes that are refused; half of the keys deleted.`,
    'Every answer was checked: 201, or 507 with the problem of the contract; reads and deletions all the time; all values at the end.',
    '',
    tableOf(
      [
        '',
        'budget MB',
        'stored',
        'refused',
        'at the limit/s',
        'resident MB',
        'disk MB',
        'of the budget',
        'probes, slowest ms',
        'back after s',
        'taken then',
      ],
      outcomes.map((one) => [
        ...[one.scenario.name, megabytes(one.scenario.budgetBytes), whole(one.stored), whole(one.refused)],
        ...[whole(one.hold.perSecond), megabytes(one.residentMax), megabytes(one.diskMax), one.ratio.toFixed(2)],
        ...[`${whole(one.probes.tasks)}, ${one.probes.maxMs.toFixed(0)}`, one.backSeconds?.toFixed(1) ?? 'never'],
        whole(one.takenAgain),
      ]),
    ),
    ...outcomes.flatMap(({ scenario, refused, probes, ratio, backSeconds, takenAgain }) => [
      `${scenario.name}: ${scenario.of} at most ${ratio.toFixed(2)} of the budget: ${verdict(`<= ${RATIO_TARGET}`, ratio <= RATIO_TARGET)}`,
      `${scenario.name}: ${whole(refused)} writes refused: ${verdict('> 0', refused > 0)}; ${probes.wrong} of ${whole(probes.tasks)} reads and deletions failed: ${verdict('0', probes.wrong === 0)}`,
      `${scenario.name}: writes back ${backSeconds === null ? 'never' : `after ${backSeconds.toFixed(1)} s`}: ${verdict(`<= ${BACK_TARGET_SECONDS} s`, backSeconds !== null && backSeconds <= BACK_TARGET_SECONDS && takenAgain > 0)}`,
    ]),
    ...skipped,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}
