import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hexOf } from '../../src/core/hash64.ts'
import { WordHash } from '../../src/core/word-hash.ts'

const hashOf = (pairs: readonly (readonly [number, number])[]): string => {
  const hash = new WordHash()
  for (const [first, second] of pairs) hash.addNumbers(first, second)
  return hexOf(hash.finish())
}

test('is fixed: nodes of two versions compare what it says', () => {
  expect(hashOf([])).toBe('ef46db3751d8e999')
  expect(hashOf([[1, 2]])).toBe('cd3d4c871ee4183a')
  const hash = new WordHash()
  hash.addLife('a0b1c2d3e4f50617')
  expect(hexOf(hash.finish())).toBe('41741abec2c9c869')
})

test('goes on where its place is full', () => {
  const pairs = Array.from({ length: 400 }, (_, i) => [i, i + 1] as const)
  const seen = new Set<string>()
  for (let length = 0; length <= 400; length++) seen.add(hashOf(pairs.slice(0, length)))
  for (let at = 0; at < 400; at++) seen.add(hashOf(pairs.map((pair, i) => (i === at ? [pair[0], 7777] : pair))))
  expect(seen.size).toBe(801)
})

test('tells lists of numbers apart, small and large, by their order and their number', () => {
  const number = fc.oneof(
    fc.nat(3),
    fc.maxSafeNat(),
    fc.constantFrom(2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1),
  )
  const pairs = fc.array(fc.tuple(number, number), { maxLength: 4 })
  fc.assert(
    fc.property(pairs, pairs, (a, b) => {
      expect(hashOf(a) === hashOf(b)).toBe(JSON.stringify(a) === JSON.stringify(b))
    }),
    { numRuns: 2000 },
  )
})

test('one bit of the input moves half of the bits of the result, wherever it stands', () => {
  for (let bit = 0; bit < 31; bit++) {
    for (const place of [0, 1]) {
      let moved = 0
      for (let i = 0; i < 200; i++) {
        const words = [Math.imul(i, 0x2545f491) >>> 1, Math.imul(i + 1, 0x1b873593) >>> 1]
        const other = words.map((word, at) => (at === place ? word ^ (1 << bit) : word))
        const [a, b] = [words, other].map((pair) => BigInt(`0x${hashOf([pair as [number, number]])}`))
        moved += ((a! ^ b!).toString(2).match(/1/g) ?? []).length
      }
      expect(Math.abs(moved / 200 - 32)).toBeLessThan(4)
    }
  }
})
