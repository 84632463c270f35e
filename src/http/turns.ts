// Requests that come before the answer to the one before on their connection (RFC 9112, section 9.3.2): each is served after that, so
// that what it asks for is what the one before has left. Knows nothing of what they ask. Invariant: while one waits no more is read
// from its connection than what has been already, and one whose connection has gone is never served.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { ValueRequest } from './value-request.ts'

/** Those that came last, of the connections on which any waited. */
const lastOf = new WeakMap<Socket, ServerResponse>()

/** For a response that has no socket yet: Node gives it one when all before it are out. */
export function serveInTurn(request: IncomingMessage, response: ServerResponse, serve: () => void): void {
  const { socket } = request
  lastOf.set(socket, response)
  if (request instanceof ValueRequest) request.hold()
  // Later: at the end of a request Node's parser starts reading again.
  process.nextTick(() => {
    if (response.socket === null) socket.pause()
  })
  response.once('socket', () => {
    // Where others wait behind it nothing more is needed from there.
    if (lastOf.get(socket) === response) socket.resume()
    serve()
    if (request instanceof ValueRequest) request.release()
  })
}
