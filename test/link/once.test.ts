// A request is served once, whatever the way does to it.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Once } from '../../src/link/once.ts'

test('any order, any repetitions, ids that were never given: each is new once', () => {
  const ids = fc
    .uniqueArray(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 200 })
    .chain((given) => fc.shuffledSubarray([...given, ...given, ...given], { minLength: 3 * given.length }))
  fc.assert(
    fc.property(ids, (came) => {
      const once = new Once()
      expect(came.filter((id) => once.isNew(id)).sort()).toEqual([...new Set(came)].sort())
    }),
  )
})

test('what is overtaken by very many is taken for a repetition; what comes in order never is', () => {
  const once = new Once()
  for (let id = 2; id < 5000; id++) expect(once.isNew(id)).toBe(true)
  expect(once.isNew(1)).toBe(true)
  for (let id = 6000; id < 12_000; id += 2) expect(once.isNew(id)).toBe(true)
  expect(once.isNew(5500)).toBe(false)
  expect(once.isNew(11_001)).toBe(true)
})

test('ids begin again', () => {
  const once = new Once()
  expect(once.isNew(2 ** 32 - 1)).toBe(true)
  expect(once.isNew(1)).toBe(true)
  expect(once.isNew(2)).toBe(true)
  expect(once.isNew(2)).toBe(false)
  expect(once.isNew(1)).toBe(false)
})

test('a stranger who leaps costs nothing', () => {
  const once = new Once()
  const before = process.cpuUsage().user
  for (let i = 0; i < 1000; i++) once.isNew(1 + i * 4_000_000)
  expect(process.cpuUsage().user - before).toBeLessThan(2_000_000)
})
