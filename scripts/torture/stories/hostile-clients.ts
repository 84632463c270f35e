// Every limit that the client port answers clearly, as a table: what is sent, which status and which code must come back. Each error
// body must be a problem of its own code and status. Knows nothing of the peer port.

import type { Cluster } from '../cluster.ts'
import { kvPath } from '../http-client.ts'
import type { NodeProcess } from '../node-process.ts'
import { exchange, parseResponse, type RawResponse } from '../raw-socket.ts'
import type { Verdict } from '../verdict.ts'

interface Case {
  readonly what: string
  readonly send: readonly (string | Buffer)[]
  readonly status: number
  /** Null: the answer is no problem. */
  readonly code: string | null
  readonly header?: readonly [string, RegExp]
  readonly waitMs?: number
}

const VALUE_BYTES_MAX = 1024 * 1024
const HEADERS_WITHIN_MS = 10_000
const REQUEST_WITHIN_MS = 30_000

function http(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  body: string = '',
): string {
  const lines = Object.entries({ Host: 'x', 'Content-Length': String(Buffer.byteLength(body)), ...headers })
  return `${method} ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
}

const KEY = '/v1/kv/hostile/key'
const JSON_TYPE = { 'Content-Type': 'application/json' }

function get(target: string, headers: Readonly<Record<string, string>> = {}): readonly string[] {
  return [http('GET', target, headers)]
}

function cases(slow: 'headers' | 'all'): readonly Case[] {
  const longest = '€'.repeat(341) + 'x'
  const longestPath = `/v1/kv/hostile/${encodeURIComponent(longest)}`
  const all: Case[] = [
    { what: 'no HTTP at all', send: ['\x16\x03\x01\x02\x00\x01\x00\r\n\r\n'], status: 400, code: 'bad-request' },
    { what: 'a request line without a version', send: ['GET\r\n\r\n'], status: 400, code: 'bad-request' },
    { what: 'no Host', send: ['GET /healthz HTTP/1.1\r\n\r\n'], status: 400, code: 'bad-request' },
    {
      what: 'two different lengths',
      send: [`PUT ${KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab`],
      status: 400,
      code: 'bad-request',
    },
    {
      what: 'a length and chunks',
      send: [`PUT ${KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
      status: 400,
      code: 'bad-request',
    },
    {
      what: 'a bad chunk',
      send: [`PUT ${KEY} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`],
      status: 400,
      code: 'bad-request',
    },
    { what: 'bad percent-encoding in a key', send: get('/v1/kv/hostile/%zz'), status: 400, code: 'bad-url' },
    { what: 'a key that is no UTF-8', send: get('/v1/kv/hostile/%ff%fe'), status: 400, code: 'bad-url' },
    { what: 'bad percent-encoding in a prefix', send: get('/v1/kv/hostile?prefix=%zz'), status: 400, code: 'bad-url' },
    { what: 'the key .', send: get('/v1/kv/hostile/.'), status: 400, code: 'bad-key' },
    { what: 'the key .. encoded', send: get('/v1/kv/hostile/%2E%2E'), status: 400, code: 'bad-key' },
    { what: 'R=0', send: get(KEY, { 'Quorate-R': '0' }), status: 400, code: 'bad-quorum' },
    { what: 'R beyond N', send: get(KEY, { 'Quorate-R': '4' }), status: 400, code: 'bad-quorum' },
    { what: 'W beyond N', send: [http('PUT', KEY, { 'Quorate-W': '99' }, 'x')], status: 400, code: 'bad-quorum' },
    { what: 'R=many', send: get(KEY, { 'Quorate-R': 'many' }), status: 400, code: 'bad-header' },
    { what: 'a negative time-out', send: get(KEY, { 'Quorate-Timeout': '-1' }), status: 400, code: 'bad-header' },
    { what: 'too long a time-out', send: get(KEY, { 'Quorate-Timeout': '60001' }), status: 400, code: 'bad-header' },
    { what: 'a boolean that is none', send: get(KEY, { 'Quorate-Sloppy': 'true' }), status: 400, code: 'bad-header' },
    {
      what: 'a TTL in words',
      send: [http('PUT', KEY, { 'Quorate-TTL': 'soon' }, 'x')],
      status: 400,
      code: 'bad-header',
    },
    {
      what: 'an endless idempotency key',
      send: [http('PUT', KEY, { 'Idempotency-Key': 'x'.repeat(65) }, 'x')],
      status: 400,
      code: 'bad-header',
    },
    { what: 'a context of noise', send: get(KEY, { 'Quorate-Context': 'bm9pc2U' }), status: 400, code: 'bad-context' },
    {
      what: 'a context that is no base64url',
      send: get(KEY, { 'Quorate-Context': 'a+b/c=' }),
      status: 400,
      code: 'bad-context',
    },
    {
      what: 'a context beyond 4 KiB',
      send: get(KEY, { 'Quorate-Context': 'A'.repeat(4100) }),
      status: 400,
      code: 'bad-context',
    },
    { what: 'a cursor of noise', send: get('/v1/kv/hostile?cursor=bm9pc2U'), status: 400, code: 'bad-cursor' },
    { what: 'a limit of 0', send: get('/v1/kv/hostile?limit=0'), status: 400, code: 'bad-query' },
    { what: 'an unknown route', send: get('/v2/kv/hostile/key'), status: 404, code: 'unknown-route' },
    { what: 'a key with a bare slash', send: get('/v1/kv/hostile/a/b'), status: 404, code: 'unknown-route' },
    {
      what: 'a method that the route lacks',
      send: [http('POST', KEY)],
      status: 405,
      code: 'method-not-allowed',
      header: ['allow', /GET.*PUT|PUT.*GET/],
    },
    {
      what: 'a failed precondition',
      send: [http('PUT', `${KEY}-held`, { 'If-None-Match': '*' }, 'x')],
      status: 412,
      code: 'precondition-failed',
    },
    {
      what: 'a value that is announced too large',
      send: [
        `PUT ${KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: ${VALUE_BYTES_MAX + 1}\r\n\r\n`,
        Buffer.alloc(VALUE_BYTES_MAX + 1),
      ],
      status: 413,
      code: 'value-too-large',
    },
    {
      what: 'a value that is announced too large and waits',
      send: [
        `PUT ${KEY} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${VALUE_BYTES_MAX + 1}\r\n\r\n`,
      ],
      status: 413,
      code: 'value-too-large',
    },
    {
      what: 'chunks that never end',
      send: [
        `PUT ${KEY} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`,
        ...Array.from({ length: 20 }, () => chunk(64 * 1024)),
      ],
      status: 413,
      code: 'value-too-large',
    },
    { what: 'a key of 1025 bytes', send: get(`/v1/kv/hostile/${'k'.repeat(1025)}`), status: 414, code: 'key-too-long' },
    {
      what: 'a key of 342 characters of three bytes',
      send: get(`/v1/kv/hostile/${encodeURIComponent('€'.repeat(342))}`),
      status: 414,
      code: 'key-too-long',
    },
    { what: 'a bucket of 256 bytes', send: get(`/v1/kv/${'b'.repeat(256)}/key`), status: 414, code: 'key-too-long' },
    {
      what: 'a URL of 20 KiB',
      send: get(`/v1/kv/hostile/${'u'.repeat(20 * 1024)}`),
      status: 414,
      code: 'key-too-long',
    },
    {
      what: 'headers of 40 KiB',
      send: get(KEY, { Padding: 'h'.repeat(40 * 1024) }),
      status: 431,
      code: 'headers-too-large',
    },
    {
      what: 'a request line of 40 KiB',
      send: get(`/v1/kv/hostile/${'u'.repeat(40 * 1024)}`),
      status: 431,
      code: 'headers-too-large',
    },
    {
      what: 'metadata of 9 KiB',
      send: [http('PUT', KEY, { 'Quorate-Meta-A': 'm'.repeat(9 * 1024) }, 'x')],
      status: 431,
      code: 'meta-too-large',
    },
    {
      what: 'settings that are no JSON type',
      send: [http('PUT', '/v1/buckets/hostile2', { 'Content-Type': 'text/plain' }, '{}')],
      status: 415,
      code: 'unsupported-media-type',
    },
    {
      what: 'settings that are no JSON',
      send: [http('PUT', '/v1/buckets/hostile2', JSON_TYPE, '{')],
      status: 400,
      code: 'bad-body',
    },
    {
      what: 'an expectation that nobody has',
      send: [http('PUT', KEY, { Expect: 'miracles' }, 'x')],
      status: 417,
      code: 'expectation-failed',
    },
    {
      what: 'an unknown bucket property',
      send: [http('PUT', '/v1/buckets/hostile2', JSON_TYPE, '{"colour":"red"}')],
      status: 422,
      code: 'unknown-property',
    },
    {
      what: 'an impossible bucket quorum',
      send: [http('PUT', '/v1/buckets/hostile2', JSON_TYPE, '{"r":5}')],
      status: 400,
      code: 'bad-quorum',
    },
    {
      what: 'a prototype in JSON',
      send: [http('PUT', '/v1/buckets/hostile2', JSON_TYPE, '{"__proto__":{"n":1}}')],
      status: 400,
      code: 'bad-body',
    },
    {
      what: 'n of a bucket that holds keys',
      send: [http('PUT', '/v1/buckets/hostile', JSON_TYPE, '{"n":1}')],
      status: 409,
      code: 'bucket-fixed',
    },
    { what: 'the longest key, written', send: [http('PUT', longestPath, {}, 'x')], status: 201, code: null },
    { what: 'the longest key, read', send: get(longestPath), status: 200, code: null },
    { what: 'an empty value', send: [http('PUT', `${KEY}-empty`, {}, '')], status: 201, code: null },
    {
      what: 'headers that do not end',
      send: ['GET /healthz HTTP/1.1\r\nHost: x\r\nSlow: '],
      status: 408,
      code: 'slow-request',
      waitMs: HEADERS_WITHIN_MS + 5000,
    },
  ]
  if (slow === 'headers') return all
  const send = [`PUT ${KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc`]
  return [
    ...all,
    { what: 'a body that does not end', send, status: 408, code: 'slow-request', waitMs: REQUEST_WITHIN_MS + 5000 },
  ]
}

