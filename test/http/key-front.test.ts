// The front takes what it can; nobody can tell from an answer whether it did.

import { connect } from 'node:net'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import fc from 'fast-check'
import type { FastifyInstance } from 'fastify'
import { buildHttpApp } from '../../src/http/app.ts'
import { HEADERS } from '../../src/http/header-schemas.ts'
import { createHttpServer, type HttpServer } from '../../src/http/server.ts'
import { exchange, isWhole, statusOf } from './exchange.ts'
import { FakeNode } from './fake-node.ts'

const LIMITS = { valueBytesMax: 2048, keepAliveMs: 65_000 }

let node: FakeNode
let server: HttpServer

beforeEach(async () => {
  node = new FakeNode()
  server = await createHttpServer({ node, host: '127.0.0.1', port: 0, logger: null, limits: LIMITS })
})
afterEach(async () => await server.close())

describe('with and without it', () => {
  let plainNode: FakeNode
  let app: FastifyInstance
  beforeEach(async () => {
    plainNode = new FakeNode()
    app = await buildHttpApp({ node: plainNode, logger: null, limits: LIMITS })
    await app.listen({ host: '127.0.0.1', port: 0 })
  })
  afterEach(async () => await app.close())

  const headerText = fc.stringMatching(/^[!-~]{0,12}$/)
  const known: readonly (readonly [string, string])[] = [
    ['quorate-r', 'one'],
    ['quorate-w', '4'],
    ['quorate-sloppy', '?0'],
    ['quorate-timeout', '100'],
    ['quorate-ttl', '1.5'],
    ['quorate-context', 'latest'],
    ['idempotency-key', '"a"'],
    ['if-match', '*'],
    ['if-none-match', '*'],
    ['if-none-match', '"0123456789abcdef-1"'],
    ['if-modified-since', 'Wed, 02 Jan 2030 03:04:05 GMT'],
    ['if-unmodified-since', 'Wed, 02 Jan 2030 03:04:05 GMT'],
    ['prefer', 'return=representation'],
    ['quorate-meta-a', 'b'],
    ['quorate-meta-', 'b'],
    ['content-type', 'text/plain'],
    ['content-type', 'no type;;'],
    ['content-range', 'bytes 0-1/2'],
    ['content-encoding', 'identity'],
    ['content-encoding', 'gzip'],
    ['host', 'x'],
    ['prefer', 'foo="x, return=representation"'],
    ['connection', 'close'],
  ]
  const headers = fc.array(
    fc.oneof(
      fc.constantFrom(...known),
      fc.tuple(fc.constantFrom(...Object.keys(HEADERS), 'quorate-meta-x', 'x'), headerText),
    ),
    { maxLength: 4 },
  )
  const key = fc.constantFrom(
    'k',
    'k',
    'l',
    '.',
    '..',
    '%6B',
    'k?explain=1',
    'k?sibling=x',
    'k#',
    'k/',
    '',
    'x'.repeat(1025),
  )
  const step = fc.record({
    method: fc.constantFrom('GET', 'PUT', 'PUT', 'HEAD', 'DELETE'),
    key,
    headers,
    body: fc.oneof(fc.constant(null), fc.constant(''), fc.constant('value'), fc.constant('x'.repeat(2049))),
    /** Of the last answer. */
    withContext: fc.boolean(),
  })

  test('answers are equal to the byte', async () => {
    const bare = app.server.address()
    const barePort = typeof bare === 'object' && bare !== null ? bare.port : 0
    let taken = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
        let context = ''
        const bucket = `b${taken++}`
        for (const { method, key: name, headers: pairs, body, withContext } of steps) {
          const lines = pairs.map(([header, value]) => `${header}: ${value}\r\n`).join('')
          const length = body === null ? '' : `Content-Length: ${body.length}\r\n`
          const known = withContext && context !== '' ? `Quorate-Context: ${context}\r\n` : ''
          const text = `${method} /v1/kv/${bucket}/${name} HTTP/1.1\r\nHost: x\r\n${lines}${known}${length}\r\n${body ?? ''}`
          const whole = (all: string): boolean => (method === 'HEAD' ? all.includes('\r\n\r\n') : isWhole(all))
          const [front, back] = await Promise.all([exchange(server.port, text, whole), exchange(barePort, text, whole)])
          const undated = (all: string): string => all.replace(/\r\nDate: [^\r]*/i, '')
          expect(undated(front), text).toBe(undated(back))
          context = /\r\nquorate-context: ([\w-]+)/.exec(front)?.[1] ?? context
        }
        expect(node.asked).toEqual(plainNode.asked)
      }),
      { numRuns: 200 },
    )
  })
})

