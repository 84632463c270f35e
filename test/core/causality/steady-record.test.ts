import { expect, it } from 'vitest'
import { expiryOf } from '../../../src/core/causality/steady-record.ts'

it('a deadline that is cut off ends where its bytes do', () => {
  const bytes = Buffer.alloc(18)
  bytes[0] = 8 | 32
  bytes[9] = 1
  bytes[17] = 0x80
  expect(expiryOf(bytes, 0)).toBe(0)
})
