// The tasks of a benchmark, one after the other: every key once, some keys again, a mix at random. Pure but for chance.
// Invariant: what is expected of a read follows from what was written before it.

import { ABSENT, type Task } from './dialects.ts'
import { mix32, scattered } from './key-space.ts'

type Next = () => Task | null

/** Keys `from` to `to`, none of which is there. */
export function loading(from: number, to: number, ttlSeconds: number | null): Next {
  let index = from
  return () => (index < to ? { kind: 'put', index: index++, version: 1, ttlSeconds, creates: true } : null)
}

/** Each key once, in scattered order, by what `taskOf` makes of it; null leaves it out. */
export function each(count: number, taskOf: (index: number) => Task | null): Next {
  let i = 0
  return () => {
    while (i < count) {
      const task = taskOf(scattered(i++, count))
      if (task !== null) return task
    }
    return null
  }
}

export function reading(index: number, version: number): Task {
  return { kind: 'get', index, version, ttlSeconds: null, creates: false }
}

/** `times` reads of keys at random; `versionOf` says what must be found. */
export function spotChecks(times: number, count: number, versionOf: (index: number) => number): Next {
  let done = 0
  return () => {
    if (done++ >= times) return null
    const index = Math.floor(Math.random() * count)
    return reading(index, versionOf(index))
  }
}

/** What churn does to a key: of a hundred keys 30 are overwritten, 10 deleted, 10 expire, 50 stay. */
export type Fate = 'overwritten' | 'deleted' | 'expired' | 'kept'

export function fateOf(index: number): Fate {
  const of100 = mix32(index ^ 0x0f0f_1234) % 100
  if (of100 < 30) return 'overwritten'
  if (of100 < 40) return 'deleted'
  return of100 < 50 ? 'expired' : 'kept'
}

/** The version that a read must find after churn. */
export function versionAfterChurn(index: number): number {
  const fate = fateOf(index)
  if (fate === 'kept') return 1
  return fate === 'overwritten' ? 2 : ABSENT
}
