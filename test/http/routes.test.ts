// The routes beside those of one key: listing, buckets, cluster, process; and what unknown ones answer.

import { createServer } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { buildHttpApp } from '../../src/http/app.ts'
import { createHttpServer } from '../../src/http/server.ts'
import { FakeNode } from './fake-node.ts'

let node: FakeNode
let app: FastifyInstance

beforeEach(async () => {
  node = new FakeNode()
  app = await buildHttpApp({ node, logger: null })
})
afterEach(async () => await app.close())

const ask = async (
  method: InjectOptions['method'],
  url: string,
  payload?: object | string,
  headers: Record<string, string> = {},
) => {
  const answer = await app.inject({ method: method ?? 'GET', url, ...(payload !== undefined && { payload }), headers })
  const type = String(answer.headers['content-type'])
  const body = type.includes('json') ? answer.json<Record<string, unknown>>() : {}
  return { status: answer.statusCode, headers: answer.headers, type, body, text: answer.body }
}

test('listing pages through a bucket', async () => {
  for (const key of ['a1', 'a2', 'a3', 'b1'])
    await app.inject({ method: 'PUT', url: `/v1/kv/list/${key}`, payload: 'x' })
  const first = await ask('GET', '/v1/kv/list?prefix=a&limit=2')
  expect(first).toMatchObject({
    status: 200,
    type: 'application/json',
    body: { keys: ['a1', 'a2'], cursor: '2', more: true },
  })
  expect(first.headers['cache-control']).toBe('no-store')
  expect((await ask('GET', '/v1/kv/list?prefix=a&limit=2&cursor=2')).body).toEqual({
    keys: ['a3'],
    cursor: null,
    more: false,
  })
  expect((await ask('GET', '/v1/kv/list', undefined, { 'quorate-r': 'all' })).status).toBe(200)
  expect(node.asked[0]).toMatchObject({ prefix: '', limit: 100, r: 'all' })
  await ask('GET', '/v1/kv/list?prefix=%C3%A4')
  expect(node.asked[0]).toMatchObject({ prefix: 'ä' })
})

test('listing refuses what it cannot mean', async () => {
  for (const query of [
    'limit=0',
    'limit=1001',
    'limit=x',
    'limit=',
    'limit=1e2',
    'limit=1&limit=2',
    'prefix=a&prefix=b',
  ]) {
    expect((await ask('GET', `/v1/kv/b?${query}`)).body['code'], query).toBe('bad-query')
  }
  for (const [name, value] of [
    ['quorate-sloppy', 'x'],
    ['quorate-r', 'x'],
    ['quorate-timeout', 'x'],
  ] as const)
    expect(await ask('GET', '/v1/kv/b', undefined, { [name]: value })).toMatchObject({
      status: 400,
      body: { code: 'bad-header' },
    })
  expect((await ask('GET', '/v1/kv/b', undefined, { 'quorate-sloppy': '?0' })).status).toBe(200)
  expect((await ask('GET', '/v1/kv/b?prefix=%ff')).body['code']).toBe('bad-url')
  expect((await ask('GET', '/v1/kv/b?cursor=nonsense')).body['code']).toBe('bad-cursor')
  expect((await ask('GET', `/v1/kv/b?cursor=${'a'.repeat(8193)}`)).status).toBe(400)
  node.nextList = { type: 'quorum-not-met', partition: 7, required: 2, acknowledged: 1, cursor: 'c' }
  expect((await ask('GET', '/v1/kv/b')).body).toMatchObject({
    code: 'quorum-not-met',
    partition: 7,
    required: 2,
    acknowledged: 1,
    cursor: 'c',
  })
})

test('a prefix is as long as a key at most, in bytes', async () => {
  for (const [prefix, status] of [
    ['%E2%82%AC'.repeat(341), 200],
    ['%E2%82%AC'.repeat(342), 414],
    ['a'.repeat(1024), 200],
    ['a'.repeat(1025), 414],
  ] as const) {
    const { length } = node.asked
    const answer = await ask('GET', `/v1/kv/b?prefix=${prefix}`)
    expect(answer.status, prefix.slice(0, 3)).toBe(status)
    expect(answer.body['code']).toBe(status === 200 ? undefined : 'key-too-long')
    expect(node.asked.length - length).toBe(status === 200 ? 1 : 0)
  }
})

