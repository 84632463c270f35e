// The production rules beside whole histories, over random schedules. A longer search: CAUSALITY_RUNS=200000; a replay:
// CAUSALITY_SEED and CAUSALITY_PATH as a failure prints them.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RULES } from './home.ts'
import { type Step, World } from './naive-model.ts'
import { VARIANTS } from './variants.ts'

const home = fc.nat(2)
const at = fc.nat(30)

interface Weights {
  readonly delete: number
  readonly collect: number
  readonly exchange: number
  readonly fault: number
  readonly read: number
}

const EVERYTHING: Weights = { delete: 3, collect: 4, exchange: 4, fault: 1, read: 4 }
const DELETIONS: Weights = { delete: 6, collect: 8, exchange: 0, fault: 0, read: 2 }
const LOST_DISKS: Weights = { delete: 0, collect: 0, exchange: 8, fault: 3, read: 4 }

function steps(weights: Weights, keys = 2): fc.Arbitrary<Step[]> {
  const key = fc.nat(keys - 1)
  const write = { key, life: fc.nat(2), session: fc.integer({ min: -2, max: 3 }), homes: fc.nat(7) }
  const of = (weight: number, arbitrary: fc.Arbitrary<Step>): { weight: number; arbitrary: fc.Arbitrary<Step> } => ({ weight, arbitrary })
  const step = fc.oneof(
    of(6, fc.record({ op: fc.constant('put' as const), ...write })),
    of(weights.delete, fc.record({ op: fc.constant('delete' as const), ...write })),
    of(6, fc.record({ op: fc.constantFrom('deliver' as const, 'deliver' as const, 'duplicate' as const), at })),
    of(1, fc.record({ op: fc.constant('lose' as const), at })),
    of(weights.read, fc.record({ op: fc.constant('read' as const), key, first: home, second: home })),
    of(2, fc.record({ op: fc.constant('begin-read' as const), key, home })),
    of(2, fc.record({ op: fc.constant('end-read' as const), at, home })),
    of(weights.exchange, fc.record({ op: fc.constant('ask-snapshot' as const), from: home, to: home })),
    of(weights.exchange, fc.record({ op: fc.constant('take-snapshot' as const), at, again: fc.boolean() })),
    of(weights.collect, fc.record({ op: fc.constant('report' as const), home: fc.nat(5) })),
    of(weights.collect, fc.record({ op: fc.constant('tend' as const), home, key })),
    of(weights.fault, fc.record({ op: fc.constant('wipe' as const), home })),
    of(weights.fault, fc.record({ op: fc.constant('damage' as const), home, keys: fc.nat(3) })),
  )
  return fc.array(step, { minLength: 4, maxLength: 60, size: 'max' })
}

const runs = Number(process.env.CAUSALITY_RUNS ?? 1500)
const replay = {
  ...(process.env.CAUSALITY_SEED && { seed: Number(process.env.CAUSALITY_SEED) }),
  ...(process.env.CAUSALITY_PATH && { path: process.env.CAUSALITY_PATH }),
}

describe('homes beside whole histories', () => {
  test('siblings: every home shows the maximal events of what it has heard, and all agree in the end', { timeout: 3_600_000 }, () => {
    fc.assert(
      fc.property(steps(EVERYTHING), (schedule) => new World().run(schedule)),
      { numRuns: runs, ...replay },
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
    const weights = /T7|T8/.test(name) ? DELETIONS : /T10|T12|T13/.test(name) ? LOST_DISKS : EVERYTHING
    const result = fc.check(
      fc.property(steps(weights, /T4|T13/.test(name) ? 2 : 1), (schedule) => new World(rules).run(schedule)),
      { numRuns: 20_000, endOnFailure: true, seed: 1 },
    )
    expect(result.failed).toBe(true)
    if (process.env.SHOW) console.log(name, String((result.errorInstance as Error)?.message), result.numRuns)
  })
})
