// Heads that are refused before anything is read of the body or tried, over a real socket: what a client is told, and that nothing is
// stored. Each is sent to the front and, spelled otherwise, to fastify: both must say the same.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHttpServer, type HttpServer } from '../../src/http/server.ts'
import { bodyOf, exchange, isWhole, statusOf } from './exchange.ts'
import { FakeNode } from './fake-node.ts'

let node: FakeNode
let server: HttpServer

beforeEach(async () => {
  node = new FakeNode()
  server = await createHttpServer({ node, host: '127.0.0.1', port: 0, logger: null, limits: { valueBytesMax: 4096 } })
})
afterEach(async () => await server.close())

/** One is plain, one is not. */
const KEYS = ['/v1/kv/b/k', '/v1/kv/b/%6b']

const send = (method: string, target: string, headers: readonly string[], body = ''): Promise<string> =>
  exchange(server.port, [`${method} ${target} HTTP/1.1`, ...headers, '', body].join('\r\n'), isWhole)

const said = (text: string): unknown[] => {
  expect(text).toMatch(/\r\ncontent-type: application\/problem\+json\r\n/i)
  return [statusOf(text), (JSON.parse(bodyOf(text)) as Record<string, unknown>)['code']]
}

const receiptOf = (text: string): string | undefined => /\r\nquorate-receipt: ([^\r]*)\r\n/i.exec(text)?.[1]

test('a part of a value is no value', async () => {
  for (const target of KEYS) {
    const headers = ['Host: x', 'Content-Range: bytes 0-0/5', 'Content-Length: 1']
    const text = await send('PUT', target, headers, 'x')
    expect(said(text)).toEqual([400, 'bad-header'])
    expect(receiptOf(text)).toContain('required=0, replied=0')
  }
  expect(node.asked).toEqual([])
  expect(statusOf(await send('GET', KEYS[0] as string, ['Host: x', 'Content-Range: bytes 0-0/5']))).toBe(404)
})

test('a value under a coding is refused, whatever the coding; identity is none', async () => {
  for (const target of [...KEYS, '/v1/buckets/b', '/v1/dev/links']) {
    for (const coding of ['gzip', 'br', 'identity, gzip', 'x', '"identity"']) {
      const headers = ['Host: x', `Content-Encoding: ${coding}`, 'Content-Type: application/json', 'Content-Length: 2']
      const text = await send('PUT', target, headers, '{}')
      expect(said(text), `${target} ${coding}`).toEqual([415, 'unsupported-encoding'])
      expect(text).toMatch(/\r\naccept-encoding: identity\r\n/i)
      if (KEYS.includes(target)) expect(receiptOf(text)).toContain('required=0')
    }
  }
  expect(node.asked).toEqual([])
  for (const target of KEYS) {
    for (const coding of ['identity', 'Identity', '', 'identity, identity'])
      expect(
        statusOf(await send('PUT', target, ['Host: x', `Content-Encoding: ${coding}`, 'Content-Length: 1'], 'x')),
      ).toBeLessThan(300)
  }
})

test('a transfer coding that nobody undid is refused, and the connection ends', async () => {
  for (const target of [...KEYS, '/v1/buckets/b']) {
    for (const method of ['PUT', 'GET', 'DELETE']) {
      const headers = ['Host: x', 'Transfer-Encoding: gzip, chunked']
      // Until the server closes.
      const text = await exchange(
        server.port,
        [`${method} ${target} HTTP/1.1`, ...headers, '', '1\r\nx\r\n0\r\n\r\n'].join('\r\n'),
      )
      expect(said(text), `${method} ${target}`).toEqual([501, 'unsupported-transfer-coding'])
      expect(text).toMatch(/\r\nconnection: close\r\n/i)
    }
  }
  expect(node.asked).toEqual([])
  const chunked = ['Host: x', 'Transfer-Encoding: Chunked']
  expect(statusOf(await send('PUT', KEYS[0] as string, chunked, '1\r\nx\r\n0\r\n\r\n'))).toBe(201)
})

