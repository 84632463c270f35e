// One request on a key and its answer, over Node's own request and response: what a key's routes need of either, whoever recognised
// the request (`key-front.ts` or fastify). Knows nothing of operations. Invariant: one exchange, one answer.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { type HeaderList, writeAnswer } from './answer.ts'
import { problemBody, PROBLEM_TYPE, PROBLEMS, type Problem } from './problems.ts'

const NO_BYTES: Uint8Array = Buffer.alloc(0)

export interface KeyQueryShape {
  readonly explain?: '0' | '1'
  readonly sibling?: string
}

const NO_QUERY: KeyQueryShape = {}

export class KeyExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** As the path names them, decoded; not checked yet. */
  readonly bucket: string
  readonly key: string
  readonly query: KeyQueryShape
  readonly headers: IncomingHttpHeaders
  /** The Content-Type as it came; empty: none. */
  contentType = ''
  /** Complete. */
  body: Uint8Array = NO_BYTES
  /** Hears of the answer's status; null: somebody else counts it. */
  onAnswer: ((exchange: KeyExchange, status: number) => void) | null = null
  /** Monotonic milliseconds, where `onAnswer` wants to know. */
  arrivedAt = 0

  constructor(request: IncomingMessage, response: ServerResponse, bucket: string, key: string, query?: KeyQueryShape) {
    this.request = request
    this.response = response
    this.bucket = bucket
    this.key = key
    this.query = query ?? NO_QUERY
    this.headers = request.headers
  }

  send(status: number, headers: HeaderList, body: Uint8Array | null): void {
    writeAnswer(this.response, status, headers, body)
    if (this.onAnswer !== null) this.onAnswer(this, status)
  }

  sendProblem(headers: HeaderList, problem: Problem): void {
    for (const [name, value] of Object.entries(problem.headers ?? {})) addHeader(headers, name, value)
    headers.push('content-type', PROBLEM_TYPE)
    this.send(PROBLEMS[problem.code].status, headers, problemBody(problem))
  }
}

/** The headers that every answer on a key begins with. */
export function noStore(): HeaderList {
  return ['cache-control', 'no-store']
}

/** In place of one of that name, if there is one. */
function addHeader(headers: HeaderList, name: string, value: string): void {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue
    headers[i + 1] = value
    return
  }
  headers.push(name, value)
}
