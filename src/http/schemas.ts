// The shapes of JSON bodies, queries and paths, as TypeBox: what validates requests is what the OpenAPI document shows. Decides
// shapes only. Invariant: request objects allow no unknown property.

import { type Static, type TSchema, Type } from 'typebox'
import type { BucketSettings } from '../core/membership/bucket-settings.ts'
import { BUCKET_BYTES_MAX, KEY_BYTES_MAX, TTL_SECONDS_MAX } from './limits.ts'
import { PROBLEM_CODES } from './problems.ts'

const LevelJson = Type.Union([
  Type.Integer({ minimum: 1, maximum: 15 }),
  Type.Literal('one'),
  Type.Literal('quorum'),
  Type.Literal('all'),
])

const bucketJson = Type.Object(
  {
    n: Type.Integer({
      minimum: 1,
      maximum: 15,
      description: 'Replicas. Fixed once configured or once the bucket holds keys.',
    }),
    r: LevelJson,
    w: LevelJson,
    sloppy: Type.Boolean({ description: 'Whether healthy fallbacks may stand in for unreachable home replicas.' }),
    conflict: Type.Union([Type.Literal('siblings'), Type.Literal('lww')], { description: 'Fixed, like n.' }),
    durability: Type.Union([Type.Literal('durable'), Type.Literal('memory')], { description: 'Fixed, like n.' }),
    ttlSeconds: Type.Union([Type.Number({ exclusiveMinimum: 0, maximum: TTL_SECONDS_MAX }), Type.Null()]),
    ttlJitter: Type.Number({ minimum: 0, maximum: 1 }),
  },
  { additionalProperties: false },
)

const bucketChanges = Type.Partial(bucketJson, { additionalProperties: false })

export const BucketJson: TSchema = bucketJson
export const BucketChangesJson: TSchema = bucketChanges

// Compiles only while the schema says what the settings' own type says.
void ((changes: Static<typeof bucketChanges>): Partial<BucketSettings> => changes)

export const BucketsJson: TSchema = Type.Object({
  buckets: Type.Array(Type.Object({ name: Type.String(), configured: Type.Boolean(), settings: BucketJson })),
})

const bucketName = Type.String({
  description: `1–${BUCKET_BYTES_MAX} bytes of UTF-8, percent-encoded; not "." or "..".`,
})
const explain = Type.Optional(
  Type.Union([Type.Literal('1'), Type.Literal('0')], { description: '`1` adds Quorate-Explain.' }),
)

export const BucketPath: TSchema = Type.Object({ bucket: bucketName })

export const KeyPath: TSchema = Type.Object({
  bucket: bucketName,
  key: Type.String({
    description: `1–${KEY_BYTES_MAX} bytes of UTF-8, percent-encoded (a / is %2F); not "." or "..".`,
  }),
})

export const KeyQuery: TSchema = Type.Object({ explain })

export const GetQuery: TSchema = Type.Object({
  explain,
  sibling: Type.Optional(Type.String({ description: 'One of several siblings, by its version.' })),
})

export const LIST_LIMIT_DEFAULT = 100

export const ListQuery: TSchema = Type.Object({
  prefix: Type.Optional(
    Type.String({ description: `Only keys that begin with this: at most ${KEY_BYTES_MAX} bytes of UTF-8.` }),
  ),
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1000, default: LIST_LIMIT_DEFAULT, description: 'Keys of one page at most.' }),
  ),
  cursor: Type.Optional(
    Type.String({ maxLength: 8192, description: 'Of the page before, of the same bucket and prefix.' }),
  ),
})

export interface ListQueryShape {
  readonly prefix?: string
  readonly limit?: number
  readonly cursor?: string
}

export const RingQuery: TSchema = Type.Object({ n: Type.Optional(Type.Integer({ minimum: 1, maximum: 15 })) })

export interface RingQueryShape {
  readonly n?: number
}

export const PageJson: TSchema = Type.Object({
  keys: Type.Array(Type.String()),
  cursor: Type.Union([Type.String(), Type.Null()]),
  more: Type.Boolean({ description: 'A page may be short, even empty, while this is true.' }),
})

export const SiblingsJson: TSchema = Type.Object({
  context: Type.Union([Type.String(), Type.Null()], { description: 'Write with it to supersede all of them.' }),
  siblings: Type.Array(
    Type.Object({
      version: Type.String(),
      href: Type.String(),
      contentType: Type.String(),
      lastModified: Type.String({ format: 'date-time' }),
      expires: Type.Optional(Type.String({ format: 'date-time' })),
      meta: Type.Record(Type.String(), Type.String()),
      text: Type.Optional(Type.String({ description: 'Where the value is valid UTF-8.' })),
      base64: Type.Optional(Type.String({ description: 'Where it is not.' })),
    }),
  ),
})

export const DevLinksJson: TSchema = Type.Object(
  {
    cut: Type.Optional(
      // Not a tuple: as TypeBox writes it no OpenAPI 3.1 tool would understand it.
      Type.Array(Type.Array(Type.String(), { minItems: 2, maxItems: 2, description: 'Two members.' }), {
        maxItems: 10_000,
      }),
    ),
    delayMs: Type.Optional(Type.Number({ minimum: 0, maximum: 60_000 })),
    dropRate: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  },
  {
    additionalProperties: false,
    description: 'The whole state of the links: what is absent is not cut, not slowed, not lossy.',
  },
)

export interface DevLinksShape {
  readonly cut?: readonly (readonly [string, string])[]
  readonly delayMs?: number
  readonly dropRate?: number
}

export const LinksSetJson: TSchema = Type.Object({
  cut: Type.Array(Type.Array(Type.String(), { minItems: 2, maxItems: 2 })),
  delayMs: Type.Number(),
  dropRate: Type.Number(),
  unreached: Type.Array(Type.String(), { description: 'Members that did not say that they took it.' }),
})

export const ProblemJson: TSchema = Type.Object(
  {
    type: Type.String({ description: 'urn:quorate:error:<code>' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.Unsafe<string>({ type: 'string', enum: [...PROBLEM_CODES] }),
  },
  { $id: 'Problem', additionalProperties: true, description: 'RFC 9457 problem details.' },
)

export const FreeJson: TSchema = Type.Object({}, { additionalProperties: true })