test('a Host is one host, or empty', async () => {
  for (const target of [...KEYS, '/v1/cluster', '/nowhere']) {
    for (const hosts of [
      ['Host: a', 'Host: b'],
      ['Host: a', 'Host: a'],
      ['Host: a b/c'],
      ['Host: a/b'],
      ['Host: a:1:2'],
      ['Host: u@a'],
      ['Host: a:x'],
      ['Host: a%zz'],
      ['Host: [::1'],
      [],
    ]) {
      const text = await send('GET', target, hosts)
      expect(said(text), `${target} ${hosts.join(' + ')}`).toEqual([400, 'bad-request'])
      if (KEYS.includes(target)) expect(receiptOf(text)).toContain('required=0')
    }
    const status = KEYS.includes(target) || target === '/nowhere' ? 404 : 200
    for (const host of ['', 'a', 'a.b-c_d:80', '127.0.0.1:7480', '[::1]:7480', '[fe80::1%25eth0]', 'a%20b', 'a:'])
      expect(statusOf(await send('GET', target, [`Host: ${host}`])), host).toBe(status)
  }
})

test('a query that is not UTF-8 is refused, for a key as for a listing', async () => {
  for (const target of ['/v1/kv/b/k', '/v1/kv/b', '/v1/cluster', '/v1/buckets/b']) {
    for (const query of ['x=%', 'x=%ff', '%e2%82=1'])
      expect(said(await send('GET', `${target}?${query}`, ['Host: x'])), target).toEqual([400, 'bad-url'])
    expect(statusOf(await send('GET', `${target}?x=%25`, ['Host: x']))).not.toBe(400)
  }
  expect(receiptOf(await send('GET', '/v1/kv/b/k?x=%', ['Host: x']))).toContain('required=0')
})

test('a body that is refused unsent ends the connection, and says so', async () => {
  for (const more of ['Content-Length: 9999', 'Content-Encoding: gzip\r\nContent-Length: 9']) {
    const head = `PUT /v1/kv/b/k HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n${more}\r\n\r\n`
    const text = await exchange(server.port, head)
    expect([413, 415]).toContain(statusOf(text))
    expect(text).toMatch(/\r\nconnection: close\r\n/i)
    expect(receiptOf(text)).toContain('required=0')
  }
})

test('a key’s receipt is in refusals that no route gave', async () => {
  const teapot = await send('PUT', '/v1/kv/b/k', ['Host: x', 'Expect: tea', 'Content-Length: 1'], 'x')
  expect(said(teapot)).toEqual([417, 'expectation-failed'])
  expect(receiptOf(teapot)).toContain('n=3, required=0, replied=0')
  for (const target of [...KEYS, '/v1/kv/b/k?x=1', 'http://x/v1/kv/b/k']) {
    const text = await send('POST', target, ['Host: x', 'Content-Length: 1'], 'x')
    expect(said(text)).toEqual([405, 'method-not-allowed'])
    expect(text).toMatch(/\r\nallow: DELETE, GET, HEAD, PUT\r\n/i)
    expect(receiptOf(text), target).toContain('n=3, required=0, replied=0')
  }
  for (const target of ['/v1/kv/b/..', '/v1/kv/b/%ff', `/v1/kv/b/${'k'.repeat(1025)}`])
    expect(receiptOf(await send('POST', target, ['Host: x'])), target).toContain('n=0, required=0, replied=0')
  for (const target of ['/v1/cluster', '/v1/kv/b'])
    expect(receiptOf(await send('POST', target, ['Host: x'])), target).toBeUndefined()
})

test('whatever is answered is counted', async () => {
  const counted = async (status: string): Promise<number> => {
    const text = await send('GET', '/metrics', ['Host: x'])
    const line = `quorate_http_request_duration_seconds_count{method="*",route="none",class="${status}"} `
    return Number(
      text
        .split('\n')
        .find((one) => one.startsWith(line))
        ?.slice(line.length) ?? 0,
    )
  }
  const requests: [string, string, readonly string[]][] = [
    ['PUT', '/v1/kv/b/k', ['Host: x', 'Expect: tea', 'Content-Length: 0']],
    ['POST', '/v1/kv/b/k', ['Host: x']],
    ['GET', '/v1/kv/b/a b', ['Host: x']],
    ['GET', '/nowhere', ['Host: a b']],
    ['GET', '/v1/kv/b/k', ['Host: x', `A: ${'a'.repeat(40_000)}`]],
  ]
  for (const [i, [method, target, headers]] of requests.entries()) {
    expect(statusOf(await send(method, target, headers))).toBeGreaterThanOrEqual(400)
    expect(await counted('4xx'), `${method} ${target}`).toBe(i + 1)
  }
})
