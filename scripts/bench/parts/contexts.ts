// The contexts that a client was given, by key, in one piece of memory: a million strings would cost the client more time than its
// requests. Invariant: what is written is what was noted last, or nothing.

import type { Contexts } from './dialects.ts'

/** Far more than a context of one node's writes has; of a longer one nothing is kept. */
const SLOT_BYTES = 96

export class KeptContexts implements Contexts {
  readonly #slots: Buffer

  constructor(keys: number) {
    this.#slots = Buffer.alloc(keys * SLOT_BYTES)
  }

  write(target: Buffer, at: number, index: number): number {
    const slot = index * SLOT_BYTES
    return at + this.#slots.copy(target, at, slot + 1, slot + 1 + (this.#slots[slot] as number))
  }

  note(index: number, bytes: Buffer, from: number, to: number): void {
    const slot = index * SLOT_BYTES
    const length = to - from < SLOT_BYTES ? to - from : 0
    this.#slots[slot] = length
    bytes.copy(this.#slots, slot + 1, from, from + length)
  }
}
