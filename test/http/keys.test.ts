// The routes of one key, over a node in one Map: what goes in comes out, and every outcome has its answer.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FastifyInstance } from 'fastify'
import { EMPTY_CONTEXT } from '../../src/core/causality/context-token.ts'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import type { Failure } from '../../src/coordinator/operations.ts'
import { QuorateError } from '../../src/errors.ts'
import { buildHttpApp } from '../../src/http/app.ts'
import { FakeNode } from './fake-node.ts'

const URL = '/v1/kv/b/k'
let node: FakeNode
let app: FastifyInstance

beforeEach(async () => {
  node = new FakeNode()
  app = await buildHttpApp({ node, logger: null })
})
afterEach(async () => await app.close())

type Headers = Record<string, string>
type Answer = Awaited<ReturnType<typeof put>>
const put = (payload: string | Buffer, headers: Headers = {}, url = URL) =>
  app.inject({ method: 'PUT', url, payload, headers })
const get = (headers: Headers = {}, url = URL) => app.inject({ method: 'GET', url, headers })
const remove = (headers: Headers = {}, url = URL) => app.inject({ method: 'DELETE', url, headers })
const header = (answer: Answer, name: string): string => String(answer.headers[name])
const problem = (answer: Answer): Record<string, unknown> => {
  expect(header(answer, 'content-type')).toBe('application/problem+json')
  expect(header(answer, 'cache-control')).toBe('no-store')
  const body = answer.json<Record<string, unknown>>()
  expect(body).toMatchObject({ type: `urn:quorate:error:${String(body['code'])}`, status: answer.statusCode })
  expect(Object.keys(body).slice(0, 5)).toEqual(['type', 'title', 'status', 'detail', 'code'])
  return body
}

describe('values', () => {
  test('come back byte for byte, of any type, with their metadata', async () => {
    const bytes = Buffer.from([0, 255, 128, 10, 13, 0xc3])
    for (const type of ['application/json', 'text/plain; charset=latin1', 'nonsense', 'x/y;;;', undefined]) {
      const stored = await put(
        bytes,
        { ...(type && { 'content-type': type }), 'Quorate-Meta-Colour': 'deep blue' },
        `/v1/kv/b/${String(type).length}`,
      )
      expect(stored.statusCode).toBe(201)
      const found = await get({}, `/v1/kv/b/${String(type).length}`)
      expect(found.statusCode).toBe(200)
      expect(found.rawPayload).toEqual(bytes)
      expect(found.headers['content-type']).toBe(type ?? 'application/octet-stream')
      expect(found.headers['quorate-meta-colour']).toBe('deep blue')
      expect(found.headers['content-length']).toBe('6')
    }
  })
  test('may be empty, and HEAD says what GET would', async () => {
    expect((await put('')).statusCode).toBe(201)
    expect((await put('abc', { 'quorate-context': 'latest' })).statusCode).toBe(204)
    const head = await app.inject({ method: 'HEAD', url: URL })
    const found = await get()
    expect(head.body).toBe('')
    expect(head.headers['content-length']).toBe('3')
    const { date: _a, ...headHeaders } = head.headers
    const { date: _b, ...getHeaders } = found.headers
    expect(headHeaders).toEqual(getHeaders)
    expect((await put('', { 'quorate-context': 'latest' })).statusCode).toBe(204)
    expect((await get()).rawPayload).toHaveLength(0)
  })
  test('up to the limit, not beyond it', async () => {
    expect((await put(Buffer.alloc(1024 * 1024))).statusCode).toBe(201)
    const tooLarge = await put(Buffer.alloc(1024 * 1024 + 1))
    expect(tooLarge.statusCode).toBe(413)
    expect(problem(tooLarge)['code']).toBe('value-too-large')
  })
  test('a Range is ignored', async () => {
    await put('0123456789')
    const found = await get({ range: 'bytes=0-1' })
    expect([found.statusCode, found.body]).toEqual([200, '0123456789'])
  })
})

