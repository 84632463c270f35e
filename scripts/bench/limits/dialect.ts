// Tasks on larger values, to a node that may have no room. Decides when an answer is right: a write may be refused, in the words of the
// contract. Invariant: which keys were stored, and which were refused, is known of every write that was answered.

import type { Dialect, Task } from '../parts/dialects.ts'
import { isValueOf, KEY_BYTES, VALUE_BYTES, writeKey, writeValue } from '../parts/key-space.ts'
import { type AnswerReader, HttpReader, type OnAnswer } from '../parts/wire.ts'

const PROBLEM = Buffer.from('content-type: application/problem+json')
const VERBS = { put: 'PUT', get: 'GET', delete: 'DELETE' } as const

/** Of each key. */
export const FATE = { unknown: 0, stored: 1, refused: 2, deleted: 3 } as const

export class LimitsDialect implements Dialect {
  readonly bytesMax: number
  readonly fates: Uint8Array
  refused = 0
  stored = 0
  readonly #copies: number
  readonly #target: string
  readonly #end: Record<Task['kind'], Buffer>

  /** A value is this many times the one of `key-space`. */
  constructor(port: number, bucket: string, { keys, copies }: { readonly keys: number; readonly copies: number }) {
    this.#copies = copies
    this.#target = `/v1/kv/${bucket}/`
    const host = ` HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`
    const bare = Buffer.from(`${host}\r\n`, 'latin1')
    const put = Buffer.from(`${host}Content-Length: ${copies * VALUE_BYTES}\r\n\r\n`, 'latin1')
    this.#end = { put, get: bare, delete: bare }
    this.fates = new Uint8Array(keys)
    this.bytesMax = 256 + KEY_BYTES + copies * VALUE_BYTES
  }

  write(target: Buffer, at: number, { kind, index, version }: Task): number {
    let end = at + target.write(`${VERBS[kind]} ${this.#target}`, at, 'latin1')
    writeKey(target, end, index)
    end += KEY_BYTES
    end += this.#end[kind].copy(target, end)
    if (kind !== 'put') return end
    writeValue(target, end, index, version)
    for (let copy = 1; copy < this.#copies; copy++)
      target.copy(target, end + copy * VALUE_BYTES, end, end + VALUE_BYTES)
    return end + this.#copies * VALUE_BYTES
  }

  reader(onAnswer: OnAnswer): AnswerReader {
    return new HttpReader(onAnswer)
  }

  isRight(
    { kind, index, version }: Task,
    status: number,
    bytes: Buffer,
    from: number,
    to: number,
    headAt: number,
  ): boolean {
    if (kind === 'get') {
      if (this.fates[index] === FATE.deleted || this.fates[index] === FATE.refused) return status === 404
      return status === 200 && this.#isValue(bytes, from, to, index, version)
    }
    if (kind === 'delete') {
      if (status !== 204) return false
      this.fates[index] = FATE.deleted
      return true
    }
    if (status === 201) {
      this.fates[index] = FATE.stored
      this.stored++
      return true
    }
    this.fates[index] = FATE.refused
    this.refused++
    return status === 507 && isStorageFull(bytes, from, to, headAt)
  }

  #isValue(bytes: Buffer, from: number, to: number, index: number, version: number): boolean {
    if (to - from !== this.#copies * VALUE_BYTES) return false
    for (let at = from; at < to; at += VALUE_BYTES)
      if (!isValueOf(bytes, at, at + VALUE_BYTES, index, version)) return false
    return true
  }
}

/** The problem body of the contract. */
function isStorageFull(bytes: Buffer, from: number, to: number, headAt: number): boolean {
  if (!bytes.subarray(headAt, from).includes(PROBLEM)) return false
  try {
    const problem: unknown = JSON.parse(bytes.toString('utf8', from, to))
    if (typeof problem !== 'object' || problem === null) return false
    return Reflect.get(problem, 'code') === 'storage-full' && Reflect.get(problem, 'status') === 507
  } catch {
    return false
  }
}
