// The capacity benchmark: ten million keys on one node. Whether memory grows in a line, what of it is V8's heap, and whether the event
// loop is later with many keys than with few, beside a bare server in the same run. Decides the steps and prints the tables.

import { fork } from 'node:child_process'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { readArguments, refuse, wholeNumber } from '../command-line.ts'
import { type Mix, type Steady, steadyDelay } from './capacity/steady.ts'
import { QuorateDialect } from './parts/dialects.ts'
import { checked, Driver } from './parts/driver.ts'
import { delaysOf, lineThrough, median } from './parts/figures.ts'
import { KEY_BYTES, VALUE_BYTES } from './parts/key-space.ts'
import { atRest } from './parts/proc.ts'
import { machineLine, megabytes, say, tableOf, verdict, whole } from './parts/report.ts'
import { BUCKET, QuorateServer } from './parts/servers.ts'
import { inSession, type Session } from './parts/session.ts'
import { loading, spotChecks } from './parts/tasks.ts'
import { Versions } from './parts/versions.ts'

const USAGE = `npm run bench -- capacity [--keys 10000000] [--small 1000000] [--rate 1000] [--seconds 60] [--rounds 3] [--durable] [--dir DIRECTORY]
  [--json]`
const { values: flags } = readArguments(
  {
    options: {
      keys: { type: 'string', default: '10000000' },
      /** With so many keys the event loop is measured for the first time. */
      small: { type: 'string', default: '1000000' },
      /** Reads and writes a second of the steady mix. */
      rate: { type: 'string', default: '1000' },
      /** For which that counts, each time. */
      seconds: { type: 'string', default: '60' },
      /** Of the steady mix, in turns with the bare server; medians count. */
      rounds: { type: 'string', default: '3' },
      durable: { type: 'boolean', default: false },
      dir: { type: 'string', default: tmpdir() },
      json: { type: 'boolean', default: false },
    },
  },
  USAGE,
)
const POINTS = 10
const CONTROL_KEYS = 10_000
const SPOT_CHECKS = 1000
const REST_SECONDS_MAX = 120
const HEAP_TARGET_BYTES = 100e6
const DELAY_TARGET_MS = 20
const DELAY_RATIO_TARGET = 1.5
/** A few connections, as a few services would have. */
const STEADY_PACE = { connections: 16, depth: 16 }

const keys = wholeNumber('keys', flags.keys, 1000, USAGE)
const small = wholeNumber('small', flags.small, 100, USAGE)
if (small > keys) refuse('--small takes no more than --keys', USAGE)
const rounds = wholeNumber('rounds', flags.rounds, 1, USAGE)
const mix: Mix = {
  ratePerSecond: wholeNumber('rate', flags.rate, 10, USAGE),
  seconds: wholeNumber('seconds', flags.seconds, 10, USAGE),
  warmUpSeconds: 10,
}

interface Point {
  readonly keys: number
  /** Over the empty process. */
  readonly rss: number
  readonly heapUsed: number
  readonly offHeap: number
  readonly loadedPerSecond: number
  readonly isQuiet: boolean
}

interface Delay {
  readonly keys: number
  readonly bare: Steady
  readonly quorate: Steady
}

await inSession(async (session) => {
  const node = await QuorateServer.start(session, { place: flags.durable ? flags.dir : null })
  const driver = new Driver(node.port, node.dialect('latest'), node.pace)
  const slow = new Driver(node.port, node.dialect('latest'), STEADY_PACE)
  const versions = new Versions(keys)
  const delays: Delay[] = []
  const measureDelays = async (loaded: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const bare = await controlDelay(session)
      const quorate = await steadyDelay('the steady mix', slow, versions, loaded, mix, () => node.delays())
      say(`${whole(loaded)} keys: p99.9 ${quorate.p999Ms.toFixed(1)} ms; bare fastify ${bare.p999Ms.toFixed(1)} ms`)
      delays.push({ keys: loaded, bare, quorate: quorate })
    }
  }

  checked('warm-up', await driver.run(loading(keys, keys + 32, null)))
  const empty = await memoryOf(node)
  say(`empty: ${megabytes(empty.rss)} MB, of it heap ${megabytes(empty.heapUsed)} MB`)
  const points: Point[] = []
  const counts = Array.from({ length: POINTS }, (_, index) => Math.round(((index + 1) * keys) / POINTS))
  let loaded = 0
  for (const count of [...new Set([small, ...counts])].toSorted((a, b) => a - b)) {
    const { perSecond } = checked('load', await driver.run(loading(loaded, count, null)))
    loaded = count
    if (counts.includes(count)) {
      const now = await memoryOf(node)
      const point = {
        ...{ keys: count, rss: now.rss - empty.rss, heapUsed: now.heapUsed - empty.heapUsed },
        ...{ offHeap: now.offHeap - empty.offHeap, loadedPerSecond: perSecond, isQuiet: now.isQuiet },
      }
      say(
        `${whole(count)} keys: +${megabytes(point.rss)} MB, heap +${megabytes(point.heapUsed)} MB, ${whole(perSecond)}/s`,
      )
      points.push(point)
    }
    if (count === small || count === keys) await measureDelays(count)
  }
  const held = await node.keys()
  if (held !== keys + 32) throw new Error(`the node holds ${held} keys, not ${keys + 32}`)
  checked('reads at the end', await driver.run(spotChecks(SPOT_CHECKS, keys, (index) => versions.of(index))))
  driver.close()
  slow.close()
  report(points, delays, empty)
})

interface Memory {
  readonly rss: number
  readonly heapUsed: number
  readonly offHeap: number
  readonly isQuiet: boolean
}

