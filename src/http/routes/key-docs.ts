// What the OpenAPI document says of the routes of one key. Shapes and words only; the header schemas are those that validate.

import type {} from '@fastify/swagger'
import type { FastifySchema } from 'fastify'
import { type TProperties, Type } from 'typebox'
import { type AnswerHeader, COMMON_PROBLEMS, headerDocs, jsonDoc, problemDocs, type ResponseDoc } from '../docs.ts'
import { type HeaderName, HEADERS } from '../header-schemas.ts'
import { HTTP_LIMITS } from '../limits.ts'
import type { ProblemCode } from '../problems.ts'
import { GetQuery, KeyPath, KeyQuery, SiblingsJson } from '../schemas.ts'

const KEY_PROBLEMS: readonly ProblemCode[] = [
  ...COMMON_PROBLEMS,
  'bad-key',
  'bad-header',
  'bad-query',
  'bad-quorum',
  'bad-context',
  'context-too-large',
  'precondition-failed',
  'key-too-long',
  'quorum-not-met',
]

const SHARED: readonly HeaderName[] = [
  'quorate-r',
  'quorate-w',
  'quorate-sloppy',
  'quorate-timeout',
  'quorate-context',
  'if-match',
  'if-none-match',
  'traceparent',
]

function headers(...names: readonly HeaderName[]): TProperties {
  return Object.fromEntries([...SHARED, ...names].map((name) => [name, HEADERS[name]]))
}

/** Not one header but all of that name's beginning, so it has no schema that could be looked up by its name. */
const META = {
  'quorate-meta-*': Type.Optional(
    Type.String({
      description: `Any number of headers whose names begin so: stored and given back with the value. At most ${HTTP_LIMITS.metaBytesMax} bytes of names (without the beginning) and values.`,
    }),
  ),
}

function responses(
  own: Readonly<Record<number, ResponseDoc>>,
  ...problems: readonly ProblemCode[]
): Record<number, ResponseDoc> {
  const docs = problemDocs(...KEY_PROBLEMS, ...problems)
  const told = headerDocs('Quorate-Receipt', 'Quorate-Explain')
  for (const [status, doc] of Object.entries(docs))
    docs[Number(status)] = { ...doc, headers: { ...told, ...doc.headers, ...MORE[Number(status)] } }
  return { ...docs, ...own }
}

/** What a problem on a key brings with it besides its receipt. */
const MORE: Readonly<Record<number, ResponseDoc['headers']>> = {
  404: headerDocs('Quorate-Context'),
  412: headerDocs('ETag'),
}

const bytes = { '*/*': { schema: { type: 'string', format: 'binary' } } } as const
const empty = (description: string, ...names: readonly AnswerHeader[]): ResponseDoc => ({
  description,
  headers: headerDocs('Quorate-Receipt', 'Quorate-Explain', ...names),
  type: 'null',
})

const GET_RESPONSES = responses(
  {
    200: {
      description: 'The value, byte for byte, with its Content-Type and its Quorate-Meta-* headers.',
      headers: headerDocs(
        'ETag',
        'Last-Modified',
        'Quorate-Context',
        'Quorate-Version',
        'Quorate-Siblings',
        'Quorate-Expires',
        'Quorate-Meta-*',
        'Quorate-Receipt',
        'Quorate-Explain',
      ),
      content: bytes,
    },
    300: jsonDoc(
      'Siblings: concurrent versions, in an order that all nodes share. Values beyond 1 MiB in all are left out.',
      SiblingsJson,
      headerDocs('ETag', 'Last-Modified', 'Quorate-Context', 'Quorate-Siblings', 'Quorate-Receipt', 'Quorate-Explain'),
    ),
    304: empty(
      'What the client holds is still right. With Quorate-Context only where an entity tag says what it holds: by a date, or by `*`, nobody knows, and a write under the context could overwrite what the client has never seen.',
      'ETag',
      'Last-Modified',
      'Quorate-Context',
      'Quorate-Siblings',
    ),
  },
  'not-found',
  'context-not-reached',
)

const GET = {
  tags: ['keys'],
  description:
    'Conditional headers count where the answer would be a 200; on 300 they are ignored (RFC 9110, 13.2.1). Range is ignored.',
  params: KeyPath,
  querystring: GetQuery,
  headers: Type.Object(headers('if-modified-since')),
  response: GET_RESPONSES,
}

export const GET_SCHEMA: FastifySchema = { ...GET, summary: 'Reads a key', operationId: 'getKey' }
export const HEAD_SCHEMA: FastifySchema = { ...GET, summary: 'Reads a key without its body', operationId: 'headKey' }

export const PUT_SCHEMA: FastifySchema = {
  tags: ['keys'],
  summary: 'Writes a key',
  operationId: 'putKey',
  description:
    'The body, of any content type, becomes a new version. With a context it supersedes exactly what that context saw, without one it is concurrent with all that is stored. Quorate-Meta-* headers are stored and returned: 8 KiB of names and values, beyond that 431. Preconditions are best effort between racing writers. If-Unmodified-Since is refused.',
  params: KeyPath,
  querystring: KeyQuery,
  headers: Type.Object({ ...headers('quorate-ttl', 'idempotency-key', 'prefer'), ...META }),
  // By content type, so that nothing is checked: a value is any bytes of any type.
  body: {
    description: `The value: at most ${HTTP_LIMITS.valueBytesMax} bytes unless set otherwise, or none.`,
    content: bytes,
  },
  response: responses(
    {
      200: {
        description: 'With `Prefer: return=representation`: the stored value, or the siblings as JSON.',
        headers: headerDocs(
          'Quorate-Receipt',
          'Quorate-Context',
          'Quorate-Version',
          'Quorate-Siblings',
          'Quorate-Expires',
          'Quorate-Explain',
          'Quorate-Meta-*',
          'ETag',
          'Last-Modified',
          'Preference-Applied',
        ),
        content: { ...bytes, 'application/json': { schema: SiblingsJson } },
      },
      201: empty(
        'No counted replica held a live value before.',
        'Quorate-Context',
        'Quorate-Version',
        'Quorate-Siblings',
        'ETag',
      ),
      204: empty('Written.', 'Quorate-Context', 'Quorate-Version', 'Quorate-Siblings', 'ETag'),
    },
    'too-many-siblings',
    'idempotency-mismatch',
    'unsupported-encoding',
    'meta-too-large',
    'clock-ahead',
    'storage-full',
  ),
}

export const DELETE_SCHEMA: FastifySchema = {
  tags: ['keys'],
  summary: 'Deletes a key',
  operationId: 'deleteKey',
  description:
    'Supersedes what its context saw; without Quorate-Context what a read of R home replicas finds (`latest`). Idempotent: where nothing is found nothing is written. `?sibling=` is refused, as on PUT: the context says what goes.',
  params: KeyPath,
  querystring: KeyQuery,
  headers: Type.Object(headers()),
  response: responses(
    {
      204: empty(
        'Deleted; the receipt says how many live versions were superseded.',
        'Quorate-Context',
        'Quorate-Version',
      ),
    },
    'clock-ahead',
    'storage-full',
  ),
}
