// Shows that the benchmarks' own arithmetic is right: nothing is judged better than it was.

import { expect, test } from 'vitest'
import { atEvenSpeed, spanOf, unevenness, windowsOf } from '../../scripts/bench/overwrite/seconds.ts'
import { delaysOf, lineThrough, median, percentileOf, windowOf } from '../../scripts/bench/parts/figures.ts'
import { isAtRest, kibibytes } from '../../scripts/bench/parts/proc.ts'
import { fateOf, versionAfterChurn } from '../../scripts/bench/parts/tasks.ts'

test('medians', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(median([])).toBeNaN()
})

test('percentiles of a window are never less than they were', () => {
  const bounds = [1, 2, 4]
  const before = { bounds, counts: [5, 0, 0, 1], count: 6, sum: 9 }
  const after = { bounds, counts: [1003, 1, 1, 1], count: 1006, sum: 99 }
  const window = windowOf(before, after)
  expect(window).toMatchObject({ counts: [998, 1, 1, 0], count: 1000, sum: 90 })
  expect(percentileOf(window, 50)).toBe(1)
  expect(percentileOf(window, 99.8)).toBe(1)
  expect(percentileOf(window, 99.9)).toBe(2)
  expect(percentileOf(window, 100)).toBe(4)
  expect(percentileOf(before, 100)).toBe(Infinity)
  expect(percentileOf(windowOf(after, after), 50)).toBeNaN()
  expect(() => windowOf({ ...before, bounds: [1] }, after)).toThrow('different')
})

test('delays are found in the figures of a node', () => {
  const delays = { bounds: [1], counts: [0, 0], count: 0, sum: 0 }
  expect(delaysOf({ process: { eventLoopDelaySeconds: delays } })).toBe(delays)
  for (const other of [null, {}, { process: {} }]) expect(() => delaysOf(other)).toThrow('/v1/stats')
})

test('a line, and what is off it', () => {
  const straight = lineThrough([
    [1, 30],
    [2, 50],
    [3, 70],
  ])
  expect(straight.slope).toBeCloseTo(20)
  expect(straight.offset).toBeCloseTo(10)
  expect(straight.deviation).toBeCloseTo(0)
  // The middle one is 30 above both others' line: a third of that stays on either side, two thirds above.
  const bent = lineThrough([
    [1, 0],
    [2, 30],
    [3, 0],
  ])
  expect(bent.deviation).toBeCloseTo(20 / 30)
})

test('a process is at rest when it does little and its memory stays', () => {
  const still = Array.from({ length: 5 }, () => ({ rss: 100e6, cpu: 0.01 }))
  expect(isAtRest(still)).toBe(true)
  expect(isAtRest([...still, { rss: 103e6, cpu: 0 }])).toBe(false)
  expect(isAtRest([...still, { rss: 100e6, cpu: 0.9 }])).toBe(false)
  expect(kibibytes('VmPeak:\t 9 kB\nVmRSS:\t  123 kB\n', 'VmRSS')).toBe(123)
  expect(() => kibibytes('VmRSS: 1 kB\n', 'Pss')).toThrow('Pss')
})

test('windows of ten seconds, whole ones only', () => {
  const second = (perSecond: number, workMs = 1) => ({
    ...{ perSecond, amplification: perSecond / 100, slowestMs: 5, slowestBareMs: 3, bareMs: 1, workMs },
  })
  const seconds = [
    ...Array.from({ length: 20 }, () => second(100)),
    ...Array.from({ length: 10 }, () => second(70)),
    second(1),
  ]
  const windows = windowsOf(seconds)
  expect(windows.map((window) => window.perSecond)).toEqual([100, 100, 70])
  const raw = unevenness(windows.map(({ perSecond }) => perSecond))
  expect(raw.median).toBe(100)
  expect(raw.largest).toBeCloseTo(0.3)
  expect(spanOf([second(100), second(300)])).toEqual({
    ...{ perSecond: 200, leastPerSecond: 100, greatestPerSecond: 300 },
    ...{ amplification: 3, slowestMs: 5, slowestBareMs: 3, bareMs: 1, workMs: 1 },
  })
})

test('what a slow machine took is given back, and nothing else', () => {
  const window = (perSecond: number, workMs: number) => ({
    ...spanOf([{ perSecond, amplification: 1, slowestMs: 5, slowestBareMs: 3, bareMs: 1, workMs }]),
  })
  expect(atEvenSpeed([window(100, 1), window(80, 1.25), window(120, 1), window(60, 1)])).toEqual([100, 100, 120, 60])
})

test('churn does to keys what it says', () => {
  const counts: Record<string, number> = {}
  for (let index = 0; index < 20_000; index++) {
    const fate = fateOf(index)
    counts[fate] = (counts[fate] ?? 0) + 1
    expect(versionAfterChurn(index)).toBe({ kept: 1, overwritten: 2, deleted: -1, expired: -1 }[fate])
  }
  const shares = ['kept', 'overwritten', 'deleted', 'expired'].map((fate) => Math.round((counts[fate] ?? 0) / 200))
  for (const [index, share] of [50, 30, 10, 10].entries())
    expect(Math.abs((shares[index] ?? 0) - share)).toBeLessThan(2)
})
