// What every route's entry in the OpenAPI document shares: problems by status, answer headers, JSON bodies. Knows no route.
// Invariant: a status is documented by naming codes of the closed table, so the document cannot name one that does not exist.

import type { TSchema } from 'typebox'
import { PROBLEM_TYPE, PROBLEMS, type ProblemCode } from './problems.ts'

export interface ResponseDoc {
  readonly description: string
  readonly headers?: Readonly<Record<string, HeaderDoc>>
  readonly content?: Readonly<Record<string, { readonly schema: unknown }>>
  /** Without a body. */
  readonly type?: 'null'
}

interface HeaderDoc {
  readonly type: 'string' | 'integer'
  readonly description: string
}

export function problemDocs(...codes: readonly ProblemCode[]): Record<number, ResponseDoc> {
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of codes) {
    const { status } = PROBLEMS[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const docs: Record<number, ResponseDoc> = {}
  for (const [status, group] of byStatus) {
    docs[status] = {
      description: group.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
      ...(PROBLEM_HEADERS[status] && { headers: headerDocs(...PROBLEM_HEADERS[status]) }),
      content: { [PROBLEM_TYPE]: { schema: { $ref: 'Problem#' } } },
    }
  }
  return docs
}

/** By status, on every route. */
const PROBLEM_HEADERS: Readonly<Record<number, readonly AnswerHeader[]>> = {
  405: ['Allow'],
  415: ['Accept-Encoding'],
  429: ['Retry-After'],
  503: ['Retry-After'],
}

/** Every route can answer so, before or beside its own work. */
export const COMMON_PROBLEMS: readonly ProblemCode[] = [
  'bad-request',
  'bad-url',
  'unknown-route',
  'method-not-allowed',
  'slow-request',
  'value-too-large',
  'expectation-failed',
  'overloaded',
  'headers-too-large',
  'internal',
  'unsupported-transfer-coding',
  'not-ready',
]

export function jsonDoc(description: string, schema: TSchema, headers?: ResponseDoc['headers']): ResponseDoc {
  return { description, content: { 'application/json': { schema } }, ...(headers && { headers }) }
}

const text = (description: string): HeaderDoc => ({ type: 'string', description })
const count = (description: string): HeaderDoc => ({ type: 'integer', description })

export type AnswerHeader =
  | 'Quorate-Receipt'
  | 'Quorate-Context'
  | 'Quorate-Siblings'
  | 'Quorate-Version'
  | 'Quorate-Expires'
  | 'Quorate-Explain'
  | 'Quorate-Meta-*'
  | 'ETag'
  | 'Last-Modified'
  | 'Preference-Applied'
  | 'Retry-After'
  | 'Allow'
  | 'Accept-Encoding'

const ALL: Readonly<Record<AnswerHeader, HeaderDoc>> = {
  'Quorate-Receipt': text(
    'Dictionary (RFC 9651): n, required, replied, hinted, durable, guarantee ("strict", "sloppy", "eventual"), node, ring; on DELETE superseded.',
  ),
  'Quorate-Context': text('The causal context: opaque. Absent where none is known.'),
  'Quorate-Siblings': count('Live versions.'),
  'Quorate-Version': text('The version’s dot.'),
  'Quorate-Expires': text('RFC 3339 time from which on the version is gone.'),
  'Quorate-Explain': text('List (RFC 9651, at most 4 KiB) of each replica’s answer, with ?explain=1.'),
  'Quorate-Meta-*': text('Each as it was stored with the value.'),
  ETag: text('Names the set of live versions.'),
  'Last-Modified': text('HTTP date of the latest version.'),
  'Preference-Applied': text('`return=representation` where it was asked for.'),
  'Retry-After': count('Seconds. Only where nothing was applied and another try may fare better.'),
  Allow: text('The methods that the route has.'),
  'Accept-Encoding': text('`identity`, after a Content-Encoding that is not.'),
}

export function headerDocs(...names: readonly AnswerHeader[]): Readonly<Record<string, HeaderDoc>> {
  return Object.fromEntries(names.map((name) => [name, ALL[name]]))
}
