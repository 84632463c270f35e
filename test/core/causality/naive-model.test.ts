// The production rules beside whole histories, over random schedules. A longer search: CAUSALITY_RUNS=200000; a replay:
// CAUSALITY_SEED and CAUSALITY_PATH as a failure prints them.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RULES } from './home.ts'
import { World } from './naive-model.ts'
import { DELETIONS, EVERYTHING, LOST_DISKS, steps } from './schedules.ts'
import { travelsByContext, VARIANTS } from './variants.ts'

const runs = Number(process.env.CAUSALITY_RUNS ?? 1200)
const replay = {
  ...(process.env.CAUSALITY_SEED && { seed: Number(process.env.CAUSALITY_SEED) }),
  ...(process.env.CAUSALITY_PATH && { path: process.env.CAUSALITY_PATH }),
}

describe('homes beside whole histories', () => {
  test(
    'siblings: every home shows the maximal events of what it has heard, and all agree in the end',
    { timeout: 3_600_000 },
    () => {
      fc.assert(
        fc.property(steps(EVERYTHING), (schedule) => new World().run(schedule)),
        { numRuns: runs, ...replay },
      )
    },
  )

  test('siblings, where only records travel that the asker lacks', { timeout: 3_600_000 }, () => {
    fc.assert(
      fc.property(steps(EVERYTHING), (schedule) => new World(travelsByContext).run(schedule)),
      { numRuns: Math.ceil(runs / 3), ...replay },
    )
  })

  test('lww: every home shows the greatest event of what it has heard', { timeout: 3_600_000 }, () => {
    fc.assert(
      fc.property(steps({ ...EVERYTHING, collect: 0, delete: 1 }), (schedule) => new World(RULES, 'lww').run(schedule)),
      { numRuns: Math.ceil(runs / 4), ...replay },
    )
  })
})

describe('the model notices', () => {
  test.each(VARIANTS)('%s', (name, rules) => {
    const weights = /T7|T8/.test(name) ? DELETIONS : /T12|T13|T19/.test(name) ? LOST_DISKS : EVERYTHING
    const result = fc.check(
      fc.property(steps(weights, /T4|T13/.test(name) ? 2 : 1), (schedule) => new World(rules).run(schedule)),
      { numRuns: 20_000, endOnFailure: true, seed: 1 },
    )
    expect(result.failed).toBe(true)
  })
})
