// Over a real socket: paths, headers and bodies that no client library would send.

import { afterEach, beforeEach, expect, test } from 'vitest'
import fc from 'fast-check'
import { createHttpServer, type HttpServer } from '../../src/http/server.ts'
import { bodyOf, exchange, halfClosed, isWhole, statusOf } from './exchange.ts'
import { FakeNode } from './fake-node.ts'

let node: FakeNode
let server: HttpServer

beforeEach(async () => {
  node = new FakeNode()
  const limits = { valueBytesMax: 4096, requestTimeoutMs: 600, headersTimeoutMs: 300 }
  server = await createHttpServer({ node, host: '127.0.0.1', port: 0, logger: null, limits })
})
afterEach(async () => await server.close())

const request = (method: string, target: string, headers: readonly string[] = [], body = ''): string =>
  [`${method} ${target} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', body].join('\r\n')

const NOTHING = 'n=0, required=0, replied=0, hinted=0, durable=0, guarantee="eventual", node="node-0", ring=0'

const codeOf = (text: string): unknown => {
  expect(text).toMatch(/\r\ncontent-type: application\/problem\+json\r\n/i)
  const problem = JSON.parse(bodyOf(text)) as Record<string, unknown>
  expect(problem).toMatchObject({ status: statusOf(text), type: `urn:quorate:error:${String(problem['code'])}` })
  return problem['code']
}

test('a key of any UTF-8 comes back under every way to spell it', async () => {
  const encodeAll = (text: string): string =>
    [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
  const anyKey = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 200 })
    .filter((key) => key.isWellFormed() && key !== '.' && key !== '..')
  await fc.assert(
    fc.asyncProperty(anyKey, async (key) => {
      for (const spelled of [encodeURIComponent(key), encodeAll(key)]) {
        const text = await exchange(server.port, request('GET', `/v1/kv/b/${spelled}`))
        expect(statusOf(text)).toBe(404)
        expect(node.asked[0]).toMatchObject({ bucket: 'b', key })
      }
    }),
    { numRuns: 150 },
  )
})

test('raw bytes beyond ASCII in a path are no request', async () => {
  for (const target of ['/v1/kv/b/gr\xc3\xbc\xc3\x9fe', '/v1/kv/b/\xff', '/v1/kv/b/a b']) {
    expect(codeOf(await exchange(server.port, request('GET', target)))).toBe('bad-request')
  }
})

test('absolute form, encoded slash, plus, semicolon, percent', async () => {
  for (const [target, key] of [
    ['http://127.0.0.1:1/v1/kv/b/abs', 'abs'],
    ['/v1/kv/b/a%2Fb', 'a/b'],
    ['/v1/kv/b/a+b;c=1&d', 'a+b;c=1&d'],
    ['/v1/kv/b/%2541', '%41'],
    ['/v1/kv/b/...', '...'],
    ['/v1/kv/b/%00', '\0'],
    ['/v1/kv/b/a#b', 'a#b'],
  ] as const) {
    expect(statusOf(await exchange(server.port, request('GET', target))), target).toBe(404)
    expect(node.asked[0], target).toMatchObject({ bucket: 'b', key })
  }
})

test('names that cannot be are refused', async () => {
  const refused: [string, number, string][] = [
    ['/v1/kv/b/.', 400, 'bad-key'],
    ['/v1/kv/b/..', 400, 'bad-key'],
    ['/v1/kv/b/%2E', 400, 'bad-key'],
    ['/v1/kv/b/%2e%2E', 400, 'bad-key'],
    ['/v1/kv/../k', 400, 'bad-key'],
    ['/v1/ring/b/..', 400, 'bad-key'],
    ['/v1/buckets/..', 400, 'bad-key'],
    ['/v1/kv/b/%', 400, 'bad-url'],
    ['/v1/kv/b/%4', 400, 'bad-url'],
    ['/v1/kv/b/%zz', 400, 'bad-url'],
    ['/v1/kv/b/%ff', 400, 'bad-url'],
    ['/v1/kv/b/%ed%a0%80', 400, 'bad-url'],
    ['/v1/kv/b/%c0%af', 400, 'bad-url'],
    [`/v1/kv/b/${'%61'.repeat(1025)}`, 414, 'key-too-long'],
    [`/v1/kv/b/${'%C3%A4'.repeat(513)}`, 414, 'key-too-long'],
    [`/v1/kv/${'a'.repeat(256)}/k`, 414, 'key-too-long'],
  ]
  for (const [target, status, code] of refused) {
    const text = await exchange(server.port, request('GET', target))
    expect([statusOf(text), codeOf(text)], target.slice(0, 40)).toEqual([status, code])
    const receipt = /\r\nquorate-receipt: ([^\r]*)/.exec(text)?.[1]
    expect(receipt, target.slice(0, 40)).toBe(/^\/v1\/kv\/[^/]+\/[^/]+$/.test(target) ? NOTHING : undefined)
  }
  expect(node.asked).toHaveLength(0)
  for (const target of [
    `/v1/kv/b/${'%61'.repeat(1024)}`,
    `/v1/kv/${'%C3%A4'.repeat(127)}a/${'%F0%9F%98%80'.repeat(256)}`,
  ]) {
    expect(statusOf(await exchange(server.port, request('GET', target)))).toBe(404)
  }
})

test('what is not HTTP is 400, too much of it 431, each a problem', async () => {
  for (const bytes of [
    'nonsense\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    request('GET', '/', ['bad header']),
    request('GET', '/', ['A: \x01']),
    '\x16\x03\x01\x02\x00\x01\x00\x01',
  ]) {
    const text = await exchange(server.port, bytes)
    expect([statusOf(text), codeOf(text)], JSON.stringify(bytes)).toEqual([400, 'bad-request'])
  }
  const large = await exchange(server.port, request('GET', '/v1/kv/b/k', [`A: ${'x'.repeat(70_000)}`]))
  expect([statusOf(large), codeOf(large)]).toEqual([431, 'headers-too-large'])
  const hostless = await exchange(server.port, 'GET /v1/kv/b/k HTTP/1.1\r\nConnection: close\r\n\r\n')
  expect([statusOf(hostless), codeOf(hostless)]).toEqual([400, 'bad-request'])
  const expectation = await exchange(
    server.port,
    request('PUT', '/v1/kv/b/k', ['Expect: tea', 'Content-Length: 1'], 'x'),
  )
  expect([statusOf(expectation), codeOf(expectation)]).toEqual([417, 'expectation-failed'])
  expect(node.asked).toHaveLength(0)
})

test('only complete bodies are acted upon', async () => {
  const chunked = ['Transfer-Encoding: chunked']
  expect(statusOf(await exchange(server.port, request('PUT', '/v1/kv/b/k', chunked, '3\r\nabc\r\n0\r\n\r\n')))).toBe(
    201,
  )
  expect(statusOf(await exchange(server.port, request('PUT', '/v1/kv/b/e', chunked, '0\r\n\r\n')))).toBe(201)
  expect(statusOf(await exchange(server.port, request('PUT', '/v1/kv/b/e2', ['Content-Length: 0'])))).toBe(201)
  expect(statusOf(await exchange(server.port, request('PUT', '/v1/kv/b/e3')))).toBe(201)
  const asked = node.asked.length
  expect(codeOf(await exchange(server.port, request('PUT', '/v1/kv/b/k', chunked, '3\r\nabc\r\nzz\r\n')))).toBe(
    'bad-request',
  )
  expect(
    codeOf(
      await exchange(server.port, request('PUT', '/v1/kv/b/k', ['Transfer-Encoding: chunked, nonsense'], '0\r\n\r\n')),
    ),
  ).toBe('bad-request')
  expect(
    codeOf(await exchange(server.port, request('PUT', '/v1/kv/b/k', ['Content-Length: 3', ...chunked], '0\r\n\r\n'))),
  ).toBe('bad-request')
  expect(codeOf(await exchange(server.port, request('PUT', '/v1/kv/b/k', ['Content-Length: -1'], 'x')))).toBe(
    'bad-request',
  )
  for (const [header, body] of [
    ['Content-Length: 4097', 'x'.repeat(4097)],
    ['Transfer-Encoding: chunked', `1388\r\n${'x'.repeat(5000)}\r\n0\r\n\r\n`],
  ] as const) {
    const text = await exchange(server.port, request('PUT', '/v1/kv/b/k', [header], body))
    expect([statusOf(text), codeOf(text)]).toEqual([413, 'value-too-large'])
  }
  expect(node.asked).toHaveLength(asked)
})

test('a type without a body is answered, not waited upon', async () => {
  const json = ['Content-Type: application/json']
  for (const [method, target] of [
    ['PUT', '/v1/buckets/b'],
    ['POST', '/v1/repair'],
    ['PUT', '/v1/dev/links'],
  ] as const) {
    const text = await exchange(server.port, request(method, target, json))
    expect([statusOf(text), codeOf(text)], target).toEqual([400, 'bad-body'])
  }
  expect(statusOf(await exchange(server.port, request('PUT', '/v1/kv/b/k', json)))).toBe(201)
  expect(statusOf(await exchange(server.port, request('DELETE', '/v1/kv/b/k', json)))).toBe(204)
  expect(statusOf(await exchange(server.port, request('PUT', '/v1/buckets/b', ['Content-Type: text/plain'])))).toBe(415)
  expect(statusOf(await exchange(server.port, request('POST', '/v1/repair')))).toBe(200)
  expect(statusOf(await exchange(server.port, request('GET', '/v1/kv/b', json)))).toBe(200)
})

test('a body that waits to be asked for is refused unsent, or asked for', async () => {
  const large = await exchange(
    server.port,
    request('PUT', '/v1/kv/b/k', ['Expect: 100-continue', 'Content-Length: 9999']),
  )
  expect([statusOf(large), codeOf(large)]).toEqual([413, 'value-too-large'])
  const asked = await exchange(
    server.port,
    request('PUT', '/v1/kv/b/k', ['Expect: 100-continue', 'Content-Length: 1'], 'x'),
  )
  expect(asked).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /)
})

test('slow requests are 408', async () => {
  for (const start of [
    'GET /v1/kv/b/k HTTP/1.1\r\nHos',
    'PUT /v1/kv/b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc',
  ]) {
    const text = await exchange(server.port, start)
    expect([statusOf(text), codeOf(text)]).toEqual([408, 'slow-request'])
    // Where there is a request, and it is on a key, it has its receipt.
    expect(/\r\nquorate-receipt: ([^\r]*)/i.exec(text)?.[1]).toBe(start.startsWith('PUT') ? NOTHING : undefined)
  }
  expect(node.asked).toHaveLength(0)
})

test('a body that goes wrong halfway is refused with a receipt', async () => {
  const text = await exchange(server.port, request('PUT', '/v1/kv/b/%6B', ['Transfer-Encoding: chunked'], 'zz\r\n'))
  expect([statusOf(text), codeOf(text)]).toEqual([400, 'bad-request'])
  expect(text).toContain(`\r\nQuorate-Receipt: ${NOTHING}\r\n`)
})

test('who sends no more is answered all the same, unless half of it is missing', async () => {
  const put = 'PUT /v1/kv/b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n'
  const get = 'GET /v1/kv/b/k HTTP/1.1\r\nHost: x\r\n\r\n'
  expect(await halfClosed(server.port, `${put}tea`)).toMatch(/^HTTP\/1\.1 201 /)
  const three = await halfClosed(server.port, get + `${put}tea` + get.replace('/k', '/%6B'))
  expect(three.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 204', 'HTTP/1.1 300'])
  const { length } = node.asked
  for (const half of [
    `${put}te`,
    put,
    'GET /v1/kv/b/k HT',
    `${put.replace('Content-Length: 3', 'Transfer-Encoding: chunked')}2\r\nte`,
  ]) {
    const text = await halfClosed(server.port, half)
    expect([statusOf(text), codeOf(text)], half).toEqual([400, 'bad-request'])
  }
  expect(await halfClosed(server.port, '')).toBe('')
  expect(node.asked).toHaveLength(length)
})

test('CONNECT is refused in words, behind an answer under way only by the end', async () => {
  const connect = 'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n'
  const refused = await exchange(server.port, `${connect}bytes of the tunnel`)
  expect([statusOf(refused), codeOf(refused)]).toEqual([405, 'method-not-allowed'])
  expect(refused).toMatch(/\r\nAllow: *\r\n/)
  const get = node.get.bind(node)
  node.get = async (options) => {
    await new Promise((resolve) => setImmediate(resolve))
    return await get(options)
  }
  const behind = await exchange(server.port, `GET /v1/kv/b/k HTTP/1.1\r\nHost: x\r\n\r\n${connect}`)
  expect(behind.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 404'])
  expect(statusOf(await exchange(server.port, request('GET', '/healthz')))).toBe(200)
})

test('garbage behind a complete write does not take its answer', async () => {
  const put = node.put.bind(node)
  node.put = async (options) => {
    // The garbage came in the same segment: one turn later it has been parsed.
    await new Promise((resolve) => setImmediate(resolve))
    return await put(options)
  }
  const write = 'PUT /v1/kv/b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx'
  const text = await exchange(server.port, `${write}GARBAGE\r\n\r\n`)
  expect(text).toMatch(/^HTTP\/1\.1 201 /)
  expect(text).not.toContain('HTTP/1.1 400')
})

test('values, content types and metadata keep every byte on the wire', async () => {
  const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  for (const size of [1, 20]) {
    const body = Buffer.concat(Array.from({ length: size }, () => value)).subarray(0, 4096)
    const head = ['Content-Type: \xe4 odd;;type', 'Quorate-Meta-Name: gr\xfc\xdfe', `Content-Length: ${body.length}`]
    const put = await exchange(server.port, request('PUT', `/v1/kv/b/${size}`, head, body.toString('latin1')))
    expect(statusOf(put)).toBe(201)
    const got = await exchange(server.port, request('GET', `/v1/kv/b/${size}`))
    expect(bodyOf(got)).toBe(body.toString('latin1'))
    expect(got).toContain('\r\ncontent-type: \xe4 odd;;type\r\n')
    expect(got).toContain('\r\nquorate-meta-name: gr\xfc\xdfe\r\n')
  }
})

test('a connection serves several requests, and an early 413 does not break it', async () => {
  const two =
    `PUT /v1/kv/b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n${'x'.repeat(5000)}` +
    request('GET', '/v1/kv/b/k')
  const text = await exchange(server.port, two)
  expect(text).toMatch(/^HTTP\/1\.1 413 /)
  expect(text).toMatch(/\nHTTP\/1\.1 404 /)
  expect(isWhole(text)).toBe(true)
})