test('buckets have defaults, take changes, and keep what is fixed', async () => {
  expect((await ask('GET', '/v1/buckets/b')).body).toEqual({
    n: 3,
    r: 'quorum',
    w: 'quorum',
    sloppy: true,
    conflict: 'siblings',
    durability: 'durable',
    ttlSeconds: null,
    ttlJitter: 0,
  })
  const changed = await ask('PUT', '/v1/buckets/b', { r: 1, ttlSeconds: 60 })
  expect([changed.status, changed.body['r'], changed.body['ttlSeconds'], changed.body['n']]).toEqual([200, 1, 60, 3])
  expect((await ask('GET', '/v1/buckets')).body).toMatchObject({
    buckets: [{ name: 'b', configured: true, settings: { r: 1 } }],
  })
  expect((await ask('PUT', '/v1/buckets/b', { n: 2 })).body).toMatchObject({
    code: 'bucket-fixed',
    status: 409,
    property: 'n',
  })
  expect((await ask('PUT', '/v1/buckets/b', { colour: 'red', n: 3 })).body).toMatchObject({
    code: 'unknown-property',
    status: 422,
    properties: ['colour'],
  })
  for (const bad of [
    { n: 0 },
    { n: 16 },
    { n: '3' },
    { r: 'some' },
    { ttlSeconds: -1 },
    { ttlJitter: 2 },
    { sloppy: 1 },
  ]) {
    expect((await ask('PUT', '/v1/buckets/b', bad)).body['code'], JSON.stringify(bad)).toBe('bad-body')
  }
  expect((await ask('PUT', '/v1/buckets/b', { w: 4 })).body['code']).toBe('bad-quorum')
  const json = { 'content-type': 'application/json' }
  for (const bad of ['', '{', '[]', 'null', '"x"', '{"__proto__": {}}']) {
    expect((await ask('PUT', '/v1/buckets/b', bad, json)).body, bad).toMatchObject({ code: 'bad-body', status: 400 })
  }
  expect(
    (await ask('PUT', '/v1/buckets/b', 'n=1', { 'content-type': 'application/x-www-form-urlencoded' })).status,
  ).toBe(415)
  node.nextBucket = { type: 'members-unreachable', members: ['node-2'] }
  expect((await ask('PUT', '/v1/buckets/b', {})).body).toMatchObject({ status: 503, members: ['node-2'] })
})

test('the cluster, its ring, hints, repair and figures', async () => {
  expect((await ask('GET', '/v1/cluster')).body).toMatchObject({
    partitions: 64,
    members: [{ name: 'node-0', status: 'self' }, {}, {}],
  })
  expect((await ask('GET', '/v1/ring')).body).toMatchObject({ partitions: 64, n: 3 })
  expect((await ask('GET', '/v1/ring?n=2')).body).toMatchObject({ n: 2 })
  expect((await ask('GET', '/v1/ring?n=16')).status).toBe(400)
  expect((await ask('GET', '/v1/ring/b/a%2Fb')).body).toMatchObject({
    preferenceList: ['node-0', 'node-1', 'node-2'],
    partition: node.place('b', 'a/b').partition,
  })
  expect((await ask('GET', '/v1/hints')).body).toMatchObject({ hints: 2 })
  expect((await ask('GET', '/v1/repair')).body).toMatchObject({ rounds: 4 })
  expect((await ask('POST', '/v1/repair')).body).toMatchObject({ rounds: 5 })
  const { body: stats } = await ask('GET', '/v1/stats')
  expect(stats).toMatchObject({ coordinator: { getsTotal: 7 }, process: { eventLoopDelaySeconds: {} } })
  for (const name of ['heapUsedBytes', 'externalBytes', 'arrayBuffersBytes'])
    expect(stats).toHaveProperty(`process.${name}`)
})

test('dev links are set in dev, and absent elsewhere', async () => {
  const cut = [['node-0', 'node-1']]
  const alone = { 'quorate-forwarded': '?1' }
  const set = await ask('PUT', '/v1/dev/links', { cut, dropRate: 0.5 }, alone)
  expect(set.body).toEqual({ cut, delayMs: 0, dropRate: 0.5, unreached: [] })
  expect(node.links).toEqual({ cut, delayMs: 0, dropRate: 0.5 })
  node.links = null
  for (const bad of [
    [['node-0']],
    [['node-0', 'node-1', 'node-2']],
    [['node-0', 1]],
    [['node-0', 'node-9']],
    [
      ['node-1', 'node-2'],
      ['node-1', 'node-1'],
    ],
  ])
    expect(await ask('PUT', '/v1/dev/links', { cut: bad }), JSON.stringify(bad)).toMatchObject({
      status: 400,
      body: { code: 'bad-body' },
    })
  expect((await ask('PUT', '/v1/dev/links', {}, { 'quorate-forwarded': 'x' })).body['code']).toBe('bad-header')
  expect((await ask('PUT', '/v1/dev/links', { speed: 1 })).status).toBe(422)
  expect(node.links).toBeNull()
  node.devLinks = null
  const outside = await buildHttpApp({ node, logger: null })
  expect((await outside.inject({ method: 'PUT', url: '/v1/dev/links', payload: {} })).statusCode).toBe(404)
  await outside.close()
})

