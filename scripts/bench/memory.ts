// The memory benchmark: what a key costs in resident memory, beside Redis with the same keys, values and expiries in the same run. Decides
// the counts of keys and prints the tables; `memory/measure.ts` measures.

import { tmpdir } from 'node:os'
import { readArguments, refuse, wholeNumber } from '../command-line.ts'
import { type Growth, measureGrowth, type Measured, WARM_UP_KEYS } from './memory/measure.ts'
import { KEY_BYTES, VALUE_BYTES } from './parts/key-space.ts'
import { machineLine, megabytes, say, tableOf, verdict, whole } from './parts/report.ts'
import { QuorateServer, RedisServer } from './parts/servers.ts'
import { inSession } from './parts/session.ts'

const USAGE = `npm run bench -- memory [--keys 500000,1000000,…] [--durable] [--dir DIRECTORY] [--ttl SECONDS] [--json]`
const { values: flags } = readArguments(
  {
    options: {
      /** Not all of them at the same place between two powers of two, at which hash tables grow. */
      keys: { type: 'string', default: '500000,1000000,1500000,2200000,3000000' },
      /** Quorate with its log on disk. */
      durable: { type: 'boolean', default: false },
      /** Where that is. */
      dir: { type: 'string', default: tmpdir() },
      /** Of the keys that must not expire while they are measured. */
      ttl: { type: 'string', default: '86400' },
      json: { type: 'boolean', default: false },
    },
  },
  USAGE,
)
const TARGET = 1

const counts = flags.keys.split(',').map((text) => wholeNumber('keys', text, 1000, USAGE))
const ttlSeconds = wholeNumber('ttl', flags.ttl, 600, USAGE)
const redisVersion = RedisServer.version()
if (redisVersion === null)
  refuse('redis-server is not there; on Debian and Ubuntu `apt-get install redis-server` brings it', USAGE)

interface Pair {
  readonly keys: number
  readonly quorate: Measured
  readonly redis: Measured
}

await inSession(async (session) => {
  const pairs: Pair[] = []
  for (const keys of counts) {
    const terms = { keys, ttlSeconds, say: (line: string) => say(`${whole(keys)} keys, ${line}`) }
    const redis = await RedisServer.start(session)
    const ofRedis = await measureGrowth(redis, redis.dialect(), terms)
    await redis.stop()
    const node = await QuorateServer.start(session, { place: flags.durable ? flags.dir : null })
    const ofQuorate = await measureGrowth(node, node.dialect('latest'), terms)
    await node.stop()
    pairs.push({ keys, quorate: ofQuorate, redis: ofRedis })
  }
  report(pairs)
})

function report(pairs: readonly Pair[]): void {
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ machine: machineLine(), redisVersion, ttlSeconds, pairs }, null, 2)}\n`)
    return
  }
  const lines = [
    machineLine(),
    redisVersion ?? '',
    `Keys of ${KEY_BYTES} bytes, values of ${VALUE_BYTES}, all with an expiry. Redis as it ships, without saving; Quorate: one node, n=r=w=1,`,
    `siblings, ${flags.durable ? 'its log on disk' : 'in memory'}. Bytes are growth of VmRSS over the empty process, which was ready and had written, read and`,
    `deleted ${WARM_UP_KEYS} keys, divided by the keys that are live. Churn: 30 % overwritten, 10 % deleted, 10 % expired, all of that really gone.`,
    'Every answer was checked, and values at random after each step.',
    '',
    'Growth of resident memory, bytes for each live key',
    tableOf(
      ['keys', 'step', 'live', 'Quorate', 'Redis', 'ratio', 'target', 'Quorate anon.', 'Redis anon.', 'at rest'],
      pairs.flatMap(({ keys, quorate, redis }) => [
        row(keys, 'loaded', quorate.loaded, redis.loaded),
        row(keys, 'churned', quorate.churned, redis.churned),
      ]),
    ),
    '',
    'The processes: resident MB when empty (RSS, and Pss), loaded and churned; tasks a second, of which there is one client process',
    tableOf(
      ['keys', 'server', 'empty', 'Pss', 'loaded', 'churned', 'loaded/s', 'churned/s', 'gone after s'],
      pairs.flatMap(({ keys, quorate, redis }) => [
        processRow(keys, 'Quorate', quorate),
        processRow(keys, 'Redis', redis),
      ]),
    ),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function row(keys: number, step: string, quorate: Growth, redis: Growth): string[] {
  const ratio = quorate.bytesPerKey / redis.bytesPerKey
  const atRest = [quorate.isQuiet ? '' : 'not Quorate', redis.isQuiet ? '' : 'not Redis'].filter((text) => text !== '')
  return [
    ...[whole(keys), step, whole(quorate.live), quorate.bytesPerKey.toFixed(1), redis.bytesPerKey.toFixed(1)],
    ...[ratio.toFixed(3), verdict(`<= ${TARGET.toFixed(1)}`, ratio <= TARGET)],
    ...[quorate.anonymousPerKey.toFixed(1), redis.anonymousPerKey.toFixed(1), atRest.join(', ') || 'both'],
  ]
}

function processRow(keys: number, name: string, { empty, loaded, churned, ...rates }: Measured): string[] {
  return [
    ...[whole(keys), name, megabytes(empty.rss), megabytes(empty.pss), megabytes(loaded.rss), megabytes(churned.rss)],
    ...[whole(rates.loadedPerSecond), whole(rates.churnedPerSecond), rates.goneSeconds.toFixed(0)],
  ]
}