/** At rest. Of the heap the least that was seen: the rest is what requests left behind and nobody has cleared away yet. */
async function memoryOf(node: QuorateServer): Promise<Memory> {
  let heapUsed = Number.POSITIVE_INFINITY
  let offHeap = Number.NaN
  const rest = await atRest(node.pid, REST_SECONDS_MAX, async () => {
    const figure = await node.stats()
    heapUsed = Math.min(heapUsed, figure('process.heapUsedBytes'))
    offHeap = figure('process.externalBytes')
  })
  return { rss: rest.rss, heapUsed, offHeap, isQuiet: rest.isQuiet }
}

/** The same mix on few keys of a bare server. */
async function controlDelay(session: Session): Promise<Steady> {
  const child = fork(join(import.meta.dirname, 'capacity', 'control.ts'))
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  session.onEnd(stop)
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)))
    child.once('exit', () => reject(new Error('the bare server did not come up')))
  })
  const driver = new Driver(port, new QuorateDialect(port, BUCKET, 'blindly'), STEADY_PACE)
  checked('load of the bare server', await driver.run(loading(0, CONTROL_KEYS, null)))
  const stats = async () => delaysOf(await (await fetch(`http://127.0.0.1:${port}/v1/stats`)).json())
  const steady = await steadyDelay('the bare server', driver, new Versions(CONTROL_KEYS), CONTROL_KEYS, mix, stats)
  driver.close()
  await stop()
  return steady
}

function report(points: readonly Point[], delays: readonly Delay[], empty: Memory): void {
  const line = lineThrough(points.map((point) => [point.keys, point.rss]))
  const typical = (server: 'bare' | 'quorate', held: number): number =>
    median(delays.filter((delay) => delay.keys === held).map((delay) => delay[server].p999Ms))
  const ratioOf = (server: 'bare' | 'quorate'): number => typical(server, keys) / typical(server, small)
  const isBusy = median(delays.map(({ quorate }) => quorate.ownP999Ms)) > DELAY_TARGET_MS
  if (flags.json) {
    const settings = { keys, small, rounds, ...mix, durable: flags.durable }
    process.stdout.write(
      `${JSON.stringify({ machine: machineLine(), settings, empty, points, line, delays }, null, 2)}\n`,
    )
    return
  }
  const heap = Math.max(...points.map((point) => point.heapUsed))
  const lines = [
    machineLine(),
    `One node, ${flags.durable ? 'durable' : 'in memory'}, n=r=w=1, siblings; keys of ${KEY_BYTES} bytes, values of ${VALUE_BYTES}. Every answer was checked.`,
    '',
    `Memory at rest over the empty process (${megabytes(empty.rss)} MB, heap ${megabytes(empty.heapUsed)} MB)`,
    tableOf(
      ['keys', 'RSS MB', 'bytes/key', 'heap MB', 'external MB', 'off the line', 'loaded/s', 'at rest'],
      points.map((point) => [
        ...[whole(point.keys), megabytes(point.rss), (point.rss / point.keys).toFixed(1)],
        ...[megabytes(point.heapUsed), megabytes(point.offHeap)],
        percent((point.rss - line.offset - line.slope * point.keys) / (points.at(-1)?.rss ?? Number.NaN)),
        ...[whole(point.loadedPerSecond), point.isQuiet ? 'yes' : 'no'],
      ]),
    ),
    `The line: ${line.slope.toFixed(1)} bytes for each key and ${megabytes(line.offset)} MB; largest deviation ${percent(line.deviation)} of the greatest growth.`,
    `V8's heap grew by at most ${megabytes(heap)} MB: ${verdict(`< ${HEAP_TARGET_BYTES / 1e6} MB`, heap < HEAP_TARGET_BYTES)}.`,
    '',
    `How late the event loop was, under ${mix.ratePerSecond} tasks a second for ${mix.seconds} s, half of them reads, half overwrites, of keys at random.`,
    'Late is what a timer of 10 ms took beyond its time (perf_hooks counts those 10 ms in). The bare server ran just before; `client` is the load’s own loop.',
    tableOf(
      ['keys', 'server', 'p99.9 ms', 'longest ms', 'samples', 'client ms', 'longest ms', 'answers p50 ms', 'p99.9 ms'],
      delays.flatMap(({ keys: held, bare, quorate }) => [
        delayRow(held, 'bare', bare),
        delayRow(held, 'Quorate', quorate),
      ]),
    ),
    ...[small, keys].map((held) => {
      const late = typical('quorate', held)
      const met = verdict(`<= ${DELAY_TARGET_MS} ms`, late <= DELAY_TARGET_MS)
      return `p99.9 with ${whole(held)} keys, median of ${rounds}: ${late.toFixed(1)} ms, ${met}; the bare server's ${typical('bare', held).toFixed(1)} ms`
    }),
    ...(isBusy
      ? ['The machine itself was late: the client, too, was held up for longer than the target. Run it alone.']
      : []),
    `With all keys ${ratioOf('quorate').toFixed(2)} x that with ${whole(small)}: ${verdict(`<= ${DELAY_RATIO_TARGET} x`, ratioOf('quorate') <= DELAY_RATIO_TARGET)}; the bare server's, between the same times, ${ratioOf('bare').toFixed(2)} x`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function delayRow(held: number, server: string, steady: Steady): string[] {
  const { p999Ms, maxMs, samples, ownP999Ms, ownMaxMs, answers } = steady
  return [
    ...[whole(held), server, p999Ms.toFixed(1), maxMs.toFixed(1), whole(samples)],
    ...[ownP999Ms.toFixed(1), ownMaxMs.toFixed(1), answers.p50Ms.toFixed(2), answers.p999Ms.toFixed(1)],
  ]
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`
}
