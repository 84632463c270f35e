import fc from 'fast-check'
import { expect, test } from 'vitest'
import { placeFrom, placeOf, sameLives, sharedLives } from '../../../src/core/causality/lives.ts'

const life = fc.integer({ min: 1, max: 90 }).map((n) => n.toString(16).padStart(16, '0'))
const anyLives = fc.uniqueArray(life, { maxLength: 80 }).map((lives) => lives.sort())

test('a shared list is equal to what was asked for, whatever was asked for before', () => {
  fc.assert(
    fc.property(fc.array(anyLives, { maxLength: 8 }), fc.nat(80), (lists, cut) => {
      const shared = lists.map((lives) => [sharedLives(lives, Math.min(cut, lives.length)), lives] as const)
      for (const [list, lives] of shared) expect(list).toEqual(lives.slice(0, cut))
      for (const lives of lists) lives.fill('ffffffffffffffff')
      for (const [list] of shared) expect(list).not.toContain('ffffffffffffffff')
    }),
  )
  const lives = ['000000000000000a', '000000000000000b', '000000000000000c']
  expect(sharedLives(lives, 2)).toBe(sharedLives([...lives], 2))
})

test('a life is found where it is, and placed where it belongs', () => {
  fc.assert(
    fc.property(anyLives, life, fc.nat(80), (lives, wanted, from) => {
      const at = lives.indexOf(wanted)
      const place = placeOf(lives, wanted)
      if (at >= 0) expect(place).toBe(at)
      else expect([...lives.slice(0, ~place), wanted, ...lives.slice(~place)]).toEqual([...lives, wanted].sort())
      if (at < 0 || at >= from) expect(Math.max(-1, placeFrom(lives, from, wanted))).toBe(at)
    }),
  )
})

test('lists are the same when their lives are', () => {
  fc.assert(
    fc.property(anyLives, anyLives, (a, b) => {
      expect(sameLives(a, b)).toBe(a.join() === b.join())
      expect(sameLives(a, [...a])).toBe(true)
    }),
  )
})
