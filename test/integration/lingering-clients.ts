// Clients that have not finished when their node is told to stop, each in its own way, over raw sockets. Each is in its place, as far
// as the node can tell, when `begin` resolves. Invariant: none ends by itself; `leave` ends what the node has not ended.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { isWhole } from '../http/exchange.ts'

export interface Client {
  readonly socket: Socket
  /** Latin-1. */
  text(): string
  readonly ended: Promise<void>
  leave(): void
}

export type Kind = (port: number) => Promise<Client>

const KEY = '/v1/kv/drain/'
const TRICKLE_MS = 100
/** More than sockets hold between two processes. */
export const LARGE_BYTES: number = 16 << 20

async function client(port: number, ...pieces: readonly string[]): Promise<Client> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1')
  // A connection that is cut may end in a reset: how it ends is the node's affair.
  socket.on('error', () => {})
  socket.on('data', (chunk: string) => (text += chunk))
  const ended = new Promise<void>((done) => socket.once('close', () => done()))
  await once(socket, 'connect')
  for (const piece of pieces) await new Promise<void>((done) => socket.write(piece, 'latin1', () => done()))
  return { socket, text: () => text, ended, leave: () => void socket.destroy() }
}

/** What was sent to the node before has been seen by it: it has answered somebody who came later. */
export async function seen(port: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/healthz`, { headers: { connection: 'close' } })
  await response.arrayBuffer()
}

function sending(...pieces: readonly string[]): Kind {
  return async (port) => {
    const begun = await client(port, ...pieces)
    await seen(port)
    return begun
  }
}

export const put = (key: string, ...headers: readonly string[]): string =>
  [`PUT ${KEY}${key} HTTP/1.1`, 'Host: x', ...headers, '', ''].join('\r\n')
export const get = (key: string): string => `GET ${KEY}${key} HTTP/1.1\r\nHost: x\r\n\r\n`

export const silent: Kind = sending()
export const halfHead: Kind = sending(`PUT ${KEY}half-head HTTP/1.1\r\nHost: x\r\nConte`)
export const halfBody: Kind = sending(put('half-body', 'Content-Length: 100'), 'x'.repeat(40))
/** An encoded name is not for the short way. */
export const halfBodyOfFastify: Kind = sending(put('half%2Dbody-2', 'Content-Length: 100'), 'x'.repeat(40))
export const halfChunked: Kind = sending(put('half-chunked', 'Transfer-Encoding: chunked'), '5\r\nabcde\r\n')

export const idle: Kind = async (port) => {
  const begun = await client(port, get('nothing'))
  while (!isWhole(begun.text())) await once(begun.socket, 'data')
  return begun
}

/** One byte at a time, for ever. */
export const trickling: Kind = async (port) => {
  const begun = await client(port, put('trickle', 'Content-Length: 100000'), 'x')
  const timer = setInterval(() => begun.socket.write('x'), TRICKLE_MS)
  begun.socket.once('close', () => clearInterval(timer))
  await seen(port)
  return begun
}

/** The next request as soon as an answer is there. */
export const asking: Kind = async (port) => {
  const begun = await client(port)
  let answers = 0
  begun.socket.on('data', () => {
    const now = begun.text().split('HTTP/1.1 ').length - 1
    if (now === answers || begun.socket.writableEnded) return
    answers = now
    begun.socket.write(get('nothing'))
  })
  begun.socket.write(get('nothing'))
  while (answers < 3) await once(begun.socket, 'data')
  return begun
}

/** Has asked for a large value and reads nothing of it until it is resumed. */
export const notReading: Kind = async (port) => {
  const url = `http://127.0.0.1:${port}${KEY}large`
  await fetch(url, { method: 'PUT', body: Buffer.alloc(LARGE_BYTES, 'x'), headers: { 'quorate-context': 'latest' } })
  const begun = await client(port)
  begun.socket.once('data', () => begun.socket.pause())
  begun.socket.write(get('large'))
  await once(begun.socket, 'data')
  return begun
}
