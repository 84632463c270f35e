// Listens on the client port. Decides what a listening server needs beyond its routes: Expect, address, an orderly end. Knows
// nothing of routes. Invariant: what had begun when it was told to end is answered if it is complete in time; all else is told to go.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import type { NodeApi } from '../node/api.ts'
import { buildFrontedApp } from './app.ts'
import { Connections } from './connections.ts'
import { HTTP_LIMITS, type HttpLimits } from './limits.ts'
import { refusalOfHead } from './request-head.ts'
import { serveInTurn } from './turns.ts'
import { ValueRequest } from './value-request.ts'

export interface HttpServerOptions {
  readonly node: NodeApi
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Null: silent. */
  readonly logger: FastifyBaseLogger | null
  readonly limits?: Partial<HttpLimits>
}

export interface HttpServer {
  /** Where it listens: `http://host:port`. */
  readonly address: string
  readonly port: number
  /**
   * From now on each answer ends its connection, and requests that come count as late. Resolves when all connections that were open
   * have ended, or with false after `withinMs`. Whoever connects anew is still answered: it may want to hear that this node is not ready.
   */
  finish(withinMs: number): Promise<boolean>
  /** Listens no longer; lets what has begun finish for at most `withinMs`, then cuts it off. */
  close(withinMs?: number): Promise<void>
}

export async function createHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { node, host, port, logger } = options
  const limits: HttpLimits = { ...HTTP_LIMITS, ...options.limits }
  const { app, front, refuse } = await buildFrontedApp({ node, logger, limits })
  const connections = new Connections(app.server)
  let isEnding = false
  /** Whether a request is late is settled when it comes, not when its turn has come. */
  const inTurn =
    (serve: Serve): Serve =>
    (request, response) => {
      if (isEnding) {
        response.shouldKeepAlive = false
        if (request instanceof ValueRequest) request.isLate = true
      }
      if (response.socket === null) serveInTurn(request, response, () => serve(request, response))
      else serve(request, response)
    }
  const serve = takeRequests(app.server)
  const serveFronted: Serve = (request, response) => {
    if (!front.take(request, response)) serve(request, response)
  }
  app.server.on('request', inTurn(serveFronted))
  const serveExpecting: Serve = (request, response) => {
    // A client that waits to be asked for a body that is refused is answered without having sent it; nothing may follow then.
    const isTooLarge = Number(request.headers['content-length'] ?? 0) > limits.valueBytesMax
    if (isTooLarge || refusalOfHead(request) !== null) response.shouldKeepAlive = false
    else response.writeContinue()
    serveFronted(request, response)
  }
  app.server.on('checkContinue', inTurn(serveExpecting))
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    if (isEnding) response.shouldKeepAlive = false
    refuse(request, response, { code: 'expectation-failed', detail: 'only 100-continue can be expected' })
  })
  const finish = (withinMs: number): Promise<boolean> => {
    isEnding = true
    front.close()
    return connections.end(withinMs)
  }
  await app.listen({ host, port })
  const bound = app.server.address()
  const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port
  const shownHost = host.includes(':') ? `[${host}]` : host
  return {
    address: `http://${shownHost}:${boundPort}`,
    port: boundPort,
    finish,
    close: async (withinMs = limits.requestTimeoutMs) => {
      await finish(withinMs)
      const closed = app.close()
      connections.cut()
      await closed
    },
  }
}

type Serve = (request: IncomingMessage, response: ServerResponse) => void

/** From whoever listened for requests until now; the result hands them back. */
function takeRequests(server: Server): Serve {
  const listeners = server.listeners('request')
  server.removeAllListeners('request')
  return (request, response) => {
    for (const listener of listeners) listener.call(server, request, response)
  }
}
