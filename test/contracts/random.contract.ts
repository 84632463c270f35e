// What every Random promises.

import { describe, expect, test } from 'vitest'
import type { Random } from '../../src/ports/random.ts'

export function randomContract(name: string, subject: () => Random): void {
  describe(`random: ${name}`, () => {
    test('bytes have the asked length and do not repeat', () => {
      const random = subject()
      for (const length of [0, 1, 7, 8, 16, 33]) expect(random.bytes(length).length).toBe(length)
      const seen = new Set(Array.from({ length: 1000 }, () => Buffer.from(random.bytes(8)).toString('hex')))
      expect(seen.size).toBe(1000)
    })

    test('earlier bytes are not overwritten by later ones', () => {
      const random = subject()
      const first = random.bytes(16)
      const copy = first.slice()
      random.bytes(16)
      expect(first).toEqual(copy)
    })

    test('numbers are uniform in [0, 1)', () => {
      const random = subject()
      const buckets = new Array<number>(10).fill(0)
      for (let i = 0; i < 20_000; i++) {
        const value = random.next()
        expect(value >= 0 && value < 1).toBe(true)
        const bucket = Math.floor(value * 10)
        buckets[bucket] = (buckets[bucket] ?? 0) + 1
      }
      for (const count of buckets) expect(Math.abs(count - 2000)).toBeLessThan(300)
    })

    test('every byte value occurs', () => {
      expect(new Set(subject().bytes(20_000)).size).toBe(256)
    })
  })
}