test('requests in one segment are answered in their order', async () => {
  const put = (body: string): string =>
    `PUT /v1/kv/b/k HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  const get = 'GET /v1/kv/b/k HTTP/1.1\r\nHost: x\r\n\r\n'
  const slow = node.get.bind(node)
  let asked = 0
  node.get = async (options) => {
    // The first takes longest.
    const turns = 5 - ++asked
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
    return await slow(options)
  }
  const text = await exchange(server.port, put('one') + get + get + get, (all) => all.split('\r\n\r\none').length === 4)
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 201', 'HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 200'])
})

test('a body in pieces is one value, a body cut short is none', async () => {
  const head = 'PUT /v1/kv/b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n'
  const socket = connect(server.port, '127.0.0.1')
  await once(socket, 'connect')
  for (const piece of [head, 'abc', 'def']) {
    socket.write(piece)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(node.asked).toHaveLength(0)
  socket.write('ghi')
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(statusOf(answer.toString())).toBe(201)
  expect(node.asked[0]).toMatchObject({ content: { bytes: Buffer.from('abcdefghi') } })
  socket.write(`${head}abc`)
  await new Promise((resolve) => setTimeout(resolve, 20))
  socket.destroy()
  expect(statusOf(await exchange(server.port, 'GET /v1/kv/b/k HTTP/1.1\r\nHost: x\r\n\r\n', isWhole))).toBe(200)
  expect(node.asked).toHaveLength(2)
})

test('a client that has gone takes nothing with it', async () => {
  const { promise: gone, resolve: letGo } = Promise.withResolvers<void>()
  const put = node.put.bind(node)
  const { promise: stored, resolve: done } = Promise.withResolvers<void>()
  node.put = async (options) => {
    await gone
    const outcome = await put(options)
    setImmediate(done)
    return outcome
  }
  const socket = connect(server.port, '127.0.0.1')
  socket.write('PUT /v1/kv/b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx')
  await new Promise((resolve) => setTimeout(resolve, 30))
  socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 30))
  letGo()
  await stored
  expect(statusOf(await exchange(server.port, 'GET /v1/kv/b/k HTTP/1.1\r\nHost: x\r\n\r\n', isWhole))).toBe(200)
})

test('what it takes is counted once', async () => {
  const request = (method: string, key: string): string =>
    `${method} /v1/kv/b/${key} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`
  for (const [method, key] of [
    ['PUT', 'k'],
    ['GET', 'k'],
    ['GET', '%6B'],
    ['GET', 'none'],
  ] as const)
    await exchange(server.port, request(method, key), isWhole)
  const text = await exchange(server.port, 'GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  const count = (method: string, status: string): string | undefined =>
    new RegExp(
      `quorate_http_request_duration_seconds_count\\{method="${method}",route="/v1/kv/:bucket/:key",class="${status}"\\} (\\d+)`,
    ).exec(text)?.[1]
  expect([count('PUT', '2xx'), count('GET', '2xx'), count('GET', '4xx')]).toEqual(['1', '2', '1'])
})

test('defects are 500, without their message', async () => {
  for (const fail of [
    () => void (node.throwNext = new Error('secret')),
    () => void (node.get = () => Promise.reject(new Error('secret'))),
  ]) {
    fail()
    const text = await exchange(server.port, 'GET /v1/kv/b/k HTTP/1.1\r\nHost: x\r\n\r\n', isWhole)
    expect(statusOf(text)).toBe(500)
    expect(text).not.toContain('secret')
  }
})