describe('PUT', () => {
  test('answers 201, then 204, with context, version, siblings, tag and receipt; no X- header', async () => {
    const first = await put('a')
    expect(first.statusCode).toBe(201)
    expect(first.headers['quorate-receipt']).toBe(
      `n=3, required=2, replied=3, hinted=0, durable=3, guarantee="strict", node="node-0", ring=17`,
    )
    expect(first.headers['quorate-siblings']).toBe('1')
    expect(first.headers['quorate-version']).toBe('0123456789abcdef-1')
    expect(first.headers['etag']).toBe('"0123456789abcdef-1"')
    const second = await put('b', { 'quorate-context': header(first, 'quorate-context') })
    expect(second.statusCode).toBe(204)
    expect((await get()).body).toBe('b')
    for (const name of Object.keys({ ...first.headers, ...second.headers })) expect(name).not.toMatch(/^x-/)
  })
  test('passes levels, sloppiness, time-out, time to live, idempotency key and trace on', async () => {
    const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    await put('a', {
      'quorate-r': 'one',
      'quorate-w': '3',
      'quorate-sloppy': '?0',
      'quorate-timeout': '250',
      'quorate-ttl': '1.5',
      'idempotency-key': '"a \\"b\\""',
      traceparent: trace,
    })
    expect(node.asked[0]).toMatchObject({
      r: 'one',
      w: 3,
      sloppy: false,
      timeoutMs: 250,
      ttlMs: 1500,
      idempotencyKey: 'a "b"',
      trace,
    })
    await put('a')
    expect(Object.keys(node.asked[0] ?? {}).sort()).toEqual(['bucket', 'content', 'key', 'timeoutMs', 'trace'])
    expect((await get()).headers['quorate-expires']).toBeUndefined()
  })
  test('expiry is told as RFC 3339', async () => {
    await put('a', { 'quorate-ttl': '60' })
    expect((await get()).headers['quorate-expires']).toBe('2030-01-02T03:05:05.678Z')
  })
  test('preconditions', async () => {
    expect((await put('a', { 'if-match': '*' })).statusCode).toBe(412)
    expect((await put('a', { 'if-none-match': '*' })).statusCode).toBe(201)
    const failed = await put('b', { 'if-none-match': '*' })
    expect([failed.statusCode, problem(failed)['code']]).toEqual([412, 'precondition-failed'])
    const etag = header(failed, 'etag')
    expect((await put('b', { 'if-match': `W/${etag}` })).statusCode).toBe(412)
    expect((await put('b', { 'if-match': `"other", ${etag}` })).statusCode).toBe(204)
    expect((await remove({ 'if-match': etag })).statusCode).toBe(412)
    for (const bad of ['abc', '"a" "b"', '""x', '"a', ' ', ',']) {
      expect(problem(await put('b', { 'if-match': bad }))['code'], bad).toBe('bad-header')
    }
    expect((await put('b', { 'if-none-match': etag })).statusCode).toBe(400)
    expect((await put('b', { 'if-unmodified-since': new Date().toUTCString() })).statusCode).toBe(400)
    expect((await put('b', { 'if-none-match': '*', 'if-match': '*' })).statusCode).toBe(400)
  })
  test('the same idempotency key is the same write', async () => {
    const first = await put('a', { 'idempotency-key': 'one' })
    const again = await put('a', { 'idempotency-key': '"one"' })
    expect([again.statusCode, header(again, 'quorate-version')]).toEqual([201, header(first, 'quorate-version')])
    const other = await put('b', { 'idempotency-key': 'one' })
    expect([other.statusCode, problem(other)['code']]).toEqual([422, 'idempotency-mismatch'])
  })
  test('return=representation shows what is stored now', async () => {
    const first = await put('a', { prefer: 'respond-async, return=representation', 'content-type': 'text/plain' })
    expect([first.statusCode, first.body]).toEqual([200, 'a'])
    expect(first.headers['preference-applied']).toBe('return=representation')
    expect(first.headers['content-type']).toBe('text/plain')
    const second = await put('b', { prefer: 'return=representation' })
    expect(second.statusCode).toBe(200)
    expect(second.json<{ siblings: unknown[] }>().siblings).toHaveLength(2)
    expect(second.headers['quorate-siblings']).toBe('2')
    expect(second.headers['etag']).toBeUndefined()
    expect((await put('c', { prefer: 'return=minimal' })).statusCode).toBe(204)
    for (const [prefer, status] of [
      ['foo="x, return=representation"', 204],
      ['foo="\\", return=representation', 204],
      ['foo="return=representation"', 204],
      ['return=minimal, return=representation', 204],
      ['xreturn=representation', 204],
      ['return=representations', 204],
      ['return', 204],
      ['return="representation"', 300],
      ['Return = Representation ; x="a,b", foo', 300],
      ['foo="x, y", return=representation', 300],
    ] as const)
      expect((await put('d', { prefer })).statusCode === 204 ? 204 : 300, prefer).toBe(status)
  })
  test('malformed headers are 400, unknown ones are ignored', async () => {
    const bad: [string, string, string][] = [
      ['quorate-r', 'two', 'bad-header'],
      ['quorate-r', '2.0', 'bad-header'],
      ['quorate-r', '2;a=1', 'bad-header'],
      ['quorate-w', '0', 'bad-quorum'],
      ['quorate-w', '-1', 'bad-quorum'],
      ['quorate-w', '4', 'bad-quorum'],
      ['quorate-sloppy', '1', 'bad-header'],
      ['quorate-sloppy', 'true', 'bad-header'],
      ['quorate-timeout', '0', 'bad-header'],
      ['quorate-timeout', '60001', 'bad-header'],
      ['quorate-ttl', '0', 'bad-header'],
      ['quorate-ttl', '-1', 'bad-header'],
      ['quorate-ttl', '1e3', 'bad-header'],
      ['quorate-ttl', '999999999999', 'bad-header'],
      ['idempotency-key', '', 'bad-header'],
      ['idempotency-key', 'x'.repeat(65), 'bad-header'],
      ['idempotency-key', '"unclosed', 'bad-header'],
      ['idempotency-key', 'a, b', 'bad-header'],
      ['quorate-context', '', 'bad-context'],
      ['quorate-context', 'not sealed!', 'bad-context'],
      ['quorate-context', 'QUJD', 'bad-context'],
      ['quorate-context', 'A'.repeat(4097), 'bad-context'],
    ]
    for (const [name, value, code] of bad) {
      const answer = await put('x', { [name]: value })
      expect([answer.statusCode, problem(answer)['code']], `${name}: ${value}`).toEqual([400, code])
      expect(answer.headers['quorate-receipt']).toMatch(/^n=3, required=/)
    }
    expect((await put('x', { 'quorate-colour': 'red', 'quorate-meta-': '' })).statusCode).toBe(400)
    expect((await put('x', { 'quorate-colour': 'red', 'idempotency-key': 'y'.repeat(64) })).statusCode).toBe(201)
  })
  test('metadata beyond 8 KiB is 431', async () => {
    expect((await put('x', { 'quorate-meta-a': 'x'.repeat(8191) })).statusCode).toBe(201)
    const more = await put('x', { 'quorate-meta-a': 'x'.repeat(8000), 'quorate-meta-b': 'x'.repeat(200) })
    expect([more.statusCode, problem(more)['code']]).toEqual([431, 'meta-too-large'])
  })
})

