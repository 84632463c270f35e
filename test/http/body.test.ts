// A body is what its chunks are, however it was cut, in a buffer of its own, for which room is made when a part of it has come.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Body } from '../../src/http/body.ts'

it('is what its chunks are', () => {
  const length = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constantFrom(65_535, 65_536, 65_537, 3_000_000))
  fc.assert(
    fc.property(
      length,
      fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 20 }),
      (bytes, steps) => {
        const all = Buffer.alloc(bytes, 'a body, again and again')
        const body = new Body(bytes)
        for (let at = 0, i = 0; ; i++) {
          const chunk = Buffer.from(all.subarray(at, at + (steps[i % steps.length] ?? 1)))
          at += chunk.length
          const complete = body.add(chunk)
          if (at < bytes) {
            expect(complete).toBeNull()
            continue
          }
          expect(complete?.equals(all)).toBe(true)
          chunk.fill(0)
          expect(complete?.equals(all)).toBe(true)
          break
        }
      },
    ),
    { numRuns: 100 },
  )
})
