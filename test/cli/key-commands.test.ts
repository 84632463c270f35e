// get, put, delete, keys and the rest: which request each flag becomes, and what is printed where.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fakeNode, runCli, type FakeNode, type Ran, type Reply, type Seen } from './fake-node.ts'

let node: FakeNode
let reply: (request: Seen, count: number) => Reply
beforeEach(async () => {
  node = await fakeNode((request, count) => reply(request, count))
})
afterEach(() => node.close())

async function cli(...argv: string[]): Promise<Ran> {
  return runCli([...argv, '--url', node.url])
}

const RECEIPT = 'n=3, required=2, replied=3, hinted=0, durable=2, guarantee="strict", node="node-0", ring=17'

describe('get', () => {
  it('prints the bytes and nothing else to standard output', async () => {
    reply = () => ({ status: 200, headers: { 'quorate-context': 'Abc', 'quorate-receipt': RECEIPT }, body: 'tea' })
    const { status, stdout, stderr } = await cli(
      'get',
      'b',
      'a/b ü',
      '--r',
      'all',
      '--no-sloppy',
      '--timeout',
      '900',
      '--context',
      'Xy',
      '--explain',
    )
    expect([status, stdout]).toEqual([0, 'tea'])
    expect(stderr).toContain('Abc')
    expect(stderr).toContain('guarantee="strict"')
    expect(node.seen[0]).toMatchObject({
      method: 'GET',
      url: '/v1/kv/b/a%2Fb%20%C3%BC?explain=1',
      headers: { 'quorate-r': 'all', 'quorate-sloppy': '?0', 'quorate-timeout': '900', 'quorate-context': 'Xy' },
    })
  })

  it('sends the key "..", for the node to judge', async () => {
    reply = () => ({ status: 200, body: '' })
    await cli('get', 'b', '..')
    expect(node.seen[0]?.url).toBe('/v1/kv/b/..')
  })

  it('gives value, context and receipt with --json', async () => {
    reply = () => ({
      status: 200,
      headers: { 'quorate-context': 'Abc', 'quorate-receipt': RECEIPT },
      body: Buffer.from([0xff, 0]),
    })
    const { stdout, stderr } = await cli('get', 'b', 'k', '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      base64: '/wA=',
      context: 'Abc',
      receipt: { n: 3, guarantee: 'strict', node: 'node-0' },
    })
    expect(stderr).toBe('')
  })

  it('lists siblings, and says how to get on', async () => {
    const siblings = [
      { version: 'v1', href: '/x', contentType: 'text/plain', lastModified: 'now', meta: {}, text: 'one\ntwo' },
      { version: 'v2', href: '/y', contentType: 'image/png', lastModified: 'now', meta: {}, base64: 'AAA=' },
    ]
    reply = () => ({ status: 300, headers: { 'quorate-context': 'Both' }, body: { context: 'Both', siblings } })
    const { status, stdout, stderr } = await cli('get', 'b', 'k')
    expect(status).toBe(0)
    expect(stdout.split('\n').slice(1, 3)).toEqual([
      expect.stringMatching(/^v1 .*"one\\ntwo"$/),
      expect.stringMatching(/^v2 .*binary, 2 B/),
    ])
    expect(stderr).toContain('Both')
    expect(stderr).toContain('--sibling')
  })
})

describe('put', () => {
  it('sends an argument as text, with every flag as its header', async () => {
    reply = () => ({ status: 201, headers: { 'quorate-context': 'New', 'quorate-receipt': RECEIPT } })
    const flags = [
      '--w',
      '3',
      '--sloppy',
      '--context',
      'latest',
      '--ttl',
      '1.5',
      '--idempotency-key',
      'i1',
      '--create',
      '--meta',
      'by=me',
    ]
    const { status, stdout, stderr } = await cli('put', 'b', 'k', 'tea', ...flags)
    expect([status, stdout]).toEqual([0, ''])
    expect(stderr).toContain('New')
    expect(node.seen[0]).toMatchObject({
      method: 'PUT',
      headers: {
        'quorate-w': '3',
        'quorate-sloppy': '?1',
        'quorate-context': 'latest',
        'quorate-ttl': '1.5',
        'idempotency-key': 'i1',
        'if-none-match': '*',
        'quorate-meta-by': 'me',
        'content-type': 'text/plain; charset=utf-8',
      },
    })
    expect(node.seen[0]?.body.toString()).toBe('tea')
  })

  it('takes standard input where there is no argument', async () => {
    reply = () => ({ status: 204 })
    const { status } = await runCli(['put', 'b', 'k', '--url', node.url, '--content-type', 'a/b'], {
      stdin: 'from afar',
    })
    expect(status).toBe(0)
    expect(node.seen[0]?.body.toString()).toBe('from afar')
    expect(node.seen[0]?.headers['content-type']).toBe('a/b')
  })
})