function chunk(size: number): Buffer {
  return Buffer.concat([Buffer.from(`${size.toString(16)}\r\n`), Buffer.alloc(size, 'c'), Buffer.from('\r\n')])
}

export async function hostileClients(
  cluster: Cluster,
  node: NodeProcess,
  verdict: Verdict,
  slow: 'headers' | 'all',
): Promise<void> {
  await cluster.http.call(node.url, 'PUT', `${KEY}-held`, { body: 'held' })
  const port = node.plan.clientPort
  // The slow ones take their time beside the others; those that depend on one another are in order.
  const patient = cases(slow).filter((each) => each.waitMs !== undefined)
  const waiting = Promise.all(patient.map((each) => one(port, each, verdict)))
  for (const each of cases(slow)) if (each.waitMs === undefined) await one(port, each, verdict)
  await alteredContexts(cluster, node, verdict)
  await siblingsBeyondTheLimit(cluster, node, verdict)
  await anotherBody(cluster, node, verdict)
  await waiting
}

async function one(port: number, { what, send, status, code, header, waitMs }: Case, verdict: Verdict): Promise<void> {
  const answer = parseResponse(
    await exchange(port, send, { untilResponse: true, ...(waitMs !== undefined && { waitMs }) }),
  )
  verdict.count('hostile requests')
  const got = `${answer.status} ${answer.body.slice(0, 200)}`
  if (!verdict.hold(answer.status === status, `${what}: wanted ${status}, got ${got}`)) return
  if (code !== null) isProblem(what, answer, code, verdict)
  if (header !== undefined) {
    verdict.hold(
      header[1].test(answer.headers.get(header[0]) ?? ''),
      `${what}: ${header[0]} is ${answer.headers.get(header[0])}`,
    )
  }
}

