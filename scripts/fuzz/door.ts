// A place where bytes from outside come in: what is fed to it, what reads them, what must hold of the result. Types, and the one error
// that says a law is broken. Invariant: `read` is what production does with the bytes; laws cost nothing there and are checked after.

import type { Arbitrary } from 'fast-check'
import type { Dice } from './dice.ts'
import type { Draft } from './ink.ts'

export interface Door<T = unknown> {
  readonly name: string
  /** How often beside the others of its target. */
  readonly weight: number
  readonly grammar: Arbitrary<Draft>
  /** Valid ones, to be mutated. */
  readonly samples: () => readonly Buffer[] | Promise<readonly Buffer[]>
  /** Puts checksums and lengths right after a mutation, so that what is behind them is reached. */
  readonly reseal?: (bytes: Buffer, dice: Dice) => Buffer
  /** Bytes that may be set aside whatever came, because a bound of the format says how many. */
  readonly reservedBytes?: number
  /** Throws what `isDeclared`, nothing else. */
  readonly read: (bytes: Buffer) => T | Promise<T>
  /** What `read` may throw: a refusal. */
  readonly isDeclared: (error: unknown) => boolean
  /** Laws of what was accepted; throws `LawBroken`. */
  readonly check?: (value: T, bytes: Buffer) => void
  /** In a few words and without particulars: outcomes of a new kind are kept to be mutated further. */
  readonly kindOf: (value: T) => string
}

export interface Target {
  readonly name: 'frames' | 'records' | 'contexts'
  /** Files of src/ that these bytes go through, for the figure of how much of them was reached. */
  readonly sources: readonly string[]
  readonly doors: readonly Door[]
}

/** Something was accepted that should not have been, or came back as something else. */
export class LawBroken extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'LawBroken'
  }
}

export function law(holds: boolean, message: string): asserts holds {
  if (!holds) throw new LawBroken(message)
}

/** Whatever a door reads, the engine handles as unknown. */
export function door<T>(given: Door<T>): Door {
  return given as Door
}

/** So that structures of similar size count as one kind. */
export function about(count: number): string {
  return count < 3 ? String(count) : `2^${Math.floor(Math.log2(count))}`
}
