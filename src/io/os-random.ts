// The operating system's randomness behind the Random port. Decides nothing.

import { randomBytes } from 'node:crypto'
import type { Random } from '../ports/random.ts'

export class OsRandom implements Random {
  bytes(length: number): Uint8Array {
    return randomBytes(length)
  }

  next(): number {
    return Math.random()
  }
}
