// Short explicit schedules of operations, partitions, crashes and restarts under any settings, which fast-check shrinks when a checker
// objects. A failure prints the story that is left, a few lines, and seed and path to run it again.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { run, type Schedule, schedule, storyOf } from './schedules.ts'

/** `seed` and `path` of a failure go here. */
const PARAMETERS: fc.Parameters<[Schedule]> = { numRuns: 250, seed: 20260101 }
const SEARCH_MS = 20_000
const SHRINK_MS = 60_000

describe('partitions', () => {
  test('no schedule of operations, partitions and crashes breaks a guarantee', { timeout: 180_000 }, async () => {
    const property = fc.asyncProperty(schedule, async (given) => (await run(given)).violations.length === 0)
    const limits = { interruptAfterTimeLimit: SEARCH_MS, markInterruptAsFailure: false }
    const found = await fc.check(property, { ...PARAMETERS, ...limits })
    if (!found.failed || found.counterexamplePath === null) {
      expect(found.numRuns).toBeGreaterThan(5)
      return
    }
    // On from where the search had to end.
    const again = { seed: found.seed, path: found.counterexamplePath, interruptAfterTimeLimit: SHRINK_MS }
    const { counterexample, counterexamplePath } = await fc.check(property, again)
    const [given] = counterexample ?? found.counterexample ?? []
    const path = counterexamplePath ?? found.counterexamplePath
    expect.fail(`${given ? await storyOf(given) : ''}\n\nreplay: seed ${found.seed}, path '${path}'`)
  })
})
