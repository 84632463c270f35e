// The benchmark of large values: what they do to the event loops of a cluster and to the small requests beside them. Decides the phases
// and prints the table. Every value that is read is compared with what was written.

import { readArguments, wholeNumber } from '../command-line.ts'
import { Cluster } from '../torture/cluster.ts'
import { type Figures, type Phase, PHASES, Work } from './large/work.ts'
import { machineLine, say, tableOf } from './parts/report.ts'
import { inSession } from './parts/session.ts'

const USAGE = 'npm run bench -- large [--mib 16] [--seconds 10] [--rounds 3] [--json]'
const { values: flags } = readArguments(
  {
    options: {
      /** Of a value. */
      mib: { type: 'string', default: '16' },
      /** Of each phase. */
      seconds: { type: 'string', default: '10' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
    },
  },
  USAGE,
)
const NODES = 3
const DURABILITIES = ['memory', 'durable'] as const
const bytes = wholeNumber('mib', flags.mib, 1, USAGE) << 20
const seconds = wholeNumber('seconds', flags.seconds, 1, USAGE)
const rounds = wholeNumber('rounds', flags.rounds, 1, USAGE)

interface Row extends Figures {
  readonly durability: string
  readonly phase: Phase
}

await inSession(async (session) => {
  const size = `${Math.ceil(bytes / 2 ** 20)}MiB`
  const cluster = await Cluster.start({
    nodes: NODES,
    args: ['--value-bytes-max', size, '--sibling-bytes-max', '32MiB'],
  })
  session.onEnd(() => cluster.stop())
  const value = Buffer.alloc(bytes)
  for (let at = 0; at + 4 <= bytes; at += 4) value.writeUInt32LE((at * 2_654_435_761) >>> 0, at)
  const rows: Row[] = []
  for (const durability of DURABILITIES) {
    const work = new Work(cluster, `large-${durability}`, value, seconds)
    await work.prepare(durability)
    for (let round = 0; round < rounds; round++) {
      for (const phase of PHASES) {
        const row = { durability, phase, ...(await work.run(phase)) }
        rows.push(row)
        say(`${durability}, ${phase}: event loop at most ${row.loop.max.toFixed(1)} ms late`)
      }
    }
  }
  report(rows)
})

function report(rows: readonly Row[]): void {
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ machine: machineLine(), bytes, seconds, rounds, rows }, null, 2)}\n`)
    return
  }
  const lines = [
    machineLine(),
    `Three nodes and the load; values of ${bytes >> 20} MiB, one at a time, beside small requests, one at a time; ${rounds} rounds of ${seconds} s.`,
    'Late is what a timer of 10 ms was late by, on the node that was worst; with fewer cores than busy processes that is also the wait for one.',
    '',
    tableOf(
      ['bucket', 'phase', 'large/s', 'small p50 ms', 'p99', 'max', 'loop late p99 ms', 'p99.9', 'max'],
      rows.map(({ durability, phase, largePerSecond, small, loop }) => [
        ...[durability, phase, largePerSecond.toFixed(1)],
        ...[small.p50, small.p99, small.max, loop.p99, loop.p999, loop.max].map((ms) => ms.toFixed(1)),
      ]),
    ),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}
