// All workloads and all their crash points: which there are, a sample of them, and the table of what was found. Knows nothing of processes
// or terminals. Invariant: a point is judged by its name alone, so whoever judges it, and when, makes no difference.

import { SeededRandom } from '../seeded-random.ts'
import { ClusterWorkload } from './cluster-workload.ts'
import { type CrashPoint, nameOf, pointsOf, type Survey, type Workload } from './points.ts'
import { STORAGE_SCRIPTS } from './storage-scripts.ts'
import { StorageWorkload } from './storage-workload.ts'

export const WORKLOADS: readonly Workload[] = [
  ...STORAGE_SCRIPTS.map((script) => new StorageWorkload(script)),
  new ClusterWorkload(),
]

export interface PointFailure {
  readonly point: CrashPoint
  readonly operation: string
  readonly what: string
}

export interface WorkloadResult {
  readonly workload: string
  readonly figures: Readonly<Record<string, number>>
  readonly operations: number
  readonly variants: number
  readonly points: number
  readonly failures: readonly PointFailure[]
}

const SHOWN_MAX = 5
const WORDS_MAX = 300

/** Judges points of any workload; each workload is surveyed once. */
export class Judge {
  readonly #surveys = new Map<string, Promise<Survey>>()

  survey(name: string): Promise<Survey> {
    let survey = this.#surveys.get(name)
    if (!survey) {
      const workload = WORKLOADS.find((candidate) => candidate.name === name)
      if (!workload)
        throw new RangeError(`no workload ${name}; there are: ${WORKLOADS.map((known) => known.name).join(', ')}`)
      this.#surveys.set(name, (survey = workload.survey()))
    }
    return survey
  }

  /** All of a workload, or so many of them, drawn evenly and always the same. */
  async points(name: string, most: number = Infinity): Promise<readonly CrashPoint[]> {
    const all = pointsOf(name, await this.survey(name))
    return all.length <= most ? all : new SeededRandom(`sample of ${name}`).shuffle(all).slice(0, most)
  }

  async judge(point: CrashPoint): Promise<PointFailure | null> {
    const survey = await this.survey(point.workload)
    const what = await survey.judge(point)
    return what === null
      ? null
      : { point, operation: survey.operations[point.operation - 1] ?? 'none', what: what.slice(0, WORDS_MAX) }
  }
}

export function replayOf(point: CrashPoint): string {
  return `npm run simulate -- --crash-points --point ${nameOf(point)}`
}

export function tableOf(results: readonly WorkloadResult[]): string {
  const head = ['workload', 'I/O points', 'variants', 'crashes', 'failures']
  const row = (name: string, of: readonly WorkloadResult[]): string[] => {
    const sum = (figure: (result: WorkloadResult) => number): number => of.reduce((all, one) => all + figure(one), 0)
    const variants = Math.max(0, ...of.map((result) => result.variants))
    return [
      name,
      ...[sum((r) => r.operations), variants, sum((r) => r.points), sum((r) => r.failures.length)].map(String),
    ]
  }
  const rows = [head, ...results.map((result) => row(result.workload, [result]))]
  if (results.length > 1) rows.push(row('all', results))
  const widths = head.map((_, column) => Math.max(...rows.map((cells) => (cells[column] ?? '').length)))
  const lines = rows.map((cells) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
  )
  for (const { workload, figures } of results) {
    const told = Object.entries(figures).map(([figure, count]) => `${count} ${figure}`)
    lines.push(`${workload}: ${told.join(', ')}`)
  }
  for (const { failures } of results) {
    for (const { point, operation, what } of failures.slice(0, SHOWN_MAX))
      lines.push(`FAILED ${point.moment} ${operation}, ${point.variant}: ${what}`, `  replay: ${replayOf(point)}`)
    if (failures.length > SHOWN_MAX)
      lines.push(`  and ${failures.length - SHOWN_MAX} more of ${failures[0]?.point.workload}`)
  }
  return `${lines.join('\n')}\n`
}
