import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareHash64, hash64, hash64FromHex, hexOf } from '../../../src/core/hash64.ts'
import {
  isPartitionCount,
  keyHash,
  keyedHash,
  leafOfHash,
  partitionOfHash,
  rangeOfLeaf,
} from '../../../src/core/ring/key-hash.ts'

const numberOf = (hash: { hi: number; lo: number }): bigint => (BigInt(hash.hi) << 32n) | BigInt(hash.lo)

describe('the hash of a key', () => {
  test('is fixed for ever: changing it would move every key of every cluster', () => {
    expect(hexOf(hash64(''))).toBe('ef46db3751d8e999') // the reference implementation's
    expect(hexOf(keyHash('sessions', 'user-1'))).toBe('3f966c6fe93e7958')
    expect(hexOf(keyHash('b', ''))).toBe('97cd85cabcbb7de3')
    expect(hexOf(keyHash('größe', 'schlüssel/ü'))).toBe('ec42305654d4a02f')
  })

  test('tells apart where the bucket ends and the key begins', () => {
    expect(keyHash('a', 'bc')).not.toEqual(keyHash('ab', 'c'))
    expect(keyedHash('a', 'b', 'c')).not.toEqual(keyedHash('a', 'bc', ''))
    expect(keyedHash('a', 'b', 'c')).not.toEqual(keyHash('a', 'b'))
  })

  test('stays the same when more buckets were seen than are remembered', () => {
    const before = keyHash('first', 'k')
    for (let i = 0; i < 5000; i++) keyHash(`bucket-${i}`, 'k')
    expect(keyHash('first', 'k')).toEqual(before)
  })

  test('has a hex form that sorts as the number does', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        const [x, y] = [keyHash('b', a), keyHash('b', b)]
        expect(hexOf(x)).toMatch(/^[0-9a-f]{16}$/)
        expect(hash64FromHex(hexOf(x))).toEqual(x)
        expect(Math.sign(compareHash64(x, y))).toBe(hexOf(x) < hexOf(y) ? -1 : hexOf(x) > hexOf(y) ? 1 : 0)
      }),
    )
    for (const bad of ['', 'F8ED91F11FA3C7B4', '0'.repeat(15), '0'.repeat(17), 'zzzzzzzzzzzzzzzz']) {
      expect(hash64FromHex(bad)).toBeNull()
    }
  })

  test('names the partition by its top bits and the leaf by the next', () => {
    const power = fc.integer({ min: 0, max: 16 })
    const word = fc.integer({ min: 0, max: 0xffffffff })
    fc.assert(
      fc.property(word, word, power, power, (hi, lo, q, l) => {
        const number = numberOf({ hi, lo })
        expect(partitionOfHash({ hi, lo }, 2 ** q)).toBe(Number(number >> BigInt(64 - q)))
        const leaf = leafOfHash({ hi, lo }, 2 ** q, 2 ** l)
        expect(leaf).toBe(Number((number >> BigInt(64 - q - l)) % BigInt(2 ** l)))
        const { from, to } = rangeOfLeaf(partitionOfHash({ hi, lo }, 2 ** q), leaf, 2 ** q, 2 ** l)
        expect([from <= hi && hi <= to, to - from + 1]).toEqual([true, 2 ** (32 - q - l)])
      }),
    )
  })

  test('spreads keys over partitions and leaves', () => {
    const partitions = new Uint32Array(64)
    const leaves = new Uint32Array(256)
    for (let i = 0; i < 100_000; i++) {
      const hash = keyHash('bucket', `key-${i}`)
      partitions[partitionOfHash(hash, 64)]! += 1
      leaves[leafOfHash(hash, 64, 256)]! += 1
    }
    // Five standard deviations around the mean.
    for (const count of partitions) expect(Math.abs(count - 1562)).toBeLessThan(200)
    for (const count of leaves) expect(Math.abs(count - 390)).toBeLessThan(100)
  })
})

test('Q is a power of two within bounds', () => {
  expect([1, 2, 16, 1024, 65_536].every(isPartitionCount)).toBe(true)
  expect([0, -2, 3, 1000, 1.5, 131_072, Number.NaN].some(isPartitionCount)).toBe(false)
})
