// `npm run simulate -- --crash-points`: crashes fixed workloads at every operation of a disk, in worker processes, and prints a table and
// how to see each failure again. Invariant: exit status 0 only when every point was judged and none failed.

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type CrashPoint, nameOf, pointNamed } from '../src/simulator/crash-points/points.ts'
import {
  Judge,
  type PointFailure,
  replayOf,
  tableOf,
  WORKLOADS,
  type WorkloadResult,
} from '../src/simulator/crash-points/sweep.ts'

export interface CrashPointsOptions {
  readonly jobs: number
  /** Of each workload at most so many. */
  readonly most: number
  /** All when empty. */
  readonly workloads: readonly string[]
  readonly json: boolean
}

/** Points that a worker judges before it reports. */
const AT_ONCE = 20

interface Judged {
  readonly count: number
  readonly failures: readonly PointFailure[]
}

export const CRASH_WORKLOADS: readonly string[] = WORKLOADS.map(({ name }) => name)

if (import.meta.main && process.argv[2] === '--worker') work()

function work(): void {
  const judge = new Judge()
  const take = async (names: readonly string[]): Promise<Judged> => {
    const failures: PointFailure[] = []
    for (const name of names) {
      const point = pointNamed(name)
      const failure = point && (await judge.judge(point))
      if (failure) failures.push(failure)
    }
    return { count: names.length, failures }
  }
  process.on('message', (names: readonly string[]) => {
    void take(names).then((judged) => process.send?.(judged))
  })
  process.on('disconnect', () => process.exit(0))
}

/** Null: there is no such workload, or the name is none of a point. */
export function crashPointNamed(name: string): CrashPoint | null {
  const point = pointNamed(name)
  return point && CRASH_WORKLOADS.includes(point.workload) ? point : null
}

export async function crashOnePoint(point: CrashPoint): Promise<number> {
  const judge = new Judge()
  const { operations, figures } = await judge.survey(point.workload)
  const failure = await judge.judge(point)
  const failures = failure === null ? [] : [failure]
  process.stdout.write(`${point.moment} operation ${point.operation}: ${operations[point.operation - 1] ?? 'none'}\n`)
  const result = { workload: point.workload, figures, operations: operations.length, variants: 1, points: 1, failures }
  process.stdout.write(tableOf([result]))
  return failures.length > 0 ? 1 : 0
}

export async function crashEverywhere(options: CrashPointsOptions): Promise<number> {
  const judge = new Judge()
  const results: WorkloadResult[] = []
  for (const workload of options.workloads.length > 0 ? options.workloads : CRASH_WORKLOADS) {
    const { operations, figures } = await judge.survey(workload)
    const points = await judge.points(workload, options.most)
    const failures = await judged(workload, points.map(nameOf), options)
    const variants = new Set(points.map(({ variant }) => variant)).size
    const result = { workload, figures, operations: operations.length, variants, points: points.length, failures }
    results.push(result)
    if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  }
  if (!options.json) process.stdout.write(tableOf(results))
  return results.some(({ failures }) => failures.length > 0) ? 1 : 0
}

async function judged(
  workload: string,
  names: readonly string[],
  options: CrashPointsOptions,
): Promise<PointFailure[]> {
  const failures: PointFailure[] = []
  const { isTTY } = process.stderr
  let next = 0
  let done = 0
  let told = 0
  const take = (part: Judged): void => {
    done += part.count
    failures.push(...part.failures)
    if (options.json) return
    // What went wrong is told at the end; who watches may stop earlier.
    for (const { point } of part.failures) process.stdout.write(`FAILED ${replayOf(point)}\n`)
    if (isTTY) process.stderr.write(`\r${workload} ${done}/${names.length} crashes `)
    else if (done - told >= 1000) process.stderr.write(`${workload} ${(told = done)}/${names.length} crashes\n`)
  }
  const more = (): readonly string[] => names.slice(next, (next += AT_ONCE))
  await Promise.all(Array.from({ length: options.jobs }, () => worker(more, take)))
  if (isTTY && !options.json) process.stderr.write('\n')
  return failures
}

function worker(more: () => readonly string[], take: (judged: Judged) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ['--worker'], { serialization: 'json' })
    const send = (): void => {
      const names = more()
      if (names.length === 0) child.disconnect()
      else child.send(names)
    }
    child.on('message', (judged: Judged) => {
      take(judged)
      send()
    })
    child.on('exit', (status) => (status === 0 ? resolve() : reject(new Error(`a worker ended with status ${status}`))))
    send()
  })
}
