// Requests that come before the answer to the one before: each is carried out after that, and none is lost or waits for ever.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHttpServer, type HttpServer } from '../../src/http/server.ts'
import type { GetOptions, GetOutcome, PutOptions, PutOutcome } from '../../src/coordinator/operations.ts'
import { bodyOf, exchange, isWhole, statusOf } from './exchange.ts'
import { FakeNode } from './fake-node.ts'

const LARGE_BYTES = 1 << 19
const FLOOD_BYTES = 24 << 20

/** Operations on the key "slow" wait for the gate; a write of any other key takes a few turns. */
class SlowNode extends FakeNode {
  readonly gate: PromiseWithResolvers<void> = Promise.withResolvers()
  begun = 0

  override async get(options: GetOptions): Promise<GetOutcome> {
    this.begun++
    if (options.key === 'slow') await this.gate.promise
    return super.get(options)
  }

  override async put(options: PutOptions): Promise<PutOutcome> {
    this.begun++
    if (options.key === 'slow') await this.gate.promise
    else for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
    return super.put(options)
  }
}

let node: SlowNode
let server: HttpServer
const sockets: Socket[] = []
beforeEach(async () => {
  node = new SlowNode()
  server = await createHttpServer({ node, host: '127.0.0.1', port: 0, logger: null })
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.close(0)
})

async function client(sent: string): Promise<{ readonly socket: Socket; readonly text: () => string }> {
  const socket = connect(server.port, '127.0.0.1')
  sockets.push(socket)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(sent)
  return { socket, text: () => text }
}

const get = (key: string): string => `GET /v1/kv/b/${key} HTTP/1.1\r\nHost: x\r\n\r\n`
const remove = (key: string): string => `DELETE /v1/kv/b/${key} HTTP/1.1\r\nHost: x\r\n\r\n`
const put = (key: string, body: string, more = ''): string =>
  `PUT /v1/kv/b/${key} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`
const statuses = (text: string): number[] => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status))
/** Another connection's request was answered: what came before has been read, as far as it will be. */
const aTurnLater = async (): Promise<void> => {
  await exchange(server.port, get('other'), isWhole)
}

describe.each([
  ['before fastify', 'k'],
  ['by fastify', '%6B'],
])('served %s', (_, key) => {
  test('each request sees what the one before did', async () => {
    const { text } = await client(put(key, 'a') + get(key) + remove(key) + get(key))
    await expect.poll(() => statuses(text())).toEqual([201, 200, 204, 404])
    const again = await client(put(key, 'b') + get(key) + put(key, 'c', 'Quorate-Context: latest\r\n') + get(key))
    await expect.poll(() => statuses(again.text())).toEqual([201, 200, 204, 200])
    expect(again.text().endsWith('\r\n\r\nc')).toBe(true)
  })

  test('a body that comes while its request waits is whole', async () => {
    const value = Array.from({ length: LARGE_BYTES / 16 }, (_, i) => String(i).padStart(16, '.')).join('')
    const small = await client(get('slow') + put(key, 'small') + put(key, '', 'Quorate-Context: latest\r\n'))
    const whole = await client(get('slow') + put(`${key}l`, value))
    const chunks = `4\r\nfour\r\n${value.length.toString(16)}\r\n${value}\r\n0\r\n\r\n`
    const chunked = await client(
      `${get('slow')}PUT /v1/kv/b/${key}c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
    )
    const pieces = await client(get('slow') + put(`${key}p`, value).slice(0, -9))
    await expect.poll(() => node.begun).toBe(4)
    await aTurnLater()
    pieces.socket.write(value.slice(-9, -5))
    await aTurnLater()
    expect(node.begun).toBe(6)
    node.gate.resolve()
    pieces.socket.write(value.slice(-5))
    await expect.poll(() => statuses(small.text())).toEqual([404, 201, 204])
    for (const { text } of [whole, chunked, pieces]) await expect.poll(() => statuses(text())).toEqual([404, 201])
    for (const [name, stored] of [
      ['l', value],
      ['c', `four${value}`],
      ['p', value],
    ] as const)
      expect(bodyOf(await exchange(server.port, get(`${key}${name}`), isWhole)) === stored, name).toBe(true)
    expect(statusOf(await exchange(server.port, get(key), isWhole))).toBe(200)
    // The connection is as good as new.
    pieces.socket.write(get('none'))
    await expect.poll(() => statuses(pieces.text())).toEqual([404, 201, 404])
  })

  test('what its client has left before its turn is not carried out', async () => {
    const { socket } = await client(get('slow') + put(key, 'x') + remove(key))
    await expect.poll(() => node.begun).toBe(1)
    await aTurnLater()
    socket.resetAndDestroy()
    await aTurnLater()
    node.gate.resolve()
    await aTurnLater()
    expect(statusOf(await exchange(server.port, get(key), isWhole))).toBe(404)
    expect(node.asked.filter((options) => 'key' in options && options.key === 'k')).toHaveLength(1)
  })

  test('a body is asked for when its turn has come', async () => {
    const { socket, text } = await client(get('slow') + put(key, 'tea', 'Expect: 100-continue\r\n').slice(0, -3))
    await expect.poll(() => node.begun).toBe(1)
    await aTurnLater()
    expect(text()).toBe('')
    node.gate.resolve()
    await expect.poll(() => statuses(text())).toEqual([404, 100])
    socket.write('tea')
    await expect.poll(() => statuses(text())).toEqual([404, 100, 201])
  })
})

test('what comes when the server is ending is told to go, behind what had begun', async () => {
  const { socket, text } = await client(put('slow', 'a') + get('slow'))
  await expect.poll(() => node.begun).toBe(1)
  const finished = server.finish(20_000)
  node.ready = { ready: false, reason: 'ending', finishes: true }
  socket.write(get('late'))
  node.gate.resolve()
  expect(await finished).toBe(true)
  expect(statuses(text()).slice(0, 2)).toEqual([201, 200])
  expect([[], [503]]).toContainEqual(statuses(text()).slice(2))
})

test('whoever sends and sends while nothing is answered is read no further', async () => {
  const flood = get('flood').repeat(1000)
  const { socket } = await client(get('slow'))
  await expect.poll(() => node.begun).toBe(1)
  for (let sent = 0; sent < FLOOD_BYTES; sent += flood.length) socket.write(flood)
  for (let i = 0; i < 100; i++) await aTurnLater()
  expect(socket.writableLength).toBeGreaterThan(FLOOD_BYTES / 2)
})
