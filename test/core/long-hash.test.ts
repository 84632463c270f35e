// The hash of bytes that may be very long.

import { expect, it } from 'vitest'
import { hash64OfBytes, hashOfLongBytes, hexOf } from '../../src/core/hash64.ts'

it('is XXH64 of what is short, and tells what is long apart by every byte and its place', () => {
  for (const size of [0, 1, 100, 64 << 10]) {
    const bytes = Buffer.alloc(size, 7)
    expect(hashOfLongBytes(bytes)).toEqual(hash64OfBytes(bytes))
  }
  const SLICE = 64 << 10
  const long = Buffer.from({ length: 3 * SLICE + 17 } as ArrayLike<number>).map((_, i) => i % 251)
  const swapped = Buffer.concat([long.subarray(SLICE, 2 * SLICE), long.subarray(0, SLICE), long.subarray(2 * SLICE)])
  const hashes = new Set(
    [long, swapped, long.subarray(1), long.subarray(0, -1)].map((one) => hexOf(hashOfLongBytes(one))),
  )
  for (const at of [0, SLICE - 1, SLICE, long.length - 1]) {
    const changed = Buffer.from(long)
    changed[at] = (changed[at] as number) ^ 1
    hashes.add(hexOf(hashOfLongBytes(changed)))
  }
  expect(hashes.size).toBe(8)
})