describe('contexts', () => {
  test('of another key, another bucket, another cluster or altered are refused', async () => {
    const token = header(await put('a'), 'quorate-context')
    expect((await put('a', { 'quorate-context': token }, '/v1/kv/b/other')).statusCode).toBe(400)
    expect((await put('a', { 'quorate-context': token }, '/v1/kv/c/k')).statusCode).toBe(400)
    const altered = (token.startsWith('A') ? 'B' : 'A') + token.slice(1)
    expect((await put('a', { 'quorate-context': altered })).statusCode).toBe(400)
    expect((await get({ 'quorate-context': token })).statusCode).toBe(200)
    expect((await get({ 'quorate-context': 'latest' })).statusCode).toBe(400)
    node.clusterId = 'another'
    expect((await put('a', { 'quorate-context': token })).statusCode).toBe(400)
    expect(node.asked).toHaveLength(2)
  })
  test('no two (bucket, key) share a scope', async () => {
    const token = header(await put('a', {}, '/v1/kv/a/b%0Ac'), 'quorate-context')
    expect((await put('a', { 'quorate-context': token }, '/v1/kv/a%0Ab/c')).statusCode).toBe(400)
    expect((await put('a', { 'quorate-context': token }, '/v1/kv/a/b%0Ac')).statusCode).toBe(204)
  })
  test('that would not fit are 409', async () => {
    const seen = DotSet.empty()
    for (let i = 0; i < 400; i++) seen.add({ life: i.toString(16).padStart(16, '0'), counter: 7 })
    node.nextGet = { type: 'not-found', context: { ...EMPTY_CONTEXT, seen }, receipt: node.receipt() }
    const answer = await get()
    expect([answer.statusCode, problem(answer)['code']]).toEqual([409, 'context-too-large'])
  })
})

