// A slice of what `npm run simulate` does: ordinary seeds without a violation, and one seed is one history.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { runSeed } from '../../src/simulator/run.ts'

// `npm run coverage:simulate` takes more, to see what they reach.
const COUNT = Number(process.env['QUORATE_SEEDS'] ?? 20)
const SEEDS = Array.from({ length: COUNT }, (_, i) => i + 1)

describe('seeds', () => {
  test(`1..${COUNT} violate nothing`, { timeout: 10_000 * COUNT }, async () => {
    for (const seed of SEEDS) {
      const { violations, operationCount, faultCount } = await runSeed(seed)
      expect(violations, `npm run simulate -- --seed ${seed} --trace`).toEqual([])
      expect(operationCount).toBeGreaterThanOrEqual(200)
      expect(faultCount).toBeGreaterThanOrEqual(10)
    }
  })

  test('a seed gives the same history in every process', { timeout: 60_000 }, async () => {
    const here = await runSeed(7)
    const again = await runSeed(7)
    expect(again.hash).toBe(here.hash)
    const { stdout } = await promisify(execFile)(process.execPath, ['scripts/simulate.ts', '--seed', '7'])
    expect(stdout).toContain(`seed 7: ${here.hash}`)
  })
})
