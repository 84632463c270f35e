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
      const once = new Once(1024)
      expect(came.filter((id) => once.isNew(id)).sort()).toEqual([...new Set(came)].sort())
    }),
  )
})

test('what is overtaken by more than the bound is never taken for a repetition in silence', () => {
  const once = new Once(1000)
  for (let id = 2; id < 5000; id++) expect(once.isNew(id)).toBe(true)
  expect(once.isNew(1)).toBe(true)
  for (let id = 5001; id <= 6999; id += 2) expect(once.isNew(id)).toBe(true)
  expect(once.isNew(5000)).toBe(true)
  for (let id = 7001; id <= 9001; id += 2) expect(once.isNew(id)).toBe(true)
  expect(() => once.isNew(7000)).toThrow('too many')
  for (const id of [7002, 9000]) expect([once.isNew(id), once.isNew(id)]).toEqual([true, false])
  expect(once.isNew(8999)).toBe(false)
})

test('what lies before a leap is not taken for a repetition in silence either', () => {
  const once = new Once(1000)
  for (const id of [1, 2, 5000]) expect(once.isNew(id)).toBe(true)
  expect(() => once.isNew(3)).toThrow('too many')
  expect(once.isNew(4000)).toBe(true)
})

test('ids begin again', () => {
  const once = new Once(1024)
  expect(once.isNew(2 ** 32 - 1)).toBe(true)
  expect(once.isNew(1)).toBe(true)
  expect(once.isNew(2)).toBe(true)
  expect(once.isNew(2)).toBe(false)
  expect(once.isNew(1)).toBe(false)
})

test('a stranger who leaps costs nothing', () => {
  const once = new Once(1024)
  const before = process.cpuUsage().user
  for (let i = 0; i < 1000; i++) once.isNew(1 + i * 4_000_000)
  expect(process.cpuUsage().user - before).toBeLessThan(2_000_000)
})
