// The overwrite benchmark: durable keys that are overwritten at random for minutes. Whether the rate stays even, how much disk it takes,
// and whether answers stall longer than the disk itself does. Decides what is sampled and prints the tables.

import { fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readArguments, refuse, wholeNumber } from '../command-line.ts'
import type { Told } from './overwrite/bare-sync.ts'
import { atEvenSpeed, type Second, spanOf, unevenness, WINDOW_SECONDS, windowsOf } from './overwrite/seconds.ts'
import { KeptContexts } from './parts/contexts.ts'
import { diskUsage } from './parts/disk.ts'
import { checked, Driver, type RunResult } from './parts/driver.ts'
import { KEY_BYTES, VALUE_BYTES } from './parts/key-space.ts'
import { machineLine, megabytes, say, tableOf, verdict, whole } from './parts/report.ts'
import { QuorateServer } from './parts/servers.ts'
import { inSession, type Session } from './parts/session.ts'
import { loading, spotChecks } from './parts/tasks.ts'
import { Versions } from './parts/versions.ts'

const USAGE = `npm run bench -- overwrite [--keys 1000000] [--minutes 10] [--writes carried|latest|lww] [--dir DIRECTORY] [--series FILE]
  [--json]`
const { values: flags } = readArguments(
  {
    options: {
      keys: { type: 'string', default: '1000000' },
      minutes: { type: 'string', default: '10' },
      /** With the context of the key's last answer, with `latest`, or without any to a bucket in which the last write wins. */
      writes: { type: 'string', default: 'carried' },
      dir: { type: 'string', default: tmpdir() },
      /** A file for the figures of each second, as comma-separated values. */
      series: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  },
  USAGE,
)
const AMPLIFICATION_TARGET = 2
const UNEVENNESS_TARGET = 0.2
const STALL_TARGET_MS = 50
const SPOT_CHECKS = 1000
/** Not sampled: compilers run, and the bare loop has begun. */
const WARM_UP_SECONDS = 10
const WRITES = ['carried', 'latest', 'lww']

const keys = wholeNumber('keys', flags.keys, 1000, USAGE)
const minutes = wholeNumber('minutes', flags.minutes, 1, USAGE)
const { writes } = flags
if (!WRITES.includes(writes)) refuse(`--writes takes one of ${WRITES.join(', ')}`, USAGE)
const rawBytes = keys * (KEY_BYTES + VALUE_BYTES)

await inSession(async (session) => {
  const conflict = writes === 'lww' ? 'lww' : 'siblings'
  const node = await QuorateServer.start(session, { place: flags.dir, conflict })
  const replacing = writes === 'carried' ? new KeptContexts(keys) : writes === 'lww' ? 'blindly' : 'latest'
  const driver = new Driver(node.port, node.dialect(replacing), node.pace)
  const load = checked('load', await driver.run(loading(0, keys, null)))
  say(`${whole(keys)} keys loaded, ${whole(load.perSecond)}/s, disk ${megabytes(diskUsage(node.dataDir))} MB`)

  const versions = new Versions(keys)
  const overwrite = async (seconds: number): Promise<RunResult> => {
    const endAt = performance.now() + seconds * 1000
    const next = () => (performance.now() < endAt ? versions.take(keys, 'put') : null)
    return checked('overwrites', await driver.run(next, { onJudged: versions.done }))
  }
  const bare = bareSync(session, session.folder(flags.dir))
  await overwrite(WARM_UP_SECONDS)
  const seconds: Second[] = []
  const sampling = sampleEachSecond(driver, node.dataDir, bare, seconds)
  session.onEnd(() => clearInterval(sampling))
  // A little longer: timers come late, and the last window would lack a second.
  const run = await overwrite(minutes * 60 + 2)
  clearInterval(sampling)
  if (seconds.length < minutes * 60) throw new Error(`only ${seconds.length} seconds of ${minutes} min were sampled`)
  const held = await node.keys()
  if (held !== keys) throw new Error(`the node holds ${held} keys, not ${keys}`)
  checked('reads', await driver.run(spotChecks(SPOT_CHECKS, keys, (index) => versions.of(index))))
  driver.close()
  report(seconds, run)
})

/** Gives the slowest since it was asked last, and the computing that was told last. */
function bareSync(session: Session, folder: string): () => Told {
  const child = fork(join(import.meta.dirname, 'overwrite', 'bare-sync.ts'), [join(folder, 'bare')])
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  session.onEnd(async () => {
    child.kill('SIGKILL')
    await ended
  })
  let slowestMs = 0
  let last = { appendMs: Number.NaN, workMs: Number.NaN }
  // Our own process.
  child.on('message', (told: Told) => {
    slowestMs = Math.max(slowestMs, told.slowestMs)
    last = told
  })
  return () => {
    if (child.exitCode !== null) throw new Error('the bare loop ended')
    const told = { ...last, slowestMs }
    slowestMs = 0
    return told
  }
}

function sampleEachSecond(driver: Driver, dataDir: string, bare: () => Told, into: Second[]): NodeJS.Timeout {
  let [before, at] = [driver.judged, performance.now()]
  driver.takeSlowestMs()
  bare()
  const timer = setInterval(() => {
    const now = performance.now()
    const control = bare()
    into.push({
      perSecond: ((driver.judged - before) * 1000) / (now - at),
      amplification: diskUsage(dataDir) / rawBytes,
      slowestMs: driver.takeSlowestMs(),
      slowestBareMs: control.slowestMs,
      bareMs: control.appendMs,
      workMs: control.workMs,
    })
    ;[before, at] = [driver.judged, now]
    if (into.length === minutes * 60) clearInterval(timer)
    if (into.length % WINDOW_SECONDS !== 0) return
    const { perSecond, amplification, slowestMs } = spanOf(into.slice(-WINDOW_SECONDS))
    say(
      `${into.length} s: ${whole(perSecond)}/s, disk ${amplification.toFixed(2)} x, slowest ${slowestMs.toFixed(0)} ms`,
    )
  }, 1000)
  return timer
}

function report(seconds: readonly Second[], run: RunResult): void {
  const windows = windowsOf(seconds)
  const all = spanOf(seconds)
  const raw = unevenness(windows.map(({ perSecond }) => perSecond))
  const evenSpeed = atEvenSpeed(windows)
  const even = unevenness(evenSpeed)
  if (flags.series !== undefined) {
    const names = ['perSecond', 'amplification', 'slowestMs', 'slowestBareMs', 'bareMs', 'workMs'] as const
    const rows = seconds.map((second) => names.map((name) => second[name].toFixed(3)).join(','))
    writeFileSync(flags.series, `${[names.join(','), ...rows].join('\n')}\n`)
  }
  if (flags.json) {
    const settings = { keys, minutes, writes }
    process.stdout.write(
      `${JSON.stringify({ machine: machineLine(), settings, run, raw, even, all, seconds }, null, 2)}\n`,
    )
    return
  }
  const beyond = all.slowestMs - all.slowestBareMs
  const lines = [
    machineLine(),
    `${whole(keys)} durable keys of ${KEY_BYTES} bytes with values of ${VALUE_BYTES}, one node, overwritten at random at full speed (${writes}) for ${minutes} min:`,
    `${whole(run.tasks)} writes, p50 ${run.p50Ms.toFixed(1)} ms, p99 ${run.p99Ms.toFixed(1)} ms, p99.9 ${run.p999Ms.toFixed(1)} ms. Every answer was checked, and ${SPOT_CHECKS} values at random after it.`,
    '',
    'Windows of ten seconds: rate, with its least and greatest second; most disk in use, as a multiple of keys and values; slowest answer,',
    'and slowest and usual append of 16 KiB with fdatasync in a bare loop on the same disk at the same time; the CPU time of a fixed',
    'piece of computing in that loop, which says how fast the machine was, and the rate at even speed, as a part of its median',
    tableOf(
      [
        'from s',
        'writes/s',
        'least',
        'greatest',
        'of the median',
        'disk x',
        'slowest ms',
        'bare ms',
        'usual bare',
        'work ms',
        'at even speed',
      ],
      windows.map((window, index) => [
        ...[String(index * WINDOW_SECONDS), whole(window.perSecond), whole(window.leastPerSecond)],
        ...[whole(window.greatestPerSecond), (window.perSecond / raw.median).toFixed(2)],
        ...[window.amplification.toFixed(2), window.slowestMs.toFixed(0), window.slowestBareMs.toFixed(0)],
        ...[
          window.bareMs.toFixed(2),
          window.workMs.toFixed(3),
          ((evenSpeed[index] ?? Number.NaN) / even.median).toFixed(2),
        ],
      ]),
    ),
    `Disk at most ${all.amplification.toFixed(2)} x keys and values (${megabytes(rawBytes)} MB): ${verdict(`<= ${AMPLIFICATION_TARGET}`, all.amplification <= AMPLIFICATION_TARGET)}`,
    `Windows within ${(raw.largest * 100).toFixed(0)} % of their median, ${whole(raw.median)}/s; at even speed of the machine within ${(even.largest * 100).toFixed(0)} %: ${verdict(`<= ${UNEVENNESS_TARGET * 100} %`, even.largest <= UNEVENNESS_TARGET)}`,
    `Slowest answer ${all.slowestMs.toFixed(0)} ms, ${beyond.toFixed(0)} ms beyond the slowest bare append: ${verdict(`<= ${STALL_TARGET_MS}`, beyond <= STALL_TARGET_MS)}`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}
