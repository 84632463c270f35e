// The two measurements: operations per CPU-second beside the bare server, and latency at half of the greatest throughput.
// Decides the order of rounds and what counts as failed; prints nothing. Invariant: a figure whose run had errors is never returned.

import type { BareAnswers, LoadPlan, LoadResult } from './load-plan.ts'
import { cpuSeconds, type Load, type Servers } from './processes.ts'

export const KEYS = 10_000
export const CONNECTIONS = 64
export const VALUE_BYTES = 100
/** More failed requests than this, and the run counts for nothing. */
const ERRORS_SHARE_MAX = 0.001

export type Operation = LoadPlan['operation']

export interface Rate {
  readonly perCpuSecond: number
  readonly perSecond: number
}

export interface Comparison {
  readonly operation: Operation
  /** Medians over the rounds. */
  readonly bare: Rate
  readonly quorate: Rate
  /** Median of the rounds' own ratios to one process of the bare server. */
  readonly ratio: number
  readonly ratios: readonly number[]
  /** To as many processes of it as the cluster has, over which the connections are spread likewise. */
  readonly ratioToMany: number
  /** That of the empty store to one process of the bare server; null: it was not measured. */
  readonly ratioOfEmpty: number | null
}

/** The yardstick in one process, which has a core's caches for itself, and in as many as the cluster has, which share the cores as it does. */
export interface Bare {
  readonly one: Servers
  readonly many: Servers
  /** A store of the same shape with nothing in it: `empty-store.ts`. */
  readonly empty: Servers | null
}

export interface Latency {
  readonly operation: Operation
  readonly level: string
  readonly greatestPerSecond: number
  readonly ratePerSecond: number
  readonly result: LoadResult
}

/** What a load run is besides its operation and its target. */
const PLAN = {
  connections: CONNECTIONS,
  keys: KEYS,
  valueBytes: VALUE_BYTES,
  headers: {},
  until: 'each-key-once',
  ratePerSecond: null,
  contexts: false,
  strict: false,
} as const

export async function fill(load: Load, servers: Servers): Promise<void> {
  const plan: LoadPlan = { ...PLAN, operation: 'put', ports: servers.ports, contexts: true, strict: true }
  checked(plan, await load.run(plan))
}

/** What headers a node puts on the answers to a GET and a PUT; Date and those of the connection are everybody's own. */
export async function answersOf(cluster: Servers): Promise<BareAnswers> {
  const url = `http://127.0.0.1:${cluster.ports[0]}/v1/kv/bench/some-key`
  const head = async (request: RequestInit): Promise<Record<string, string>> => {
    const answer = await fetch(url, request)
    await answer.bytes()
    if (!answer.ok) throw new Error(`${request.method} ${url}: ${answer.status}`)
    return Object.fromEntries([...answer.headers].filter(([name]) => !EVERYBODYS_OWN.has(name)))
  }
  const octets = { 'content-type': 'application/octet-stream' }
  const body = Buffer.alloc(VALUE_BYTES, 'v')
  await head({ method: 'PUT', headers: octets, body })
  const get = await head({ method: 'GET' })
  const headers = { ...octets, 'quorate-context': get['quorate-context'] ?? '' }
  return { get, put: await head({ method: 'PUT', headers, body }) }
}

const EVERYBODYS_OWN: ReadonlySet<string> = new Set(['date', 'connection', 'keep-alive', 'content-length'])

