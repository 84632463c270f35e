// What else may knock at the peer port, and links over real sockets.

import { createConnection } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { SocketTransport } from '../../src/io/socket-transport.ts'
import { endOfTurn, SystemClock } from '../../src/io/system-clock.ts'
import { OsRandom } from '../../src/io/os-random.ts'
import { PeerLinks } from '../../src/link/links.ts'
import type { Connection, Listener } from '../../src/ports/transport.ts'
import { SILENT_LOGGER } from '../../src/telemetry/log.ts'
import { stored, write } from '../link/two-nodes.ts'
import { PROTOCOL_VERSION } from '../../src/protocol/messages.ts'

const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function listening(received: string[] = []): Promise<{ listener: Listener; accepted: Connection[] }> {
  const accepted: Connection[] = []
  const listener = await new SocketTransport().listen('127.0.0.1:0', (connection) => {
    accepted.push(connection)
    connection.onData = (bytes) => received.push(Buffer.from(bytes).toString())
  })
  cleanups.push(() => listener.close())
  return { listener, accepted }
}

/** Everything the port answers to these bytes until it closes. */
function knock(address: string, bytes: string): Promise<string> {
  const [host = '', port = ''] = address.split(':')
  return new Promise((resolve) => {
    const socket = createConnection(Number(port), host, () => socket.write(bytes))
    let answer = ''
    socket.on('data', (data: Buffer) => {
      answer += data.toString()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })
}

describe('the peer port', () => {
  test('turns strangers away shortly', async () => {
    const { listener, accepted } = await listening()
    expect(await knock(listener.address, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1.1 426 /)
    expect(
      await knock(listener.address, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'),
    ).toMatch(/^HTTP\/1.1 426 /)
    expect(await knock(listener.address, '\x16\x03\x01\x02\x00garbage\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
    expect(await knock(listener.address, 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1.1 405 /)
    expect(accepted).toEqual([])
  })

  test('hands over bytes that came together with the upgrade', async () => {
    const received: string[] = []
    const { listener } = await listening(received)
    const [host = '', port = ''] = listener.address.split(':')
    const socket = createConnection(Number(port), host)
    cleanups.push(() => Promise.resolve(void socket.destroy()))
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: quorate\r\n\r\nearly')
    await vi.waitUntil(() => received.join('') === 'early')
    socket.write(' late')
    await vi.waitUntil(() => received.join('') === 'early late')
  })

  test('a server that speaks something else is unreachable', async () => {
    const { createServer } = await import('node:http')
    const server = createServer((_, response) => response.end('hello'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => new Promise((resolve) => server.close(() => resolve())))
    const bound = server.address()
    const port = bound !== null && typeof bound === 'object' ? bound.port : 0
    await expect(new SocketTransport().connect(`127.0.0.1:${port}`, 1000)).rejects.toMatchObject({
      code: 'unreachable',
    })
  })

  test('a server that never answers is unreachable in time', async () => {
    const { createServer } = await import('node:net')
    const server = createServer(() => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => Promise.resolve(void server.close()))
    const bound = server.address()
    const port = bound !== null && typeof bound === 'object' ? bound.port : 0
    const started = performance.now()
    await expect(new SocketTransport().connect(`127.0.0.1:${port}`, 200)).rejects.toMatchObject({ code: 'unreachable' })
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

describe('links over sockets', () => {
  test('find each other, answer, and carry a large value', async () => {
    const table = new Map<string, string>()
    const start = async (name: string): Promise<PeerLinks> => {
      const clock = new SystemClock()
      const links: PeerLinks = new PeerLinks({
        clock,
        transport: new SocketTransport(),
        random: new OsRandom(),
        logger: SILENT_LOGGER,
        listenAddress: '127.0.0.1:0',
        seeds: [],
        secrets: ['secret'],
        schedule: endOfTurn,
        hooks: {
          localHello: () => ({
            version: PROTOCOL_VERSION,
            name,
            storage: `storage-of-${name}`,
            peerAddress: links.address,
            clientAddress: '',
            clusterId: null,
            clusterName: 'test',
            table: new Uint8Array(0),
          }),
          admit: () => ({ accept: true }),
          onHello: () => {},
          onGoodbye: () => {},
          handler: (_, request) => stored(request.type === 'write' ? request.view.length : 0),
          onClockSample: () => {},
          hybridTime: () => Date.now(),
          observeTime: () => {},
          digests: () => ({ members: '', settings: '' }),
          onHeartbeatDigests: () => {},
          members: () => [...table].map(([member, peerAddress]) => ({ name: member, peerAddress })),
        },
      })
      await links.start()
      cleanups.push(() => links.close())
      table.set(name, links.address)
      return links
    }
    const a = await start('a')
    const b = await start('b')
    a.membersChanged()
    await vi.waitUntil(() => a.reachable('b') && b.reachable('a'))
    const sizes = [0, 1, 1000, 100_000, 16 * 1024 * 1024]
    const answers = await Promise.all(
      sizes.map((size) => a.request('b', write({ view: new Uint8Array(size) }), { budgetMs: 5000 })),
    )
    expect(answers.map(({ reply }) => (reply.type === 'write' ? reply.siblings : -1))).toEqual(sizes)
    await b.close()
    await vi.waitUntil(() => !a.reachable('b'))
  })
})
