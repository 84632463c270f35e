// Shows that keys are distinct, values tell what they belong to, and every key comes once, in whatever order.

import { expect, test } from 'vitest'
import {
  isValueOf,
  KEY_BYTES,
  keyOf,
  scattered,
  VALUE_BYTES,
  valueOf,
  writeKey,
  writeValue,
} from '../../scripts/bench/parts/key-space.ts'

test('keys are of one length, distinct, and the same each time', () => {
  const keys = Array.from({ length: 20_000 }, (_, index) => keyOf(index))
  expect(new Set(keys).size).toBe(keys.length)
  for (const key of keys) expect(key).toMatch(/^[0-9a-f]{11}$/)
  expect(keyOf(9_999_999)).toBe(keyOf(9_999_999))
  // Neighbours share no beginning.
  expect(keyOf(1).slice(0, 4)).not.toBe(keyOf(2).slice(0, 4))
})

test('a value belongs to one key and one version', () => {
  const value = valueOf(7, 42)
  expect(value).toHaveLength(VALUE_BYTES)
  expect(value.toString('latin1')).toMatch(new RegExp(`^${keyOf(7)} 0000000042 [A-Za-z0-9+/]{77}$`))
  expect(isValueOf(value, 0, VALUE_BYTES, 7, 42)).toBe(true)
  expect(isValueOf(value, 0, VALUE_BYTES, 7, 43)).toBe(false)
  expect(isValueOf(value, 0, VALUE_BYTES, 8, 42)).toBe(false)
  expect(isValueOf(value, 0, VALUE_BYTES - 1, 7, 42)).toBe(false)
  value[VALUE_BYTES - 1] = 0
  expect(isValueOf(value, 0, VALUE_BYTES, 7, 42)).toBe(false)
})

test('what is written stays within its place', () => {
  const target = Buffer.alloc(3 + VALUE_BYTES + KEY_BYTES + 3, 0xff)
  writeValue(target, 3, 123, 1)
  writeKey(target, 3 + VALUE_BYTES, 123)
  expect([...target.subarray(0, 3), ...target.subarray(-3)]).toEqual(Array.from({ length: 6 }, () => 0xff))
  expect(isValueOf(target, 3, 3 + VALUE_BYTES, 123, 1)).toBe(true)
})

test.each([1, 2, 999, 1000, 65_536])('in scattered order each of %i keys comes once', (count) => {
  const seen = new Set(Array.from({ length: count }, (_, i) => scattered(i, count)))
  expect(seen.size).toBe(count)
  expect(Math.max(...seen)).toBe(count - 1)
})
