// A TCP socket as a Connection: no delay, a high-water mark, and a close that still lets the last words out.
// Knows nothing of HTTP or frames. Invariant: `onClose` runs once, and no `onData` after it.

import type { Duplex } from 'node:stream'
import { Socket } from 'node:net'
import type { Connection } from '../ports/transport.ts'

const HIGH_WATER_BYTES = 1 << 20
/** How long a closed connection may take to send what was queued before. */
const LINGER_MS = 1000

export class SocketConnection implements Connection {
  readonly remote: string
  onData: (bytes: Uint8Array) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (error?: Error) => void = () => {}
  readonly #socket: Duplex
  #full = false
  #paused = false
  #closed = false
  #error: Error | undefined

  /** Starts to read once the receiver of this connection has had its turn to set handlers. */
  constructor(socket: Duplex, remote: string) {
    this.#socket = socket
    this.remote = remote
    if (socket instanceof Socket) {
      socket.setNoDelay(true)
      socket.setKeepAlive(true, 30_000)
      socket.setTimeout(0)
    }
    socket.on('data', (bytes: Buffer) => {
      if (!this.#closed) this.onData(bytes)
    })
    socket.on('drain', () => {
      if (!this.#full || this.#closed) return
      this.#full = false
      this.onDrain()
    })
    socket.on('error', (error: Error) => {
      this.#error = error
    })
    // Half-open connections are of no use to anybody here.
    socket.on('end', () => socket.destroy())
    socket.on('close', () => this.#end())
    socket.pause()
    setImmediate(() => {
      if (!this.#paused && !this.#closed) socket.resume()
    })
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  write(bytes: Uint8Array): boolean {
    if (this.#closed || this.#socket.destroyed) return false
    this.#socket.write(bytes)
    if (this.#socket.writableLength > HIGH_WATER_BYTES) this.#full = true
    return !this.#full
  }

  close(): void {
    if (this.#closed) return
    const socket = this.#socket
    const linger = setTimeout(() => socket.destroy(), LINGER_MS)
    linger.unref()
    socket.once('close', () => clearTimeout(linger))
    socket.end(() => socket.destroy())
    // Whatever the peer still sends is read and dropped: unread bytes would turn our close into a reset that eats them.
    socket.resume()
    setImmediate(() => this.#end())
  }

  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    if (!this.#closed) this.#socket.resume()
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.onClose(this.#error)
  }
}
