// What a crash point is and how it is written: which workload, which operation of its disk, before or after that took effect, and what the
// crash left. Knows no workload. Invariant: a point's name alone is enough to see it again.

export type Moment = 'before' | 'after'

export interface CrashPoint {
  readonly workload: string
  /** From 1. */
  readonly operation: number
  readonly moment: Moment
  readonly variant: string
}

/** A workload that has been run once without a crash. */
export interface Survey {
  /** Every operation of the disk, in order, as the disk tells it. */
  readonly operations: readonly string[]
  /** That the workload does what it is about. */
  readonly figures: Readonly<Record<string, number>>
  /** Variants that make a difference there. */
  variantsAt(operation: number, moment: Moment): readonly string[]
  /** Runs it again up to the point, crashes it there, and returns what is wrong with what comes after; null: nothing. */
  judge(point: CrashPoint): Promise<string | null>
}

export interface Workload {
  readonly name: string
  survey(): Promise<Survey>
}

export function pointsOf(workload: string, survey: Survey): CrashPoint[] {
  return survey.operations.flatMap((_, index) =>
    (['before', 'after'] as const).flatMap((moment) =>
      survey
        .variantsAt(index + 1, moment)
        .map((variant): CrashPoint => ({ workload, operation: index + 1, moment, variant })),
    ),
  )
}

export function nameOf({ workload, operation, moment, variant }: CrashPoint): string {
  return `${workload}:${operation}:${moment}:${variant}`
}

/** Null: not the name of a point. */
export function pointNamed(name: string): CrashPoint | null {
  const [, workload = '', operation = '', moment = '', variant = ''] =
    /^([a-z-]+):(\d{1,6}):(before|after):([a-z0-9-]+)$/.exec(name) ?? []
  if (moment !== 'before' && moment !== 'after') return null
  return { workload, operation: Number(operation), moment, variant }
}
