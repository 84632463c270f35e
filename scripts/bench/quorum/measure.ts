// The two measurements: operations per CPU-second beside the bare server, and latency at half of the greatest throughput.
// Decides the order of rounds and what counts as failed; prints nothing. Invariant: a figure whose run had errors is never returned.

import type { LoadPlan, LoadResult } from './load-plan.ts'
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
  /** Median of the rounds' own ratios. */
  readonly ratio: number
  readonly ratios: readonly number[]
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

/** Bare and quorate in turn, `rounds` times, after a warm-up of `warmUp` operations for each process: compilers run until then. */
export async function compare(
  load: Load,
  bare: Servers,
  cluster: Servers,
  operations: readonly Operation[],
  terms: { readonly rounds: number; readonly seconds: number; readonly warmUp: number },
  onRound: (operation: Operation, bare: Rate, quorate: Rate) => void,
): Promise<Comparison[]> {
  const { rounds, seconds } = terms
  const barePlan = (operation: Operation): LoadPlan => ({ ...PLAN, operation, ports: bare.ports, until: { seconds } })
  const quoratePlan = (operation: Operation): LoadPlan => ({
    ...PLAN,
    operation,
    ports: cluster.ports,
    until: { seconds },
    contexts: true,
    strict: true,
  })
  for (const operation of operations) {
    await load.run({ ...barePlan(operation), until: { operations: terms.warmUp } })
    await load.run({ ...quoratePlan(operation), until: { operations: terms.warmUp * cluster.pids.length } })
  }
  const measured = operations.map((operation) => ({ operation, bare: [] as Rate[], quorate: [] as Rate[] }))
  for (let round = 0; round < rounds; round++) {
    for (const { operation, bare: bareRates, quorate: quorateRates } of measured) {
      const bareRate = await rateOf(load, bare, barePlan(operation))
      const quorateRate = await rateOf(load, cluster, quoratePlan(operation))
      bareRates.push(bareRate)
      quorateRates.push(quorateRate)
      onRound(operation, bareRate, quorateRate)
    }
  }
  return measured.map(({ operation, bare: bareRates, quorate: quorateRates }) => {
    const ratios = quorateRates.map((rate, round) => rate.perCpuSecond / (bareRates[round] as Rate).perCpuSecond)
    return { operation, bare: medianRate(bareRates), quorate: medianRate(quorateRates), ratio: median(ratios), ratios }
  })
}

/** First the greatest throughput in a closed loop, then half of it at a constant rate. */
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
