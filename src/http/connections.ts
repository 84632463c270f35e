// The connections of a server that is about to close: which ones are open, and how they come to an end without a request on them being
// lost. Knows nothing of requests' meaning. Invariant: before `cut` none ends with an answer that is half sent, or with a request
// half received.

import { type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** How often idle connections are ended. The first time after so long, too: whoever asks all the time hears of the end in an answer. */
const LOOK_MS = 100

export class Connections {
  readonly #server: Server
  readonly #open = new Set<Socket>()

  constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket: Socket) => {
      this.#open.add(socket)
      socket.once('close', () => this.#open.delete(socket))
    })
  }

  /**
   * Ends those that are idle, lets each of the others end with the answer to what it has begun, and resolves when all that are open now
   * have ended, or with false after `withinMs`: then some are left. What comes later must be told by its answers to end.
   */
  async end(withinMs: number): Promise<boolean> {
    const ending = new Set(this.#open)
    for (const socket of ending) announceEnd(socket)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const ended = (socket: Socket): void => {
      ending.delete(socket)
      if (ending.size === 0) resolve(true)
    }
    for (const socket of ending) {
      if (socket.closed) ending.delete(socket)
      else socket.once('close', () => ended(socket))
    }
    if (ending.size === 0) return true
    const looking = setInterval(() => this.#endIdle(ending), LOOK_MS)
    const tooLate = setTimeout(() => resolve(false), withinMs)
    const haveEnded = await promise
    clearInterval(looking)
    clearTimeout(tooLate)
    return haveEnded
  }

  cut(): void {
    for (const socket of this.#open) socket.destroy()
  }

  #endIdle(ending: ReadonlySet<Socket>): void {
    // Node counts a connection that has never said anything among the busy ones.
    for (const socket of ending) if (socket.bytesRead === 0) socket.destroy()
    // And among the idle ones one whose answer is written but not sent yet: it would be cut off, so all wait until that is out.
    for (const socket of this.#open) {
      const current = currentOf(socket)
      if (current !== null && current.writableEnded && !current.writableFinished) return
    }
    this.#server.closeIdleConnections()
  }
}

/**
 * The answer under way says that it is the last one, so that its client sends nothing more here; where that cannot be said any more, the
 * connection ends with it all the same. Not where a further request has arrived behind it: that one would never be answered.
 */
function announceEnd(socket: Socket): void {
  const current = currentOf(socket)
  if (current === null || current.req !== latestOf(socket)) return
  if (!current.headersSent) current.shouldKeepAlive = false
  else {
    current.once('close', () => {
      if ((latestOf(socket) ?? current.req) === current.req) socket.destroySoon()
    })
  }
}

/** The answer that a connection is occupied with, if any. Node keeps it there; it has no public name. */
export function currentOf(socket: Socket): ServerResponse | null {
  const current: unknown = Reflect.get(socket, '_httpMessage')
  return current instanceof ServerResponse ? current : null
}

/** The request that arrived last and is not done with. It has no public name either; without it connections end when they are idle. */
function latestOf(socket: Socket): unknown {
  const parser: unknown = Reflect.get(socket, 'parser')
  return typeof parser === 'object' && parser !== null ? Reflect.get(parser, 'incoming') : undefined
}
