// Requests as bytes: nearly right ones over all routes of the client port, written part by part, and what a byte-wise mutation makes of
// them. Knows what the routes are called, not what they do. Invariant: a talk says how many answers it must get, or that nobody can know.

import fc from 'fast-check'
import { HEADERS } from '../../../src/http/header-schemas.ts'
import { fieldText, headText } from '../doors/context-doors.ts'

export interface Talk {
  /** What goes over one connection before it is half-closed. */
  readonly bytes: Buffer
  /** Of well-formed requests, in order; null: mutated, so nobody knows. */
  readonly methods: readonly string[] | null
}

export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 10 }),
  fc.integer().map(String),
  fc.constantFrom('', '.', '..', '*', 'latest', '?1', '?0', '0', '1', '3', '4', '-1', '1e9', 'all', 'quorum', 'one'),
  fc.constantFrom(
    '"',
    '"x"',
    'W/"x"',
    '"x", "y"',
    '__proto__',
    'constructor',
    'return=representation',
    '\0',
    '🔑',
    'é',
  ),
)
/** What may stand in a field line; the rest is for mutations. */
const headerText = fc
  .oneof({ weight: 12, arbitrary: oddText }, { weight: 1, arbitrary: headText.map((text) => text.slice(0, 9000)) })
  .map((text) => fieldText(Buffer.from(text)).trim())

const segment = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('b', 'k', 'k2', 'cart%2Falice', '%00', '%F0%9F%94%91', 'lww') },
  { weight: 2, arbitrary: oddText.filter((text) => text.isWellFormed()).map(encodeURIComponent) },
  { weight: 1, arbitrary: fc.constantFrom('%ff', '%', '%zz', 'a%', '__proto__', '*', '%2e%2e', ';', '+', 'a#b') },
  { weight: 1, arbitrary: fc.integer({ min: 250, max: 1100 }).map((length) => 'x'.repeat(length)) },
)
export const path: fc.Arbitrary<string> = fc.oneof(
  { weight: 10, arbitrary: fc.tuple(segment, segment).map(([bucket, key]) => `/v1/kv/${bucket}/${key}`) },
  { weight: 2, arbitrary: segment.map((bucket) => `/v1/kv/${bucket}`) },
  { weight: 2, arbitrary: segment.map((bucket) => `/v1/buckets/${bucket}`) },
  { weight: 1, arbitrary: fc.tuple(segment, segment).map(([bucket, key]) => `/v1/ring/${bucket}/${key}`) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...['/v1/buckets', '/v1/cluster', '/v1/ring', '/v1/hints', '/v1/repair', '/v1/stats', '/v1/dev/links'],
      ...['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs', '/console', '/v1/batch', '/v1/transfers'],
      ...['/v1/hot-keys', '/v1/cluster/plan', '/v1/cluster/leave', '/v1/cluster/members/node-0/remove', '/', '//', '*'],
    ),
  },
  { weight: 1, arbitrary: fc.webPath() },
)
export const query: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: fc.constant('') },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('explain', 'sibling', 'limit', 'cursor', 'prefix', 'n', '__proto__'), oddText)
      .map(([name, value]) => `?${name}=${value.isWellFormed() ? encodeURIComponent(value) : ''}`),
  },
  { weight: 1, arbitrary: fc.constantFrom('?', '?&&', '?limit', '?prefix=%ff', '?explain=1&explain=1', '?a[b]=c') },
)
export const headerName: fc.Arbitrary<string> = fc.constantFrom(
  ...Object.keys(HEADERS),
  ...['content-type', 'accept', 'range', 'quorate-meta-a', 'quorate-meta-__proto__', 'quorate-meta-', 'quorate-x'],
  ...['if-unmodified-since', 'accept-version', 'accept-encoding', 'content-encoding', 'te', 'cookie', 'content-range'],
)
const headers = fc.array(fc.tuple(headerName, headerText), { maxLength: 4 })
const body = fc.oneof(
  { weight: 3, arbitrary: fc.constant(null) },
  { weight: 3, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 2, arbitrary: fc.json({ maxDepth: 3 }).map((text) => Buffer.from(text)) },
  {
    weight: 2,
    arbitrary: fc
      .dictionary(
        fc.constantFrom('n', 'r', 'w', 'sloppy', 'conflict', 'durability', 'ttlSeconds', 'cut', 'delayMs', '__proto__'),
        fc.oneof(fc.constantFrom<unknown>(1, 3, 'quorum', 'lww', null, true, 1e308, -1, [['a', 'b']]), fc.jsonValue()),
        { maxKeys: 3 },
      )
      .map((value) => Buffer.from(JSON.stringify(value))),
  },
  { weight: 1, arbitrary: fc.constantFrom(Buffer.from('['.repeat(20_000)), Buffer.alloc(20_000, 0x61)) },
)
export const method: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('GET', 'PUT', 'PUT') },
  { weight: 3, arbitrary: fc.constantFrom('HEAD', 'DELETE', 'POST') },
  { weight: 1, arbitrary: fc.constantFrom('PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE') },
)

interface Request {
  readonly method: string
  readonly bytes: Buffer
  /** No more is heard after it. */
  readonly isLast: boolean
}

const request: fc.Arbitrary<Request> = fc
  .record({
    method,
    path,
    query,
    headers,
    body,
    json: fc.boolean(),
    coding: fc.nat(9),
    pieces: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
    host: fc.oneof({ weight: 8, arbitrary: fc.constant('x') }, headerText),
  })
  .map(({ method: verb, path: where, query: search, headers: given, body: content, json, coding, pieces, host }) => {
    const target = (where.startsWith('/') || where === '*' ? where : '/') + search
    const lines = [`${verb} ${target} HTTP/1.1`, `Host: ${host}`, ...given.map(([name, text]) => `${name}: ${text}`)]
    if (json) lines.push('Content-Type: application/json')
    const isChunked = content !== null && coding < 3
    if (isChunked) lines.push('Transfer-Encoding: chunked')
    else if (content !== null) lines.push(`Content-Length: ${content.length}`)
    if (coding === 9 && content !== null) lines.push('Expect: 100-continue')
    const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
    const rest = content === null ? [] : isChunked ? chunked(content, pieces) : [content]
    return { method: verb, bytes: Buffer.concat([head, ...rest]), isLast: coding === 9 }
  })

function chunked(content: Buffer, pieces: readonly number[]): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0, i = 0; at < content.length; i++) {
    // Very many small ones would be all that is tested.
    const size = content.length > 1000 ? 4096 : (pieces[i % pieces.length] as number)
    const piece = content.subarray(at, at + size)
    parts.push(
      Buffer.from(`${piece.length.toString(16)}${i === 0 ? ';name="value"' : ''}\r\n`),
      piece,
      Buffer.from('\r\n'),
    )
    at += piece.length
  }
  return [...parts, Buffer.from('0\r\n\r\n')]
}

/** Several in one go: pipelined. */
export const talks: fc.Arbitrary<Talk> = fc.array(request, { minLength: 1, maxLength: 12 }).map((requests) => {
  const last = requests.findIndex(({ isLast }) => isLast)
  const said = last < 0 ? requests : requests.slice(0, last + 1)
  return { bytes: Buffer.concat(said.map(({ bytes }) => bytes)), methods: said.map((one) => one.method) }
})