describe('GET', () => {
  test('answers siblings as 300, and each by its name', async () => {
    await put('text', { 'quorate-meta-a': '1', 'content-type': 'text/plain' })
    await put(Buffer.from([255, 254]), { 'quorate-ttl': '9' })
    const answer = await get()
    expect(answer.statusCode).toBe(300)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(answer.headers['quorate-siblings']).toBe('2')
    expect(answer.body.endsWith('}\n')).toBe(true)
    expect(answer.json()).toEqual({
      context: header(answer, 'quorate-context'),
      siblings: [
        {
          version: '0123456789abcdef-1',
          href: '/v1/kv/b/k?sibling=0123456789abcdef-1',
          contentType: 'text/plain',
          lastModified: '2030-01-02T03:04:05.678Z',
          meta: { a: '1' },
          text: 'text',
        },
        {
          version: '0123456789abcdef-2',
          href: '/v1/kv/b/k?sibling=0123456789abcdef-2',
          contentType: 'application/octet-stream',
          lastModified: '2030-01-02T03:04:05.678Z',
          expires: '2030-01-02T03:04:14.678Z',
          meta: {},
          base64: '//4=',
        },
      ],
    })
    const one = await get({}, `${URL}?sibling=0123456789abcdef-2`)
    expect([one.statusCode, [...one.rawPayload], one.headers['quorate-context']]).toEqual([
      200,
      [255, 254],
      answer.headers['quorate-context'],
    ])
    expect((await get({}, `${URL}?sibling=0123456789abcdef-9`)).statusCode).toBe(404)
    // Conditions count only where the answer would be a 200.
    expect((await get({ 'if-none-match': header(answer, 'etag') })).statusCode).toBe(300)
    expect(
      (await put('merged', { 'quorate-context': header(answer, 'quorate-context') })).headers['quorate-siblings'],
    ).toBe('1')
    expect((await get()).body).toBe('merged')
  })
  test('leaves values out beyond 1 MiB in all', async () => {
    for (const size of [600_000, 600_000, 400_000]) await put(Buffer.alloc(size, 'x'))
    const { siblings } = (await get()).json<{ siblings: { text?: string }[] }>()
    expect(siblings.map((sibling) => sibling.text?.length)).toEqual([600_000, undefined, 400_000])
  })
  test('conditional requests', async () => {
    await put('a')
    const found = await get()
    const etag = header(found, 'etag')
    const date = header(found, 'last-modified')
    expect(date).toBe('Wed, 02 Jan 2030 03:04:05 GMT')
    for (const [headers, context] of [
      [{ 'if-none-match': etag }, found.headers['quorate-context']],
      [{ 'if-none-match': `"x", W/${etag}` }, found.headers['quorate-context']],
      [{ 'if-none-match': etag, 'if-modified-since': date }, found.headers['quorate-context']],
      // These do not say what the client holds.
      [{ 'if-none-match': '*' }, undefined],
      [{ 'if-modified-since': date }, undefined],
    ] as const) {
      const answer = await get(headers)
      expect([answer.statusCode, answer.body, answer.headers['etag']], JSON.stringify(headers)).toEqual([304, '', etag])
      expect(answer.headers['quorate-context'], JSON.stringify(headers)).toBe(context)
      expect(answer.headers['content-length']).toBeUndefined()
    }
    expect((await get({ 'if-none-match': '"x"', 'if-modified-since': date })).statusCode).toBe(200)
    expect((await get({ 'if-modified-since': 'Wed, 02 Jan 2030 03:04:04 GMT' })).statusCode).toBe(200)
    expect((await get({ 'if-modified-since': 'yesterday' })).statusCode).toBe(200)
    expect((await get({ 'if-match': '"x"' })).statusCode).toBe(412)
    expect((await get({ 'if-match': etag })).statusCode).toBe(200)
    expect((await get({ 'if-none-match': 'x' })).statusCode).toBe(400)
  })
  test('a date within whose second there was another write brings no context of it', async () => {
    await put('a')
    const date = header(await get(), 'last-modified')
    await put('b', { 'quorate-context': 'latest' })
    const unseen = await get({ 'if-modified-since': date })
    expect([unseen.statusCode, unseen.headers['quorate-context']]).toEqual([304, undefined])
  })
  test('an answer that shows nothing of what is there brings no context of it', async () => {
    await put('a')
    for (const [headers, url, status] of [
      [{ 'if-match': '"x"' }, URL, 412],
      [{ 'if-none-match': 'x' }, URL, 400],
      [{}, `${URL}?sibling=x`, 404],
    ] as const) {
      const answer = await get(headers, url)
      expect(answer.statusCode).toBe(status)
      expect(answer.headers['etag']).toBe(status === 412 ? '"0123456789abcdef-1"' : undefined)
      for (const name of ['quorate-context', 'quorate-siblings', 'last-modified'])
        expect(answer.headers[name], `${status} ${name}`).toBeUndefined()
    }
  })
  test('404 carries a receipt, and a context where a deletion is known', async () => {
    const never = await get()
    expect([never.statusCode, problem(never)['code'], never.headers['quorate-context']]).toEqual([
      404,
      'not-found',
      undefined,
    ])
    expect(never.headers['quorate-receipt']).toContain('n=3')
    await put('a')
    await remove()
    const gone = await get()
    expect([gone.statusCode, typeof gone.headers['quorate-context']]).toEqual([404, 'string'])
  })
  test('explain lists the replicas', async () => {
    await put('a')
    const answer = await get({}, `${URL}?explain=1`)
    expect(answer.headers['quorate-explain']).toMatch(
      /^"node-0";role="home";answer="stored";versions="[^"]*";ms=0.25, "node-1"/,
    )
    expect((await get({}, `${URL}?explain=0`)).headers['quorate-explain']).toBeUndefined()
    expect((await get({}, `${URL}?explain=yes`)).statusCode).toBe(400)
    node.nextGet = {
      type: 'not-found',
      context: null,
      receipt: node.receipt(),
      explain: Array.from({ length: 90 }, (_, i) => ({
        node: `node-${i}`,
        role: 'home',
        answer: 'same',
        versions: ['x'.repeat(40)],
        elapsedMs: 1,
      })),
    }
    expect(header(await get({}, `${URL}?explain=1`), 'quorate-explain').length).toBeLessThanOrEqual(4096)
    node.nextGet = { ...node.nextGet, explain: [] }
    expect((await get({}, `${URL}?explain=1`)).headers).not.toHaveProperty('quorate-explain')
  })
  test('explain lists who has not answered, too', async () => {
    const replicas = [
      { node: 'node-0', answer: 'in-flight' },
      { node: 'node-1', answer: 'in-flight' },
      { node: 'node-2', answer: 'unreachable' },
      { node: 'node-3', answer: 'acknowledged' },
    ]
    // Of its first round, a read.
    const before = { node: 'node-0', role: 'home', answer: 'same', versions: [], elapsedMs: 1 } as const
    const noted = { node: 'node-2', role: 'home', answer: 'unreachable', versions: [], elapsedMs: 0 } as const
    const lost = { type: 'quorum-not-met', required: 2, acknowledged: 1, replicas, outcome: 'unknown' } as const
    node.nextPut = { ...lost, operation: 'write', receipt: node.receipt(), explain: [before, noted] }
    const place = node.place.bind(node)
    node.place = (bucket, key) => ({ ...place(bucket, key), fallbacks: ['node-1'] })
    expect(header(await put('a', {}, `${URL}?explain=1`), 'quorate-explain')).toBe(
      [
        '"node-0";role="home";answer="same";versions="";ms=1',
        '"node-2";role="home";answer="unreachable";versions="";ms=0',
        '"node-0";role="home";answer="in-flight";versions=""',
        '"node-1";role="fallback";answer="in-flight";versions=""',
      ].join(', '),
    )
    expect((await put('a')).headers).toHaveProperty('quorate-explain')
  })
})

