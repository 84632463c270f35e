// What is answered by hand, on the socket, when Node's parser gives up before there is a request: 400, 408, 413, 431. Knows no
// routes. Invariant: such an answer is never written where it would be read as the answer to an earlier request whose body was
// complete, because that request may have been carried out.

import { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { currentOf } from './connections.ts'
import { problemBody, PROBLEM_TYPE, PROBLEMS, type Problem } from './problems.ts'

export function problemOfParserError(code: string | undefined): Problem {
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

/** The status that was answered, or null: nothing was, by this. */
export function answerParserError(error: Error, socket: Socket): number | null {
  const code: unknown = Reflect.get(error, 'code')
  if (code === 'ECONNRESET' || code === 'EPIPE' || !socket.writable || socket.destroyed) {
    socket.destroy()
    return null
  }
  const current = currentOf(socket)
  if (current !== null && isComplete(current.req)) {
    current.shouldKeepAlive = false
    if (current.writableFinished) socket.destroySoon()
    else current.once('close', () => socket.destroySoon())
    return null
  }
  if (current?.headersSent) {
    socket.destroy()
    return null
  }
  const problem = problemOfParserError(typeof code === 'string' ? code : undefined)
  socket.end(rawProblem(problem), () => socket.destroySoon())
  return PROBLEMS[problem.code].status
}

function isComplete(request: unknown): boolean {
  return request instanceof IncomingMessage && request.complete
}

function rawProblem(problem: Problem): Buffer {
  const { status } = PROBLEMS[problem.code]
  const body = problemBody(problem)
  const head = [
    `HTTP/1.1 ${status} ${REASONS.get(status) ?? 'Error'}`,
    'Connection: close',
    'Cache-Control: no-store',
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${body.length}`,
    `Date: ${new Date().toUTCString()}`,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body])
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [400, 'Bad Request'],
  [408, 'Request Timeout'],
  [413, 'Payload Too Large'],
  [431, 'Request Header Fields Too Large'],
])