/** Both bare servers and quorate in turn, `rounds` times, after a warm-up of `warmUp` operations for each process: compilers run until then. */
export async function compare(
  load: Load,
  bare: Bare,
  cluster: Servers,
  operations: readonly Operation[],
  terms: { readonly rounds: number; readonly seconds: number; readonly warmUp: number },
  onRound: (operation: Operation, bare: Rate, quorate: Rate) => void,
): Promise<Comparison[]> {
  const { rounds, seconds, warmUp } = terms
  // The same requests for all: a bare server that answers with a context gets it back.
  const plan = (operation: Operation, servers: Servers, until: LoadPlan['until']): LoadPlan => ({
    ...{ ...PLAN, operation, ports: servers.ports, until },
    ...{ contexts: true, strict: true },
  })
  const comparisons: Comparison[] = []
  if (bare.empty) await load.run(plan('put', bare.empty, 'each-key-once'))
  for (const operation of operations) {
    for (const servers of [bare.one, bare.many, ...(bare.empty ? [bare.empty] : []), cluster])
      await load.run(plan(operation, servers, { operations: warmUp * servers.pids.length }))
  }
  const measured = operations.map((operation) => ({
    operation,
    one: [] as Rate[],
    many: [] as Rate[],
    empty: [] as Rate[],
    own: [] as Rate[],
  }))
  for (let round = 0; round < rounds; round++) {
    for (const { operation, one, many, empty, own } of measured) {
      const rate = (servers: Servers): Promise<Rate> => rateOf(load, servers, plan(operation, servers, { seconds }))
      many.push(await rate(bare.many))
      if (bare.empty) empty.push(await rate(bare.empty))
      const oneRate = await rate(bare.one)
      const ownRate = await rate(cluster)
      one.push(oneRate)
      own.push(ownRate)
      onRound(operation, oneRate, ownRate)
    }
  }
  for (const { operation, one, many, empty, own } of measured) {
    const ratios = ratiosOf(own, one)
    comparisons.push({
      ...{ operation, bare: medianRate(one), quorate: medianRate(own), ratios },
      ...{ ratio: median(ratios), ratioToMany: median(ratiosOf(own, many)) },
      ratioOfEmpty: empty.length === 0 ? null : median(ratiosOf(empty, one)),
    })
  }
  return comparisons
}

function ratiosOf(rates: readonly Rate[], yardstick: readonly Rate[]): number[] {
  return rates.map((rate, round) => rate.perCpuSecond / (yardstick[round] as Rate).perCpuSecond)
}

/** First the greatest throughput in a closed loop, then half of it at a constant rate, after a second that does not count. */
export async function latencyAtHalfLoad(
  load: Load,
  cluster: Servers,
  operation: Operation,
  level: string,
  seconds: number,
): Promise<Latency> {
  const headers = { [operation === 'get' ? 'Quorate-R' : 'Quorate-W']: level }
  // One replica is too few to overlap with the bucket's other quorum: such receipts say so.
  const strict = level !== 'one'
  const plan: LoadPlan = {
    ...PLAN,
    operation,
    ports: cluster.ports,
    until: { seconds },
    headers,
    contexts: true,
    strict,
  }
  const greatest = checked(plan, await load.run(plan))
  const greatestPerSecond = greatest.operations / greatest.seconds
  const ratePerSecond = Math.floor(greatestPerSecond / 2)
  const half: LoadPlan = { ...plan, ratePerSecond }
  // Another path through the load than the closed loop: compilers run until it has been gone for a while.
  await load.run({ ...half, until: { seconds: 1 } })
  return { operation, level, greatestPerSecond, ratePerSecond, result: checked(half, await load.run(half)) }
}

async function rateOf(load: Load, servers: Servers, plan: LoadPlan): Promise<Rate> {
  const from = cpuSeconds(servers.pids)
  const result = checked(plan, await load.run(plan))
  const cpu = cpuSeconds(servers.pids) - from
  return { perCpuSecond: result.operations / cpu, perSecond: result.operations / result.seconds }
}

function checked(plan: LoadPlan, result: LoadResult): LoadResult {
  const { operations, errors, notStrict, samples } = result
  if (errors > operations * ERRORS_SHARE_MAX)
    throw new Error(`${errors} of ${operations} ${plan.operation}s failed:\n${samples.join('\n')}`)
  if (notStrict > operations * ERRORS_SHARE_MAX)
    throw new Error(`${notStrict} of ${operations} receipts were not strict:\n${samples.join('\n')}`)
  return result
}

function medianRate(rates: readonly Rate[]): Rate {
  return {
    perCpuSecond: median(rates.map((rate) => rate.perCpuSecond)),
    perSecond: median(rates.map((rate) => rate.perSecond)),
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
