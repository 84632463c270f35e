// The quorum benchmark: what strict reads and writes of a real cluster cost beside a bare fastify server, and how long they take at
// half load. Decides which clusters are measured and prints the tables; `quorum/measure.ts` measures.

import { cpus, release } from 'node:os'
import Table from 'cli-table3'
import { readArguments } from '../command-line.ts'
import {
  answersOf,
  compare,
  type Comparison,
  CONNECTIONS,
  fill,
  KEYS,
  type Latency,
  latencyAtHalfLoad,
  type Operation,
  VALUE_BYTES,
} from './quorum/measure.ts'
import { Load, type Servers, startBare, startCluster, startEmpty, together } from './quorum/processes.ts'

const { values: flags } = readArguments(
  {
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '4' },
      /** Operations of each kind for each process, before anything is measured. */
      'warm-up': { type: 'string', default: '50000' },
      /** Sizes of clusters. */
      nodes: { type: 'string', default: '3,5' },
      /** memory, durable, or both. */
      storage: { type: 'string', default: 'memory,durable' },
      /** Operations. */
      only: { type: 'string', default: 'get,put' },
      'no-latency': { type: 'boolean', default: false },
      'no-ratio': { type: 'boolean', default: false },
      /** Also a store of the same shape with nothing in it. */
      empty: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      /** A directory for the nodes' CPU profiles. */
      profile: { type: 'string' },
    },
  },
  `npm run bench -- quorum [--rounds N] [--seconds N] [--warm-up N] [--nodes 3,5] [--storage memory,durable] [--only get,put]
  [--empty] [--no-latency] [--no-ratio] [--json] [--profile DIRECTORY]`,
)

const TARGETS: Readonly<Record<string, number>> = { 'get memory': 0.4, 'put memory': 0.4, 'put durable': 0.4 }
const P99_TARGET_MS = 10
const LEVELS = ['one', 'quorum', 'all']

interface Measured {
  readonly nodes: number
  readonly storage: string
  readonly comparisons: readonly Comparison[]
  readonly latencies: readonly Latency[]
}

const rounds = positive('rounds', flags.rounds)
const seconds = positive('seconds', flags.seconds)
const warmUp = positive('warm-up', flags['warm-up'])
const sizes = flags.nodes.split(',').map((text) => positive('nodes', text))
const storages = flags.storage.split(',')
const operations = flags.only.split(',').filter((name): name is Operation => name === 'get' || name === 'put')

const running = new Set<Servers | Load>()
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupted = true
    void stopAll().then(() => process.exit(1))
  })
}

try {
  const measured: Measured[] = []
  for (const nodes of sizes) {
    for (const storage of storages) measured.push(await measure(nodes, storage))
  }
  report(measured)
} catch (error) {
  if (!interrupted) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
} finally {
  await stopAll()
}

async function measure(nodes: number, storage: string): Promise<Measured> {
  const cluster = await started(
    startCluster({ nodes, durable: storage === 'durable', profiles: flags.profile ?? null }),
  )
  // A load process of its own: it remembers the contexts that this cluster gave.
  const load = new Load()
  running.add(load)
  say(`${nodes} nodes, ${storage}: filling ${KEYS} keys`)
  await fill(load, cluster)
  const answers = await answersOf(cluster)
  const bareOnes = (count: number): Promise<Servers> =>
    started(Promise.all(Array.from({ length: count }, () => startBare(VALUE_BYTES, answers))).then(together))
  const empty = flags.empty ? await started(startEmpty(nodes, storage === 'durable', answers)) : null
  const bare = { one: await bareOnes(1), many: await bareOnes(nodes), empty }
  const comparisons = flags['no-ratio']
    ? []
    : await compare(load, bare, cluster, operations, { rounds, seconds, warmUp }, (operation, bareRate, rate) =>
        say(
          `  ${operation}: ${whole(rate.perCpuSecond)} / ${whole(bareRate.perCpuSecond)} per CPU-second = ` +
            (rate.perCpuSecond / bareRate.perCpuSecond).toFixed(3),
        ),
      )
  const latencies: Latency[] = []
  // The promise about latency is for N=3 on three nodes; more nodes than cores would measure the scheduler.
  if (!flags['no-latency'] && nodes === Math.min(...sizes)) {
    for (const operation of operations) {
      for (const level of LEVELS) {
        const latency = await latencyAtHalfLoad(load, cluster, operation, level, seconds)
        const { p50Ms, p99Ms } = latency.result
        say(`  ${operation} ${level}: ${latency.ratePerSecond}/s, p50 ${p50Ms.toFixed(2)}, p99 ${p99Ms.toFixed(2)} ms`)
        latencies.push(latency)
      }
    }
  }
  const done = [load, cluster, bare.one, bare.many, ...(empty ? [empty] : [])]
  for (const one of done) running.delete(one)
  await Promise.all(done.map((one) => one.stop()))
  return { nodes, storage, comparisons, latencies }
}

