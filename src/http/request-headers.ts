// Reads the headers of a request on a key into the options of an operation. Decides what is malformed (400, before anything is
// tried) and what is ignored: headers of the Quorate- family that no route knows. Knows nothing of the outcome.

import type { IncomingHttpHeaders } from 'node:http'
import type { Precondition } from '../coordinator/operations.ts'
import type { Level } from '../core/membership/bucket-settings.ts'
import { parseEntityTags } from './conditions.ts'
import { type HeaderName, matchesSchema } from './header-schemas.ts'
import { IDEMPOTENCY_KEY_MAX, OPERATION_TIMEOUT_MS, OPERATION_TIMEOUT_MS_MAX, TTL_SECONDS_MAX } from './limits.ts'
import { Refusal } from './problems.ts'
import { parseSfString } from './structured-fields.ts'

const META_PREFIX = 'quorate-meta-'

function badHeader(name: HeaderName, wanted: string): Refusal {
  return new Refusal('bad-header', `${name}: ${wanted}`, { fields: { header: name } })
}

/** The text of a header that matches its schema; undefined when it is absent. */
function read(headers: IncomingHttpHeaders, name: HeaderName, wanted: string): string | undefined {
  const text = headers[name]
  if (text === undefined) return undefined
  if (typeof text !== 'string' || !matchesSchema(name, text)) throw badHeader(name, wanted)
  return text
}

export function readLevel(headers: IncomingHttpHeaders, name: 'quorate-r' | 'quorate-w'): Level | undefined {
  const text = read(headers, name, 'an integer within 1..N, or one, quorum, all')
  if (text === undefined || text === 'one' || text === 'quorum' || text === 'all') return text
  const level = Number(text)
  if (level < 1) throw new Refusal('bad-quorum', `${name}: ${level} replicas; at least one must answer`)
  return level
}

export function readTimeoutMs(headers: IncomingHttpHeaders): number {
  if (headers['quorate-timeout'] === undefined) return OPERATION_TIMEOUT_MS
  const wanted = `milliseconds, 1..${OPERATION_TIMEOUT_MS_MAX}`
  const ms = Number(read(headers, 'quorate-timeout', wanted))
  if (ms > OPERATION_TIMEOUT_MS_MAX) throw badHeader('quorate-timeout', wanted)
  return ms
}

export function readSloppy(headers: IncomingHttpHeaders): boolean | undefined {
  const text = read(headers, 'quorate-sloppy', '?1 or ?0')
  return text === undefined ? undefined : text === '?1'
}

/** The header as it came: a token to be opened, or `latest`. Malformed is bad-context, like anything that does not open. */
export function readContextToken(headers: IncomingHttpHeaders): string | undefined {
  const text = headers['quorate-context']
  // Its seal covers every character of it: what does not match the schema cannot open.
  return text === undefined ? undefined : String(text)
}

export function readTtlMs(headers: IncomingHttpHeaders): number | undefined {
  const wanted = `seconds, more than 0, at most ${TTL_SECONDS_MAX}, with at most three decimals`
  const text = read(headers, 'quorate-ttl', wanted)
  if (text === undefined) return undefined
  const ttlMs = Math.round(Number(text) * 1000)
  if (ttlMs < 1 || ttlMs > TTL_SECONDS_MAX * 1000) throw badHeader('quorate-ttl', wanted)
  return ttlMs
}

export function readIdempotencyKey(headers: IncomingHttpHeaders): string | undefined {
  const wanted = `1..${IDEMPOTENCY_KEY_MAX} characters, quoted or bare`
  const text = read(headers, 'idempotency-key', wanted)
  if (text === undefined) return undefined
  const key = text.startsWith('"') ? parseSfString(text) : text
  if (key === null || key.length > IDEMPOTENCY_KEY_MAX) throw badHeader('idempotency-key', wanted)
  return key
}

export function readPrecondition(headers: IncomingHttpHeaders): Precondition | undefined {
  if (headers['if-unmodified-since'] !== undefined) {
    // Ignoring a precondition of a write would break the promise that the client relies on.
    throw new Refusal('bad-header', 'if-unmodified-since: dates cannot guard a write; use If-Match')
  }
  const match = headers['if-match']
  const noneMatch = headers['if-none-match']
  if (match !== undefined && noneMatch !== undefined) {
    throw badHeader('if-none-match', 'If-Match and If-None-Match: * cannot both hold')
  }
  if (match !== undefined) {
    const tags = parseEntityTags(match)
    if (tags === null) throw badHeader('if-match', '* or quoted entity tags')
    return { type: 'match', etags: tags === '*' ? '*' : tags.filter((t) => !t.weak).map((t) => t.tag) }
  }
  if (noneMatch === undefined) return undefined
  if (noneMatch.trim() !== '*') throw badHeader('if-none-match', 'only * can guard a write')
  return { type: 'none' }
}

/** RFC 7240; other preferences are ignored, as it wants. */
export function prefersRepresentation(headers: IncomingHttpHeaders): boolean {
  const { prefer } = headers
  if (prefer === undefined) return false
  // What is quoted is one word, whatever stands in it; only one that could stand bare keeps its text. A quote that does not end is taken
  // up to the end, once: each within it would else be tried as a beginning.
  const bare = String(prefer).replace(/"((?:[^"\\]|\\.)*)("|\\?$)/g, (_, inner: string, end: string) =>
    end !== '"' ? '"' : /^\w+$/.test(inner) ? inner : '?',
  )
  if (bare.includes('"')) return false
  for (const preference of bare.split(',')) {
    const [, given, value = ''] = /^\s*return\s*(?:(=)\s*(?:(\w+)\s*)?)?(?:;|$)/i.exec(preference) ?? []
    // The first one counts.
    if (given !== undefined) return value.toLowerCase() === 'representation'
  }
  return false
}

/** (name without prefix, value); `bytesMax` bounds names and values together. */
export function readMeta(headers: IncomingHttpHeaders, bytesMax: number): readonly (readonly [string, string])[] {
  let meta: [string, string][] | null = null
  let bytes = 0
  for (const name in headers) {
    // Few other headers begin with a q.
    if (name.charCodeAt(0) !== 0x71 || !name.startsWith(META_PREFIX)) continue
    const short = name.slice(META_PREFIX.length)
    const value = String(headers[name])
    if (short === '') throw new Refusal('bad-header', 'quorate-meta-: a name must follow')
    if (!isFieldValue(value)) throw new Refusal('bad-header', `${name}: control characters cannot be returned`)
    bytes += short.length + value.length
    if (bytes > bytesMax)
      throw new Refusal('meta-too-large', `Quorate-Meta-* names and values exceed ${bytesMax} bytes`)
    meta ??= []
    meta.push([short, value])
  }
  return meta ?? NO_META
}

const NO_META: readonly (readonly [string, string])[] = []

/** What Node can send again: field content of RFC 9110, section 5.5, as Latin-1 characters. */
export function isFieldValue(text: string): boolean {
  if (text === lastFieldValue) return true
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) return false
  lastFieldValue = text
  return true
}

/** Nearly always the content type of nearly all values. */
let lastFieldValue = ''

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.{0,64})?$/

/** W3C Trace Context; a malformed one is as good as none. */
export function readTrace(headers: IncomingHttpHeaders): string | null {
  const text = headers['traceparent']
  return typeof text === 'string' && TRACEPARENT.test(text) ? text : null
}

export type Mutable<T> = { -readonly [K in keyof T]: T[K] }
