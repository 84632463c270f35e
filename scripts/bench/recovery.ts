// The recovery benchmark: how long a node with many durable keys takes to serve again, after it was killed and after it was stopped in
// good order. Decides the variants and prints the table.

import { tmpdir } from 'node:os'
import { readArguments, wholeNumber } from '../command-line.ts'
import { checked, Driver } from './parts/driver.ts'
import { diskUsage } from './parts/disk.ts'
import { KEY_BYTES, VALUE_BYTES } from './parts/key-space.ts'
import { machineLine, megabytes, say, tableOf, verdict, whole } from './parts/report.ts'
import { QuorateServer } from './parts/servers.ts'
import { inSession } from './parts/session.ts'
import { loading, spotChecks } from './parts/tasks.ts'
import { median } from './parts/figures.ts'

const USAGE = 'npm run bench -- recovery [--keys 5000000] [--rounds 3] [--dir DIRECTORY] [--json]'
const { values: flags } = readArguments(
  {
    options: {
      keys: { type: 'string', default: '5000000' },
      /** Of killing, and of stopping. */
      rounds: { type: 'string', default: '3' },
      dir: { type: 'string', default: tmpdir() },
      json: { type: 'boolean', default: false },
    },
  },
  USAGE,
)
const TARGET_PER_SECOND = 300_000
const SPOT_CHECKS = 1000

const keys = wholeNumber('keys', flags.keys, 1000, USAGE)
const rounds = wholeNumber('rounds', flags.rounds, 1, USAGE)

const ENDINGS = ['killed', 'stopped'] as const
type Ending = (typeof ENDINGS)[number]

interface Recovery {
  readonly ending: Ending
  /** From the start of the process until it said that it is ready, and /readyz agreed. */
  readonly readySeconds: number
  /** What it reports itself. */
  readonly reportedSeconds: number
  /** Allocated on disk when it began. */
  readonly diskBytes: number
}

await inSession(async (session) => {
  const node = await QuorateServer.start(session, { place: flags.dir })
  const driver = new Driver(node.port, node.dialect('latest'), node.pace)
  const { perSecond } = checked('load', await driver.run(loading(0, keys, null)))
  say(`${whole(keys)} keys loaded, ${whole(perSecond)}/s`)
  const recoveries: Recovery[] = []
  for (let round = 0; round < rounds; round++) {
    for (const ending of ENDINGS) {
      driver.close()
      await (ending === 'killed' ? node.kill() : node.stop())
      const diskBytes = diskUsage(node.dataDir)
      const readySeconds = (await node.start()) / 1000
      const figure = await node.stats()
      const [found, reportedSeconds] = [figure('recovery.keys'), figure('recovery.elapsedMs') / 1000]
      if (found !== keys || figure('storage.keys') !== keys)
        throw new Error(`${ending}: the node found ${found} keys, not ${keys}`)
      checked(`reads after it was ${ending}`, await driver.run(spotChecks(SPOT_CHECKS, keys, () => 1)))
      say(`${ending}: ready after ${readySeconds.toFixed(2)} s, by its own report ${reportedSeconds.toFixed(2)} s`)
      recoveries.push({ ending, readySeconds, reportedSeconds, diskBytes })
    }
  }
  driver.close()
  const emptyReady = await readySecondsOfNone()
  report(recoveries, perSecond, emptyReady)

  /** What a start takes that has nothing to recover. */
  async function readySecondsOfNone(): Promise<number> {
    const empty = await QuorateServer.start(session, { place: flags.dir })
    await empty.stop()
    const ready = (await empty.start()) / 1000
    await empty.stop()
    return ready
  }
})

function report(recoveries: readonly Recovery[], loadedPerSecond: number, emptySeconds: number): void {
  if (flags.json) {
    const figures = { machine: machineLine(), keys, loadedPerSecond, emptySeconds, recoveries }
    process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
    return
  }
  const rows = ENDINGS.map((ending) => {
    const those = recoveries.filter((recovery) => recovery.ending === ending)
    const of = (name: 'readySeconds' | 'reportedSeconds' | 'diskBytes'): number => median(those.map((one) => one[name]))
    const reported = keys / of('reportedSeconds')
    const byWall = keys / of('readySeconds')
    const target = `>= ${whole(TARGET_PER_SECOND)}`
    return [
      ...[ending, megabytes(of('diskBytes')), of('readySeconds').toFixed(2), of('reportedSeconds').toFixed(2)],
      ...[whole(reported), verdict(target, reported >= TARGET_PER_SECOND)],
      ...[whole(byWall), verdict(target, byWall >= TARGET_PER_SECOND)],
    ]
  })
  const lines = [
    machineLine(),
    `${whole(keys)} durable keys of ${KEY_BYTES} bytes with values of ${VALUE_BYTES}, one node, loaded at ${whole(loadedPerSecond)}/s; medians of ${rounds} rounds.`,
    `All keys were found each time, and ${SPOT_CHECKS} values at random were right. The files were in the page cache, as after any death of a`,
    `process alone. A restart with nothing to recover took ${emptySeconds.toFixed(2)} s until it was ready.`,
    '',
    tableOf(
      ['ended', 'disk MB', 'ready s', 'own report s', 'keys/s, own', 'target', 'keys/s, until ready', 'target'],
      rows,
    ),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}
