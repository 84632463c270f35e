// How connections end when the server does: no answer is cut off, no request is lost, and nobody who says nothing is waited for.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHttpServer, type HttpServer } from '../../src/http/server.ts'
import type { GetOptions, GetOutcome } from '../../src/coordinator/operations.ts'
import { FakeNode } from './fake-node.ts'

const SOON_MS = 20_000
const LARGE_BYTES = 16 << 20

class SlowNode extends FakeNode {
  readonly open: PromiseWithResolvers<void> = Promise.withResolvers()
  waiting = 0

  override async get(options: GetOptions): Promise<GetOutcome> {
    if (options.key !== 'slow') return super.get(options)
    this.waiting++
    await this.open.promise
    return super.get(options)
  }
}

let node: SlowNode
let server: HttpServer
const sockets: Socket[] = []
beforeEach(async () => {
  node = new SlowNode()
  server = await createHttpServer({
    node,
    host: '127.0.0.1',
    port: 0,
    logger: null,
    limits: { valueBytesMax: LARGE_BYTES },
  })
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.close(0)
})

interface Client {
  readonly socket: Socket
  readonly text: () => string
  readonly ended: Promise<void>
}

async function client(sent: string): Promise<Client> {
  const socket = connect(server.port, '127.0.0.1')
  sockets.push(socket)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  socket.on('error', () => {})
  const ended = new Promise<void>((done) => socket.once('close', () => done()))
  await once(socket, 'connect')
  if (sent !== '') socket.write(sent)
  return { socket, text: () => text, ended }
}

async function answered({ socket, text }: Client): Promise<void> {
  while (!text().includes('\r\n\r\n')) await once(socket, 'data')
}

const get = (key: string): string => `GET /v1/kv/b/${key} HTTP/1.1\r\nHost: x\r\n\r\n`
const statuses = (text: string): string[] => text.match(/HTTP\/1\.1 \d+/g) ?? []
const connections = (text: string): string[] => text.match(/(?<=\r\nConnection: )\S+/g) ?? []

test('the answer to what was asked before says that it is the last one', async () => {
  const slow = await client(get('slow'))
  const idle = await client(get('k'))
  const silent = await client('')
  await answered(idle)
  await expect.poll(() => node.waiting).toBe(1)
  const finished = server.finish(SOON_MS)
  await Promise.all([idle.ended, silent.ended])
  expect(silent.text()).toBe('')
  node.open.resolve()
  expect(await finished).toBe(true)
  await slow.ended
  expect([statuses(slow.text()), connections(slow.text())]).toEqual([['HTTP/1.1 404'], ['close']])
})

test('of requests sent one behind the other each is answered', async () => {
  const put = 'PUT /v1/kv/b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx'
  const pipelining = await client(get('slow') + get('slow') + put + get('k'))
  await expect.poll(() => node.waiting).toBe(1)
  const finished = server.finish(SOON_MS)
  // Those that wait for their turn had begun, too.
  node.ready = { ready: false, reason: 'ending', finishes: true }
  node.open.resolve()
  expect(await finished).toBe(true)
  await pipelining.ended
  expect(statuses(pipelining.text())).toEqual(['HTTP/1.1 404', 'HTTP/1.1 404', 'HTTP/1.1 201', 'HTTP/1.1 200'])
})

test('whoever comes late is answered, and told to go', async () => {
  const slow = await client(get('slow'))
  await expect.poll(() => node.waiting).toBe(1)
  void server.finish(SOON_MS)
  node.ready = { ready: false, reason: 'ending', finishes: true }
  const late = [
    await client(get('k')),
    await client(get('%6B')),
    await client('PUT /v1/kv/b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx'),
    await client('GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n'),
  ]
  await Promise.all(late.map(({ ended }) => ended))
  for (const { text } of late) {
    expect([statuses(text()), connections(text())]).toEqual([['HTTP/1.1 503'], ['close']])
  }
  node.open.resolve()
  await slow.ended
  expect(statuses(slow.text())).toEqual(['HTTP/1.1 404'])
})

test('an upload that had begun is stored though the node is not ready any more', async () => {
  const head = 'HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n'
  const uploads = [await client(`PUT /v1/kv/b/k ${head}ab`), await client(`PUT /v1/kv/b/%6C ${head}ab`)]
  await answered(await client(get('k')))
  const finished = server.finish(SOON_MS)
  node.ready = { ready: false, reason: 'ending', finishes: true }
  for (const { socket } of uploads) socket.write('cd')
  expect(await finished).toBe(true)
  await Promise.all(uploads.map(({ ended }) => ended))
  for (const { text } of uploads) expect([statuses(text()), connections(text())]).toEqual([['HTTP/1.1 201'], ['close']])
})

test('an answer that is read slowly is not cut off while there is time, and is in the end', async () => {
  const value = Buffer.alloc(LARGE_BYTES, 'x')
  await fetch(`${server.address}/v1/kv/b/large`, { method: 'PUT', body: value })
  const paused = async (): Promise<Client> => {
    const begun = await client(get('large'))
    await once(begun.socket, 'data')
    begun.socket.pause()
    return begun
  }
  const reading = await paused()
  const stuck = await paused()
  const idle = await client(get('k'))
  await answered(idle)
  const finished = server.finish(SOON_MS)
  reading.socket.resume()
  await reading.ended
  expect(reading.text().length).toBeGreaterThan(LARGE_BYTES)
  await server.close(0)
  stuck.socket.resume()
  await Promise.all([stuck.ended, idle.ended, finished])
  expect(stuck.text().length).toBeLessThan(LARGE_BYTES)
})

test('half a head or half a body is waited for as long as is said, and then cut off', async () => {
  const halves = [
    await client('GET /v1/kv/b'),
    await client('PUT /v1/kv/b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab'),
    await client('PUT /v1/kv/b/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n'),
  ]
  await answered(await client(get('k')))
  expect(await server.finish(50)).toBe(false)
  expect(halves.map(({ socket }) => socket.closed)).toEqual([false, false, false])
  await server.close(0)
  await Promise.all(halves.map(({ ended }) => ended))
})