it('delete says when nothing was there', async () => {
  reply = () => ({ status: 204, headers: { 'quorate-receipt': `${RECEIPT}, superseded=0` } })
  const { status, stderr } = await cli('delete', 'b', 'k')
  expect(status).toBe(0)
  expect(stderr).toContain('nothing was there')
})

it('keys follows the cursor to the end, and stops at the limit', async () => {
  reply = ({ url }) => {
    const second = url.includes('cursor=c1')
    return {
      status: 200,
      body: second ? { keys: ['c'], cursor: null, more: false } : { keys: ['a', 'b'], cursor: 'c1', more: true },
    }
  }
  expect((await cli('keys', 'b', '--prefix', 'x/')).stdout).toBe('a\nb\nc\n')
  expect(node.seen[0]?.url).toBe('/v1/kv/b?prefix=x%2F&limit=1000')
  const limited = await cli('keys', 'b', '--limit', '2', '--json')
  expect(limited.stdout).toBe('{"key":"a"}\n{"key":"b"}\n')
  expect(limited.stderr).toContain('c1')
})

it('bucket sets typed properties', async () => {
  reply = () => ({ status: 200, body: { n: 2, conflict: 'lww' } })
  const { status, stdout } = await cli('bucket', 'carts', 'n=2', 'conflict=lww', 'sloppy=false', 'ttlSeconds=null')
  expect(status).toBe(0)
  expect(stdout).toContain('conflict  lww')
  expect(JSON.parse(node.seen[0]?.body.toString() ?? '')).toEqual({
    n: 2,
    conflict: 'lww',
    sloppy: false,
    ttlSeconds: null,
  })
})

it('repair fails when the round that it asked for did, not for an older failure', async () => {
  const peer = { node: 'node-1', lastRoundMs: null, differing: 0, error: 'too late' }
  const body = { running: false, rounds: 2, peers: [peer], lastError: 'node-1: too late' }
  reply = ({ method }) => ({ status: 200, body: method === 'POST' ? { ...body, failed: ['node-1: too late'] } : body })
  const asked = await cli('repair')
  expect([asked.status, asked.stderr]).toEqual([1, expect.stringContaining('node-1: too late')])
  expect(asked.stdout).toMatch(/node-1 +.*too late/)
  const json = await cli('repair', '--json')
  expect([json.status, JSON.parse(json.stdout)]).toMatchObject([1, { failed: ['node-1: too late'] }])
  expect((await cli('repair', '--status')).status).toBe(0)
})

it('cluster, ring, hints and repair print plain rows, and the answer itself with --json', async () => {
  const member = {
    name: 'node-0',
    storage: '0123456789',
    peerAddress: 'p',
    clientAddress: 'c',
    zone: null,
    weight: 1,
    status: 'self',
  }
  const bodies: Readonly<Record<string, object>> = {
    '/v1/cluster': {
      id: 'i',
      name: 'n',
      partitions: 8,
      members: [{ ...member, lastHeartbeatMs: 0, ownedPartitions: 8, version: '1' }],
    },
    '/v1/ring': { partitions: 8, n: 3, members: [{ name: 'node-0', primary: 8, owned: 8 }], preferenceLists: [] },
    '/v1/ring/b/a%2Fk': {
      hash: 'ff',
      partition: 3,
      preferenceList: ['node-0'],
      fallbacks: [],
      replicas: [{ node: 'node-0', state: 'reachable' }],
    },
    '/v1/hints': {
      hints: 1,
      bytes: 10,
      bytesMax: 100,
      targets: [{ node: 'node-1', hints: 1, bytes: 10, oldestMs: 5, reachable: false }],
    },
    '/v1/repair': { running: false, rounds: 2, keysRepaired: 7, peers: [], lastError: null },
  }
  reply = ({ url }) => ({ status: bodies[url] === undefined ? 404 : 200, body: bodies[url] ?? {} })
  expect((await cli('cluster')).stdout).toMatch(/^name +status.*\nnode-0 +self/)
  expect((await cli('cluster', 'status')).status).toBe(0)
  expect((await cli('ring')).stdout).toMatch(/node-0 +8 +8 +100.00 %/)
  expect((await cli('ring', 'b', 'a/k')).stdout).toContain('node-0 reachable')
  expect((await cli('ring', 'b/a/k')).status).toBe(0)
  expect((await cli('hints')).stdout).toMatch(/node-1 +1 +10 B/)
  expect((await cli('repair')).stdout).toContain('keys repaired')
  expect(node.seen.at(-1)?.method).toBe('POST')
  await cli('repair', '--status')
  expect(node.seen.at(-1)?.method).toBe('GET')
  expect(JSON.parse((await cli('hints', '--json')).stdout)).toEqual(bodies['/v1/hints'])
})
