// Many violations of one guarantee are cut short, and never hide another's.

import { expect, test } from 'vitest'
import { Violations } from '../../src/simulator/violation.ts'

test('keeps the first of each guarantee, however many there were of another', () => {
  const violations = new Violations(
    () => 7,
    () => {},
  )
  for (let i = 0; i < 100; i++) violations.add('G7', `receipt ${i}`)
  violations.add('G9', 'stale')
  expect(violations.has('G9')).toBe(true)
  expect(violations.found.at(-1)).toEqual({ guarantee: 'G9', at: 7, what: 'stale' })
  expect(violations.found.length).toBeLessThan(50)
  expect(violations.found[0]?.what).toBe('receipt 0')
})