function report(measured: readonly Measured[]): void {
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    kernel: release(),
  }
  const settings = { keys: KEYS, valueBytes: VALUE_BYTES, connections: CONNECTIONS, n: 3, rounds, seconds }
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ machine, settings, measured }, null, 2)}\n`)
    return
  }
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}`,
    `${KEYS} keys of ${VALUE_BYTES} bytes, ${CONNECTIONS} connections over all nodes, N=3, R=W=2 unless said otherwise;`,
    `medians of ${rounds} rounds of ${seconds} s, in turns with a bare fastify server that gets the same requests and answers the same`,
    'bytes: in one process (ratio), and in as many as there are nodes (to as many). CPU time of all server processes, user and system.',
    'Every answer was checked: 2xx, its length, and a strict receipt.',
  ]
  if (measured.some(({ comparisons }) => comparisons.length > 0)) {
    const table = new Table({
      head: [
        'nodes',
        'storage',
        'operation',
        'ops/CPU-s',
        'bare',
        'ratio',
        'least',
        'target',
        'to as many',
        'empty store',
        'ops/s',
      ],
      style: { head: [], border: [] },
    })
    for (const { nodes, storage, comparisons } of measured) {
      for (const { operation, quorate, bare, ratio, ratios, ratioToMany, ratioOfEmpty } of comparisons) {
        const target = nodes === 3 ? TARGETS[`${operation} ${storage}`] : undefined
        table.push([
          ...[String(nodes), storage, operation, whole(quorate.perCpuSecond), whole(bare.perCpuSecond)],
          ...[
            ratio.toFixed(3),
            Math.min(...ratios).toFixed(3),
            target === undefined ? '' : verdict(target, ratio >= target),
          ],
          ...[ratioToMany.toFixed(3), ratioOfEmpty?.toFixed(3) ?? '', whole(quorate.perSecond)],
        ])
      }
    }
    lines.push('', 'Operations per CPU-second, and their ratio to bare fastify', table.toString())
  }
  if (measured.some(({ latencies }) => latencies.length > 0)) {
    const table = new Table({
      head: [
        'nodes',
        'storage',
        'operation',
        'level',
        'greatest/s',
        'load/s',
        'p50 ms',
        'p99 ms',
        'p99.9 ms',
        'target',
      ],
      style: { head: [], border: [] },
    })
    for (const { nodes, storage, latencies } of measured) {
      for (const { operation, level, greatestPerSecond, ratePerSecond, result } of latencies) {
        table.push([
          ...[String(nodes), storage, operation, level, whole(greatestPerSecond), whole(ratePerSecond)],
          ...[result.p50Ms.toFixed(2), result.p99Ms.toFixed(2), result.p999Ms.toFixed(2)],
          level === 'quorum' ? verdict(P99_TARGET_MS, result.p99Ms < P99_TARGET_MS) : '',
        ])
      }
    }
    lines.push('', 'Latency at half of the greatest throughput, from when a request was due', table.toString())
  }
  process.stdout.write(`${lines.join('\n')}\n`)
}

function verdict(target: number, met: boolean): string {
  return `${target} ${met ? 'met' : 'MISSED'}`
}

async function started(starting: Promise<Servers>): Promise<Servers> {
  const servers = await starting
  running.add(servers)
  return servers
}

async function stopAll(): Promise<void> {
  const all = [...running]
  running.clear()
  await Promise.all(all.map((one) => one.stop()))
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  process.stderr.write(`--${name} takes whole numbers above 0\n`)
  process.exit(2)
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
