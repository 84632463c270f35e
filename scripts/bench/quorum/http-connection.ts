// One keep-alive HTTP/1.1 connection with one request under way: as little client as can be, so that the load's own cost stays small.
// Understands answers with Content-Length, and those without a body. Knows nothing of load. Invariant: each `send` ends in one call.

import { connect, type Socket } from 'node:net'

export interface Answer {
  readonly status: number
  /** Status line and headers, header names as they came. */
  readonly head: string
  readonly bodyBytes: number
}

const HEAD_END = '\r\n\r\n'
const LENGTH = /\r\ncontent-length: *(\d+)/i

export class HttpConnection {
  readonly port: number
  readonly #socket: Socket
  #received: Buffer | null = null
  #done: ((answer: Answer | Error) => void) | null = null
  #broken: Error | null = null

  private constructor(socket: Socket, port: number) {
    this.#socket = socket
    this.port = port
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => this.#take(bytes))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the server closed the connection')))
  }

  static open(port: number): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new HttpConnection(socket, port))
      })
    })
  }

  get broken(): boolean {
    return this.#broken !== null
  }

  send(request: string, body: Buffer | null, done: (answer: Answer | Error) => void): void {
    if (this.#broken) {
      done(this.#broken)
      return
    }
    this.#done = done
    if (body === null) this.#socket.write(request, 'latin1')
    else this.#socket.write(Buffer.concat([Buffer.from(request, 'latin1'), body]))
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    const all = this.#received === null ? bytes : Buffer.concat([this.#received, bytes])
    const end = all.indexOf(HEAD_END)
    if (end !== -1) {
      const head = all.toString('latin1', 0, end)
      const status = Number(head.slice(9, 12))
      const bodyBytes = status === 204 || status === 304 ? 0 : Number(LENGTH.exec(head)?.[1] ?? Number.NaN)
      if (Number.isNaN(bodyBytes)) return this.#fail(new Error(`an answer without Content-Length: ${head}`))
      const whole = end + HEAD_END.length + bodyBytes
      if (all.length > whole) return this.#fail(new Error('more bytes than the answer has'))
      if (all.length === whole) {
        this.#received = null
        const done = this.#done
        this.#done = null
        done?.({ status, head, bodyBytes })
        return
      }
    }
    this.#received = all
  }

  #fail(error: Error): void {
    this.#broken ??= error
    this.#socket.destroy()
    const done = this.#done
    this.#done = null
    done?.(error)
  }
}
