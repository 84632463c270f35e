// How one task on a key is said to a Quorate node and to Redis, and when an answer to it is right. Knows nothing of connections or pace.
// Invariant: a task's bytes follow from the task alone, and an answer counts as right only if status and value are what they must be.

import { KEY_BYTES, VALUE_BYTES, isValueOf, writeKey, writeValue } from './key-space.ts'
import { type AnswerReader, HttpReader, type OnAnswer, RESP, RespReader } from './wire.ts'

export interface Task {
  readonly kind: 'put' | 'get' | 'delete'
  readonly index: number
  /** Written, or expected by a get; `ABSENT`: there must be none. */
  readonly version: number
  /** Of a put; null: it does not expire. */
  readonly ttlSeconds: number | null
  /** Of a put: no value is there yet. Others replace what is. */
  readonly creates: boolean
}

export const ABSENT = -1

export interface Dialect {
  /** No task takes more. */
  readonly bytesMax: number
  /** Returns where it ends. */
  write(target: Buffer, at: number, task: Task): number
  reader(onAnswer: OnAnswer): AnswerReader
  isRight(task: Task, status: number, bytes: Buffer, from: number, to: number, headAt: number): boolean
}

/** Where a client keeps the contexts that it was given, to send them with its next write. */
export interface Contexts {
  /** Returns where it ends; `at`: nothing is known of this key. */
  write(target: Buffer, at: number, index: number): number
  /** From an answer's head. */
  note(index: number, bytes: Buffer, from: number, to: number): void
}

/** How a put replaces what is there without making siblings. */
export type Replacing = 'latest' | 'blindly' | Contexts

const CONTEXT = Buffer.from('\r\nquorate-context: ')
const LATEST = 'Quorate-Context: latest\r\n'
const ONE_SIBLING = Buffer.from('\r\nquorate-siblings: 1\r\n')
const CONTEXT_BYTES_MAX = 512

export class QuorateDialect implements Dialect {
  readonly bytesMax: number
  readonly #replacing: Replacing
  readonly #target: string
  readonly #host: string
  /** By what varies besides key and value. */
  readonly #heads = new Map<string, Buffer>()

  /** `blindly` is for buckets in which the last write wins. */
  constructor(port: number, bucket: string, replacing: Replacing) {
    this.#target = `/v1/kv/${bucket}/`
    this.#host = ` HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`
    this.#replacing = replacing
    this.bytesMax = 512 + this.#target.length + VALUE_BYTES + CONTEXT_BYTES_MAX
  }

  write(target: Buffer, at: number, task: Task): number {
    const { kind, index } = task
    const verb = kind === 'put' ? 'PUT ' : kind === 'get' ? 'GET ' : 'DELETE '
    let end = at + this.#head(verb + this.#target).copy(target, at)
    writeKey(target, end, index)
    end += KEY_BYTES
    if (kind !== 'put') return end + this.#head(`${this.#host}\r\n`).copy(target, end)
    const { ttlSeconds, creates } = task
    const ttl = ttlSeconds === null ? '' : `Quorate-TTL: ${ttlSeconds}\r\n`
    const latest = !creates && this.#replacing === 'latest' ? LATEST : ''
    const head = `${this.#host}Content-Length: ${VALUE_BYTES}\r\n${ttl}${latest}`
    if (creates || typeof this.#replacing === 'string') end += this.#head(`${head}\r\n`).copy(target, end)
    else {
      end += this.#head(`${head}Quorate-Context: `).copy(target, end)
      const context = end
      end = this.#replacing.write(target, end, index)
      if (end === context) end += this.#head('latest').copy(target, end)
      end += this.#head('\r\n\r\n').copy(target, end)
    }
    writeValue(target, end, index, task.version)
    return end + VALUE_BYTES
  }

  reader(onAnswer: OnAnswer): AnswerReader {
    return new HttpReader(onAnswer)
  }

  isRight(task: Task, status: number, bytes: Buffer, from: number, to: number, headAt: number): boolean {
    const { kind, index, version, creates } = task
    if (kind === 'delete') return status === 204
    if (kind === 'get') {
      return version === ABSENT ? status === 404 : status === 200 && isValueOf(bytes, from, to, index, version)
    }
    if (status !== (creates ? 201 : 204)) return false
    const head = bytes.subarray(headAt, from)
    if (typeof this.#replacing !== 'string') {
      const at = head.indexOf(CONTEXT)
      if (at < 0) return false
      const value = headAt + at + CONTEXT.length
      this.#replacing.note(index, bytes, value, bytes.indexOf(0x0d, value))
    }
    return head.includes(ONE_SIBLING)
  }

  #head(text: string): Buffer {
    let bytes = this.#heads.get(text)
    if (bytes === undefined) this.#heads.set(text, (bytes = Buffer.from(text, 'latin1')))
    return bytes
  }
}

export class RedisDialect implements Dialect {
  readonly bytesMax: number = 64 + KEY_BYTES + VALUE_BYTES

  write(target: Buffer, at: number, { kind, index, version, ttlSeconds }: Task): number {
    const words = kind === 'put' ? (ttlSeconds === null ? 3 : 5) : 2
    const verb = kind === 'put' ? 'SET' : kind === 'get' ? 'GET' : 'DEL'
    let end = at + target.write(`*${words}\r\n$3\r\n${verb}\r\n$${KEY_BYTES}\r\n`, at, 'latin1')
    writeKey(target, end, index)
    end += KEY_BYTES
    if (kind !== 'put') return end + target.write('\r\n', end, 'latin1')
    end += target.write(`\r\n$${VALUE_BYTES}\r\n`, end, 'latin1')
    writeValue(target, end, index, version)
    end += VALUE_BYTES
    const ttl = ttlSeconds === null ? '' : `$2\r\nEX\r\n$${String(ttlSeconds).length}\r\n${ttlSeconds}\r\n`
    return end + target.write(`\r\n${ttl}`, end, 'latin1')
  }

  reader(onAnswer: OnAnswer): AnswerReader {
    return new RespReader(onAnswer)
  }

  isRight({ kind, index, version }: Task, status: number, bytes: Buffer, from: number, to: number): boolean {
    if (kind === 'put') return status === RESP.ok
    // Of DEL: how many keys there were.
    if (kind === 'delete') return status === RESP.integer && bytes[from] === 0x31
    return version === ABSENT ? status === RESP.nil : status === RESP.bulk && isValueOf(bytes, from, to, index, version)
  }
}