test('dev links are set at every member, by whomever is asked', async () => {
  const others = [new FakeNode(), new FakeNode()]
  const servers = await Promise.all(
    others.map((other) => createHttpServer({ node: other, host: '127.0.0.1', port: 0, logger: null })),
  )
  const never = createServer(() => {})
  await new Promise<void>((resolve) => never.listen(0, '127.0.0.1', resolve))
  const silent = never.address()
  try {
    const addresses = servers.map(({ port }) => `127.0.0.1:${port}`)
    node.clientAddresses = ['nobody asks itself:0', ...addresses]
    for (const other of others) other.clientAddresses = addresses
    const cut = [['node-1', 'node-2']]
    const links = { cut, delayMs: 5, dropRate: 0 }
    const set = await ask('PUT', '/v1/dev/links', { cut, delayMs: 5 })
    expect(set.body).toEqual({ ...links, unreached: [] })
    expect([node, ...others].map((one) => one.links)).toEqual([links, links, links])
    // Nobody listens, nobody answers.
    node.clientAddresses = ['', '', `127.0.0.1:${typeof silent === 'object' ? silent?.port : 0}`]
    expect((await ask('PUT', '/v1/dev/links', {})).body['unreached']).toEqual(['node-1', 'node-2'])
    expect([node, ...others].map((one) => one.links?.delayMs)).toEqual([0, 5, 5])
    // Not in dev.
    const plain = new FakeNode()
    plain.devLinks = null
    const outside = await createHttpServer({ node: plain, host: '127.0.0.1', port: 0, logger: null })
    servers.push(outside)
    node.clientAddresses = ['', addresses[0] ?? '', `127.0.0.1:${outside.port}`]
    expect((await ask('PUT', '/v1/dev/links', {})).body['unreached']).toEqual(['node-2'])
  } finally {
    never.closeAllConnections()
    never.close()
    await Promise.all(servers.map((one) => one.close(0)))
  }
})

test('health, readiness and metrics', async () => {
  expect((await ask('GET', '/healthz')).status).toBe(200)
  expect((await ask('GET', '/readyz')).status).toBe(200)
  node.ready = { ready: false, reason: 'draining' }
  expect((await ask('GET', '/healthz')).status).toBe(200)
  expect(await ask('GET', '/readyz')).toMatchObject({ status: 503, body: { code: 'not-ready', reason: 'draining' } })
  await app.inject({ method: 'GET', url: '/v1/kv/b/very-secret-key' })
  const metrics = await ask('GET', '/metrics')
  expect(metrics.type).toMatch(/^text\/plain; version=0\.0\.4/)
  expect(metrics.text).toContain('quorate_ready 0\n')
  expect(metrics.text).toMatch(
    /quorate_http_request_duration_seconds_count\{method="GET",route="\/v1\/kv\/:bucket\/:key",class="5xx"\} 1\n/,
  )
  expect(metrics.text).not.toContain('very-secret')
})

test('unknown routes are 404, known ones without the method 405 with Allow', async () => {
  for (const url of [
    '/',
    '/v1',
    '/v1/kv',
    '/v1/kv/b/k/x',
    '/v1/batch',
    '/docs',
    '/console',
    '/v1/transfers',
    '/v1/hot-keys',
    '/v1/cluster/plan',
  ]) {
    for (const method of ['GET', 'POST', 'PUT'] as const) {
      const answer = await ask(method, url, method === 'GET' ? undefined : 'x', { 'content-type': 'bad' })
      expect([answer.status, answer.body['code'], answer.type], `${method} ${url}`).toEqual([
        404,
        'unknown-route',
        'application/problem+json',
      ])
    }
  }
  const allowed: [InjectOptions['method'], string, string][] = [
    ['POST', '/v1/kv/b/k', 'DELETE, GET, HEAD, PUT'],
    ['OPTIONS', '/v1/kv/b/k', 'DELETE, GET, HEAD, PUT'],
    ['PATCH', '/v1/kv/b/k', 'DELETE, GET, HEAD, PUT'],
    ['DELETE', '/v1/kv/b', 'GET, HEAD'],
    ['DELETE', '/v1/buckets/b', 'GET, HEAD, PUT'],
    ['PUT', '/v1/repair', 'GET, HEAD, POST'],
    ['GET', '/v1/dev/links', 'PUT'],
    ['POST', '/metrics', 'GET, HEAD'],
  ]
  for (const [method, url, allow] of allowed) {
    const answer = await ask(method, url, undefined, { 'content-type': 'bad' })
    expect([answer.status, answer.body['code'], answer.headers['allow']], `${method} ${url}`).toEqual([
      405,
      'method-not-allowed',
      allow,
    ])
  }
})