function isProblem(what: string, { status, headers, body }: RawResponse, code: string, verdict: Verdict): void {
  let problem: Record<string, unknown> = {}
  try {
    problem = JSON.parse(body) as Record<string, unknown>
  } catch {
    // It stays empty, and is no problem.
  }
  const holds =
    headers.get('content-type') === 'application/problem+json' &&
    problem['type'] === `urn:quorate:error:${code}` &&
    problem['code'] === code &&
    problem['status'] === status &&
    typeof problem['title'] === 'string' &&
    typeof problem['detail'] === 'string'
  verdict.hold(holds, `${what}: not the problem ${code}: ${headers.get('content-type')} ${body.slice(0, 200)}`)
}

/** One character changed at every position, one cut off, one added, and the context of another key. */
async function alteredContexts(cluster: Cluster, node: NodeProcess, verdict: Verdict): Promise<void> {
  const path = kvPath('hostile', 'sealed')
  const put = await cluster.http.call(node.url, 'PUT', path, { body: 'first' })
  const other = await cluster.http.call(node.url, 'PUT', kvPath('hostile', 'sealed2'), { body: 'first' })
  const context = put.headers['quorate-context'] ?? ''
  const altered = Array.from(context, (character, place) => {
    const another = character === 'A' ? 'B' : 'A'
    return context.slice(0, place) + another + context.slice(place + 1)
  })
  altered.push(context.slice(0, -1), `${context}A`, `${context}AA`, other.headers['quorate-context'] ?? '')
  for (const text of altered) {
    for (const method of ['PUT', 'GET'] as const) {
      const headers = { 'quorate-context': text }
      const answer = await cluster.http.call(node.url, method, path, {
        headers,
        ...(method === 'PUT' && { body: 'forged' }),
      })
      verdict.count('altered contexts')
      verdict.hold(answer.status === 400, `${method} with an altered context ${text} (of ${context}): ${answer.status}`)
    }
  }
  const read = await cluster.http.call(node.url, 'GET', path)
  verdict.hold(
    read.status === 200 && read.body.toString() === 'first',
    `after altered contexts: ${read.status} ${read.body.toString()}`,
  )
}

async function siblingsBeyondTheLimit(cluster: Cluster, node: NodeProcess, verdict: Verdict): Promise<void> {
  const path = kvPath('hostile', 'crowded')
  const statuses: number[] = []
  for (let i = 0; i < 105; i++)
    statuses.push((await cluster.http.call(node.url, 'PUT', path, { body: String(i) })).status)
  verdict.hold(
    statuses.slice(0, 100).every((status) => status < 300),
    `the first 100 siblings: ${statuses.join()}`,
  )
  verdict.hold(
    statuses.slice(100).every((status) => status === 409),
    `siblings beyond 100: ${statuses.slice(100).join()}`,
  )
}

async function anotherBody(cluster: Cluster, node: NodeProcess, verdict: Verdict): Promise<void> {
  const path = kvPath('hostile', 'idempotent')
  const headers = { 'idempotency-key': '"the same"' }
  await cluster.http.call(node.url, 'PUT', path, { headers, body: 'one' })
  const again = await cluster.http.call(node.url, 'PUT', path, { headers, body: 'another' })
  verdict.hold(again.status === 422, `another body under an idempotency key: ${again.status} ${again.body.toString()}`)
}
