// Which version each key has, and with which keys a task is under way. Decides which key is next, by chance. Invariant: a key has at
// most one task under way, so each read has one right answer and no two writes are concurrent.

import type { Task } from './dialects.ts'

export class Versions {
  readonly #versions: Uint16Array
  readonly #busy: Uint8Array

  /** Of keys that were loaded, which have version 1. */
  constructor(keys: number) {
    this.#versions = new Uint16Array(keys).fill(1)
    this.#busy = new Uint8Array(keys)
  }

  of(index: number): number {
    return this.#versions[index] as number
  }

  /** A read or an overwrite of one of the first `keys` keys with which nothing is under way. */
  take(keys: number, kind: 'get' | 'put'): Task {
    let index = Math.floor(Math.random() * keys)
    while (this.#busy[index] === 1) index = (index + 1) % keys
    this.#busy[index] = 1
    const version = this.of(index) + (kind === 'put' ? 1 : 0)
    return { kind, index, version, ttlSeconds: null, creates: false }
  }

  readonly done = ({ kind, index, version }: Task, isRight: boolean): void => {
    this.#busy[index] = 0
    if (kind === 'put' && isRight) this.#versions[index] = version
  }
}
