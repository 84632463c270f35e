// The steady mix: reads and overwrites of keys at random at a constant rate, and how late the server's event loop is meanwhile. Decides
// what is asked and which window counts; knows nothing of how many keys there should be.

import { watchEventLoop } from '../../../src/http/event-loop-watch.ts'
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
  /** Of this process meanwhile, which has little to do: what holds it up holds up all. */
  readonly ownP999Ms: number
  readonly ownMaxMs: number
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
  const watch = watchEventLoop()
  const answers = await run(mix.seconds)
  watch.stop()
  const window = windowOf(before, await delays())
  const own = watch.figures().eventLoopDelaySeconds
  const ms = (figures: LatencyFigures, percentile: number): number => percentileOf(figures, percentile) * 1000
  return {
    ...{ p999Ms: ms(window, 99.9), maxMs: ms(window, 100), samples: window.count, answers },
    ...{ ownP999Ms: ms(own, 99.9), ownMaxMs: ms(own, 100) },
  }
}
