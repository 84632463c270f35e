// Bytes on a socket, as no well-behaved client would send them. Knows neither HTTP nor frames.

import { createConnection, type Socket } from 'node:net'

export interface RawOptions {
  /** Waits so long for the other side to close, then closes itself. */
  readonly waitMs?: number
  /** Resolves as soon as the answer holds a whole HTTP response's head and as many bytes as it announces. */
  readonly untilResponse?: boolean
}

const WAIT_MS = 5000

/** Sends the pieces one after the other and resolves with everything that came back. Never rejects. */
export function exchange(
  port: number,
  pieces: readonly (Buffer | string)[],
  options: RawOptions = {},
): Promise<Buffer> {
  const { waitMs = WAIT_MS, untilResponse = false } = options
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1')
    const heard: Buffer[] = []
    const end = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(Buffer.concat(heard))
    }
    const timer = setTimeout(end, waitMs)
    socket.on('data', (data: Buffer) => {
      heard.push(data)
      if (untilResponse && isWhole(Buffer.concat(heard))) end()
    })
    socket.on('error', end)
    socket.on('close', end)
    socket.once('connect', () => {
      for (const piece of pieces) socket.write(piece)
    })
  })
}

function isWhole(bytes: Buffer): boolean {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return false
  const head = bytes.toString('latin1', 0, end)
  if (head.startsWith('HTTP/1.1 100 ')) return isWhole(bytes.subarray(end + 4))
  const [, length = '0'] = /\r\ncontent-length: (\d+)/i.exec(head) ?? []
  return bytes.length >= end + 4 + Number(length)
}

export interface RawResponse {
  /** 0: no response at all. */
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export function parseResponse(bytes: Buffer): RawResponse {
  const end = bytes.indexOf('\r\n\r\n')
  const lines = bytes.toString('latin1', 0, Math.max(0, end)).split('\r\n')
  const [, status = '0'] = /^HTTP\/1\.1 (\d{3})/.exec(lines[0] ?? '') ?? []
  if (status === '100') return parseResponse(bytes.subarray(end + 4))
  const headers = new Map(
    lines.slice(1).map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  return { status: Number(status), headers, body: bytes.toString('utf8', end + 4) }
}

/** Opens connections and keeps them, silent or after saying `first`. */
export async function hold(port: number, count: number, first: string | null): Promise<{ release(): void }> {
  const sockets: Socket[] = []
  for (let opened = 0; opened < count; opened += 200) {
    const batch = Array.from({ length: Math.min(200, count - opened) }, () => createConnection(port, '127.0.0.1'))
    sockets.push(...batch)
    await Promise.all(
      batch.map(
        (socket) =>
          new Promise<void>((done) => {
            socket.once('connect', () => {
              if (first !== null) socket.write(first)
              done()
            })
            socket.on('error', () => done())
            socket.once('close', () => done())
          }),
      ),
    )
  }
  return {
    release() {
      for (const socket of sockets) socket.destroy()
    },
  }
}
