// What is answered by hand, on the socket: when Node's parser gives up before there is a whole request (400, 408, 413, 431), and to
// CONNECT, after which Node parses no more. Knows no routes. Invariant: such an answer is never written where it would be read as the answer to an earlier request whose body was
// complete, because that request may have been carried out.

import { IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { currentOf } from './connections.ts'
import { problemBody, PROBLEM_TYPE, PROBLEMS, type Problem } from './problems.ts'

function problemOfParserError(code: string | undefined): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return { code: 'headers-too-large', detail: 'the request line and headers are longer than this node reads' }
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { code: 'slow-request', detail: 'the request was not complete in time' }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { code: 'value-too-large', detail: 'chunk extensions are longer than this node reads' }
    default:
      return {
        code: 'bad-request',
        detail: `not a well-formed HTTP/1.1 request${code === undefined ? '' : ` (${code})`}`,
      }
  }
}

/** The status that was answered, or null: nothing was, by this. `receiptOf` says what stands for a request that came in part. */
export function answerParserError(
  error: Error,
  socket: Socket,
  receiptOf: (url: string) => string | null,
): number | null {
  const code: unknown = Reflect.get(error, 'code')
  if (code === 'ECONNRESET' || code === 'EPIPE' || !socket.writable || socket.destroyed) {
    socket.destroy()
    return null
  }
  const current = currentOf(socket)
  if (current !== null && isComplete(current.req)) {
    endWith(current, socket)
    return null
  }
  if (current?.headersSent) {
    socket.destroy()
    return null
  }
  const problem = problemOfParserError(typeof code === 'string' ? code : undefined)
  const receipt = current === null ? null : receiptOf(current.req.url ?? '/')
  socket.end(rawProblem(problem, receipt === null ? [] : [`Quorate-Receipt: ${receipt}`]), () => socket.destroySoon())
  return PROBLEMS[problem.code].status
}

/** Refuses to be a proxy. False: an answer is under way on the connection, and with it that ends. */
export function answerConnect(socket: Socket): boolean {
  // Node has let go of the connection, its errors with it.
  socket.on('error', () => {})
  const current = currentOf(socket)
  if (current !== null) {
    endWith(current, socket)
    return false
  }
  const problem = {
    code: 'method-not-allowed',
    detail: 'this server is no proxy: there is nothing to CONNECT to',
  } as const
  socket.end(rawProblem(problem, ['Allow: ']), () => socket.destroySoon())
  return true
}

function endWith(current: ServerResponse, socket: Socket): void {
  current.shouldKeepAlive = false
  if (current.writableFinished) socket.destroySoon()
  else current.once('close', () => socket.destroySoon())
}

function isComplete(request: unknown): boolean {
  return request instanceof IncomingMessage && request.complete
}

function rawProblem(problem: Problem, more: readonly string[]): Buffer {
  const { status } = PROBLEMS[problem.code]
  const body = problemBody(problem)
  const head = [
    `HTTP/1.1 ${status} ${REASONS.get(status) ?? 'Error'}`,
    'Connection: close',
    'Cache-Control: no-store',
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${body.length}`,
    `Date: ${new Date().toUTCString()}`,
    ...more,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body])
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [400, 'Bad Request'],
  [405, 'Method Not Allowed'],
  [408, 'Request Timeout'],
  [413, 'Payload Too Large'],
  [431, 'Request Header Fields Too Large'],
])