describe('DELETE', () => {
  test('is idempotent and says what it superseded', async () => {
    await put('a')
    await put('b')
    const deleted = await remove()
    expect([deleted.statusCode, deleted.body]).toEqual([204, ''])
    expect(deleted.headers['quorate-receipt']).toMatch(/, superseded=2$/)
    const again = await remove()
    expect([again.statusCode, again.headers['quorate-version']]).toEqual([204, undefined])
    expect(again.headers['quorate-receipt']).toMatch(/, superseded=0$/)
  })
  test('leaves what its context had not seen', async () => {
    const first = await put('a')
    await put('b')
    await remove({ 'quorate-context': header(first, 'quorate-context') })
    expect((await get()).body).toBe('b')
  })
})

test('writes take no ?sibling: it would not be what they supersede', async () => {
  await put('a')
  await put('b')
  const { length } = node.asked
  for (const query of ['sibling=0123456789abcdef-1', 'sibling=', 'explain=1&sibling=x', 'sibling=x&sibling=y'])
    for (const answer of [await put('c', {}, `${URL}?${query}`), await remove({}, `${URL}?${query}`)])
      expect([answer.statusCode, problem(answer)['code']], query).toEqual([400, 'bad-query'])
  expect(node.asked).toHaveLength(length)
  expect((await put('c', {}, `${URL}?explain=1`)).statusCode).toBe(204)
})

