// The Transport port on TCP: an HTTP/1.1 server on the peer port that upgrades to `quorate`, and a client that asks for it.
// Decides how strangers are answered; knows nothing of frames. Invariant: nothing that a stranger sends reaches further than here.

import { lookup } from 'node:dns/promises'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { Client } from 'undici'
import { QuorateError } from '../errors.ts'
import type { Connection, Listener, Transport } from '../ports/transport.ts'
import { SocketConnection } from './socket-connection.ts'

const PROTOCOL = 'quorate'
const CONNECTIONS_MAX = 4096
const REQUEST_TIMEOUT_MS = 5000

export class SocketTransport implements Transport {
  listen(address: string, accept: (connection: Connection) => void): Promise<Listener> {
    const { host, port } = splitAddress(address)
    const server = createServer({
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: 1,
      maxHeaderSize: 8192,
      connectionsCheckingInterval: 1000,
    })
    server.maxConnections = CONNECTIONS_MAX
    server.on('request', (request, response) => {
      request.resume()
      response.writeHead(426, { Upgrade: PROTOCOL, Connection: 'close', 'Content-Type': 'text/plain' })
      response.end('this port is for the other nodes of the cluster\n')
    })
    server.on('clientError', (_error, socket) => answer(socket, '400 Bad Request'))
    server.on('connect', (_request, socket) => answer(socket, '405 Method Not Allowed'))
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (request.headers.upgrade?.toLowerCase() !== PROTOCOL) return answer(socket, '426 Upgrade Required')
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${PROTOCOL}\r\n\r\n`)
      if (head.length > 0) socket.unshift(head)
      accept(new SocketConnection(socket, `${request.socket.remoteAddress ?? '?'}:${request.socket.remotePort ?? 0}`))
    })
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => {
        server.off('error', reject)
        server.on('error', () => {})
        const bound = server.address()
        resolve({
          address: bound !== null && typeof bound === 'object' ? joinAddress(host, bound.port) : address,
          close: () =>
            new Promise((closed) => {
              // The address is free at once; connections that were upgraded belong to their links.
              server.close()
              server.closeAllConnections()
              setImmediate(closed)
            }),
        })
      })
    })
  }

  async connect(address: string, timeoutMs: number): Promise<Connection> {
    const { host, port } = splitAddress(address)
    const client = new Client(`http://${joinAddress(host, port)}`, { connect: { timeout: timeoutMs, noDelay: true } })
    const tooLate = setTimeout(() => {
      void client.destroy(new Error(`not connected within ${timeoutMs} ms`)).catch(() => {})
    }, timeoutMs)
    try {
      const { socket } = await client.upgrade({ path: '/', protocol: PROTOCOL })
      return new SocketConnection(socket, address)
    } catch (error) {
      void client.destroy().catch(() => {})
      throw new QuorateError('unreachable', `no connection to ${address}: ${String(error)}`, { cause: error })
    } finally {
      clearTimeout(tooLate)
    }
  }

  async resolve(hostPort: string): Promise<readonly string[]> {
    const { host, port } = splitAddress(hostPort)
    if (isIP(host) !== 0) return [joinAddress(host, port)]
    try {
      const found = await lookup(host, { all: true })
      return [...new Set(found.map(({ address }) => joinAddress(address, port)))]
    } catch {
      // Not known, or not yet: the asker asks again.
      return []
    }
  }
}

function answer(socket: Duplex, status: string): void {
  socket.on('error', () => {})
  if (socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  socket.end(`HTTP/1.1 ${status}\r\nUpgrade: ${PROTOCOL}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  )
}

function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  const port = Number(address.slice(colon + 1))
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  if (colon < 1 || host === '' || !Number.isInteger(port) || port < 0 || port > 65535) {
    throw new QuorateError('unreachable', `not an address: ${address}`)
  }
  return { host, port }
}

function joinAddress(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
}
