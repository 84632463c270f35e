// The closed table of error codes: each has one status and one title, and every error body is an RFC 9457 problem made from it.
// Knows nothing of what failed. Invariant: a code is never reused for another meaning, and a 4xx always means "not applied".

import type { FastifyReply } from 'fastify'

export type ProblemCode =
  | 'bad-request'
  | 'bad-url'
  | 'bad-key'
  | 'bad-header'
  | 'bad-query'
  | 'bad-body'
  | 'bad-quorum'
  | 'bad-context'
  | 'bad-cursor'
  | 'not-found'
  | 'unknown-route'
  | 'method-not-allowed'
  | 'slow-request'
  | 'bucket-fixed'
  | 'context-too-large'
  | 'too-many-siblings'
  | 'precondition-failed'
  | 'value-too-large'
  | 'key-too-long'
  | 'unsupported-media-type'
  | 'unsupported-encoding'
  | 'expectation-failed'
  | 'idempotency-mismatch'
  | 'unknown-property'
  | 'overloaded'
  | 'meta-too-large'
  | 'headers-too-large'
  | 'internal'
  | 'unsupported-transfer-coding'
  | 'quorum-not-met'
  | 'context-not-reached'
  | 'clock-ahead'
  | 'members-unreachable'
  | 'not-ready'
  | 'storage-full'

interface ProblemKind {
  readonly status: number
  readonly title: string
}

export const PROBLEMS: Readonly<Record<ProblemCode, ProblemKind>> = {
  'bad-request': { status: 400, title: 'The request is malformed' },
  'bad-url': { status: 400, title: 'The path or query is not valid percent-encoded UTF-8' },
  'bad-key': { status: 400, title: 'The bucket or key cannot be used' },
  'bad-header': { status: 400, title: 'A header is malformed' },
  'bad-query': { status: 400, title: 'A query parameter is malformed' },
  'bad-body': { status: 400, title: 'The body is malformed' },
  'bad-quorum': { status: 400, title: 'The replica count asked for is not within 1..N' },
  'bad-context': { status: 400, title: 'The causal context is malformed, altered, or of another key or cluster' },
  'bad-cursor': { status: 400, title: 'The cursor is malformed or of another bucket or prefix' },
  'not-found': { status: 404, title: 'No live value' },
  'unknown-route': { status: 404, title: 'No such route' },
  'method-not-allowed': { status: 405, title: 'The route does not have this method' },
  'slow-request': { status: 408, title: 'The request did not arrive in time' },
  'bucket-fixed': { status: 409, title: 'The bucket’s property can no longer change' },
  'context-too-large': { status: 409, title: 'The causal context would exceed 4 KiB' },
  'too-many-siblings': { status: 409, title: 'The key has too many siblings' },
  'precondition-failed': { status: 412, title: 'A precondition does not hold' },
  'value-too-large': { status: 413, title: 'The body exceeds the limit' },
  'key-too-long': { status: 414, title: 'The bucket, key or prefix is too long' },
  'unsupported-media-type': { status: 415, title: 'The body must be application/json' },
  'unsupported-encoding': { status: 415, title: 'The content coding is not supported' },
  'expectation-failed': { status: 417, title: 'The expectation cannot be met' },
  'idempotency-mismatch': { status: 422, title: 'The idempotency key was used with another body' },
  'unknown-property': { status: 422, title: 'Unknown property' },
  overloaded: { status: 429, title: 'Too much is under way' },
  'meta-too-large': { status: 431, title: 'The Quorate-Meta-* headers exceed their limit' },
  'headers-too-large': { status: 431, title: 'The request line and headers exceed their limit' },
  internal: { status: 500, title: 'A defect of this node' },
  'unsupported-transfer-coding': { status: 501, title: 'The transfer coding is not supported' },
  'quorum-not-met': { status: 503, title: 'Too few replicas answered' },
  'context-not-reached': { status: 503, title: 'The replicas that answered have not seen the context' },
  'clock-ahead': { status: 503, title: 'A timestamp is too far ahead of the clocks' },
  'members-unreachable': { status: 503, title: 'Not every member could be asked' },
  'not-ready': { status: 503, title: 'This node does not serve now' },
  'storage-full': { status: 507, title: 'Disks or memory are full' },
}

export const PROBLEM_CODES: readonly ProblemCode[] = Object.keys(PROBLEMS).filter((code) => isProblemCode(code))

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEMS, code)
}

export interface Problem {
  readonly code: ProblemCode
  readonly detail: string
  /** Members beside the standard ones. */
  readonly fields?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
}

export const PROBLEM_TYPE = 'application/problem+json'

/** A request that is refused before it is tried; the server's error handler answers with its problem. */
export class Refusal extends Error implements Problem {
  readonly code: ProblemCode
  readonly detail: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ProblemCode, detail: string, more: Pick<Problem, 'fields' | 'headers'> = {}) {
    super(detail)
    this.name = 'Refusal'
    this.code = code
    this.detail = detail
    this.fields = more.fields ?? {}
    this.headers = more.headers ?? {}
  }
}

/** The body, one line. */
export function problemBody({ code, detail, fields }: Problem): Buffer {
  const { status, title } = PROBLEMS[code]
  return Buffer.from(
    `${JSON.stringify({ type: `urn:quorate:error:${code}`, title, status, detail, code, ...fields })}\n`,
  )
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  reply.code(PROBLEMS[problem.code].status)
  reply.header('cache-control', 'no-store')
  if (problem.headers !== undefined) reply.headers({ ...problem.headers })
  reply.header('content-type', PROBLEM_TYPE)
  return reply.send(problemBody(problem))
}
