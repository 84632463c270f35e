// The steady mix: reads and overwrites of keys at random at a constant rate, and how late the server's event loop is meanwhile. Decides
// what is asked and which window counts; knows nothing of how many keys there should be.

import type { LatencyFigures } from '../../../src/telemetry/latency.ts'
import type { Task } from '../parts/dialects.ts'
import { checked, type Driver, type RunResult } from '../parts/driver.ts'
import { percentileOf, windowOf } from '../parts/figures.ts'
import type { Versions } from '../parts/versions.ts'

export interface Steady {
  readonly p999Ms: number
  /** Of the last bucket in which anything is. */
  readonly maxMs: number
  readonly samples: number
  readonly answers: RunResult
}

export interface Mix {
  readonly ratePerSecond: number
  readonly seconds: number
  /** Before what counts: compilers run, and the memory of a load is cleared away. */
  readonly warmUpSeconds: number
}

/** Half reads, half overwrites. */
export async function steadyDelay(
  what: string,
  driver: Driver,
  versions: Versions,
  keys: number,
  mix: Mix,
  delays: () => Promise<LatencyFigures>,
): Promise<Steady> {
  const { ratePerSecond } = mix
  const run = async (seconds: number): Promise<RunResult> => {
    let left = ratePerSecond * seconds
    const next = (): Task | null => (left-- > 0 ? versions.take(keys, left % 2 === 0 ? 'get' : 'put') : null)
    return checked(what, await driver.run(next, { ratePerSecond, onJudged: versions.done }))
  }
  await run(mix.warmUpSeconds)
  const before = await delays()
  const answers = await run(mix.seconds)
  const window = windowOf(before, await delays())
  const ms = (percentile: number): number => percentileOf(window, percentile) * 1000
  return { p999Ms: ms(99.9), maxMs: ms(100), samples: window.count, answers }
}