describe('failures', () => {
  const receipt = (): Pick<Failure, 'receipt'> => ({ receipt: node.receipt({ replied: 1, guarantee: 'eventual' }) })
  const unmet = (outcome: 'unknown' | 'not-applied'): Failure => ({
    type: 'quorum-not-met',
    operation: 'write',
    required: 2,
    acknowledged: 1,
    replicas: [{ node: 'node-1', answer: 'unreachable' }],
    outcome,
    ...receipt(),
  })
  test('each has its status, its problem and its receipt', async () => {
    const expected: [Failure, number, string | undefined][] = [
      [{ type: 'bad-quorum', detail: 'W=4 of 3', ...receipt() }, 400, undefined],
      [unmet('unknown'), 503, undefined],
      [unmet('not-applied'), 503, '1'],
      [{ type: 'context-not-reached', ...receipt() }, 503, undefined],
      [{ type: 'precondition-failed', etag: 'x', ...receipt() }, 412, undefined],
      [{ type: 'too-many-siblings', ...receipt() }, 409, undefined],
      [{ type: 'idempotency-mismatch', ...receipt() }, 422, undefined],
      [{ type: 'context-too-large', ...receipt() }, 409, undefined],
      [{ type: 'storage-full', ...receipt() }, 507, undefined],
      [{ type: 'clock-ahead', ...receipt() }, 503, '1'],
      [{ type: 'not-serving', detail: 'draining', ...receipt() }, 503, '1'],
    ]
    for (const [failure, status, retryAfter] of expected) {
      node.nextPut = failure
      node.nextGet = failure
      node.nextDelete = failure
      for (const answer of [await put('x'), await get(), await remove()]) {
        expect([answer.statusCode, answer.headers['retry-after']], failure.type).toEqual([status, retryAfter])
        expect(problem(answer)['code']).toBe(failure.type === 'not-serving' ? 'not-ready' : failure.type)
        expect(answer.headers['quorate-receipt']).toContain('replied=1')
      }
    }
    node.nextPut = unmet('unknown')
    expect(problem(await put('x'))).toMatchObject({
      required: 2,
      acknowledged: 1,
      outcome: 'unknown',
      replicas: [{ node: 'node-1', answer: 'unreachable' }],
    })
  })
  test('what was not waited for did not come late', async () => {
    const lost = unmet('unknown')
    if (lost.type !== 'quorum-not-met') throw new Error('it is')
    for (const [others, words] of [
      [['unreachable', 'complete'], '1 of 2 required answers could be had; no other replica can be asked'],
      [['unreachable', 'refused:not-serving'], '1 of 2 required answers could be had; no other replica can be asked'],
      [['in-flight', 'complete'], '1 of 2 required answers came in time'],
      [['failed', 'unreachable'], '1 of 2 required answers came in time'],
    ] as const) {
      const replicas = others.map((answer, i) => ({ node: `node-${i}`, answer }))
      node.nextGet = { ...lost, operation: 'read', outcome: 'not-applied', replicas }
      expect(problem(await get())['detail']).toBe(words)
    }
  })
  test('not ready is 503 with Retry-After and asks nobody', async () => {
    node.ready = { ready: false, reason: 'joining' }
    for (const answer of [await put('x'), await get(), await remove(), await get({}, '/v1/kv/b')]) {
      expect([answer.statusCode, answer.headers['retry-after'], problem(answer)['reason']]).toEqual([
        503,
        '1',
        'joining',
      ])
    }
    expect(node.asked).toHaveLength(0)
  })
  test('a refusal that can claim nothing says so in its receipt', async () => {
    const nothing = 'n=0, required=0, replied=0, hinted=0, durable=0, guarantee="eventual", node="node-0", ring=0'
    const refused = [
      await get({}, '/v1/kv/b/'),
      await put('x', {}, '/v1/kv//k'),
      await get({}, '/v1/kv/b/%zz'),
      await get({}, `/v1/kv/b/${'x'.repeat(1025)}`),
      await app.inject({ method: 'POST', url: `/v1/kv/b/${'x'.repeat(1025)}` }),
    ]
    node.ready = { ready: false, reason: 'joining' }
    refused.push(await get(), await put('x'), await remove(), await app.inject({ method: 'POST', url: URL }))
    node.ready = { ready: true }
    node.throwNext = new Error('a defect')
    refused.push(await get())
    expect(refused.map((answer) => answer.statusCode)).toEqual([400, 400, 400, 414, 405, 503, 503, 503, 405, 500])
    for (const answer of refused) expect(answer.headers['quorate-receipt'], answer.body).toBe(nothing)
    for (const url of ['/v1/kv/b', '/v1/kv/%zz', '/v1/ring/b/..'])
      expect((await get({}, url)).headers['quorate-receipt'], url).toBeUndefined()
  })
  test('a defect is 500 without its message; coded errors are not', async () => {
    node.throwNext = new Error('secret detail')
    const defect = await get()
    expect([defect.statusCode, defect.body.includes('secret')]).toEqual([500, false])
    node.throwNext = new QuorateError('closed', 'shutting down')
    expect((await get()).statusCode).toBe(503)
    node.throwNext = new QuorateError('storage-full', 'full')
    expect((await put('x')).statusCode).toBe(507)
  })
})
