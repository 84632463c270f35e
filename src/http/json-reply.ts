// Sends JSON, one line with an end, as bytes, so that no serializer touches it. Knows nothing of what it says.

import type { FastifyReply } from 'fastify'

export function sendJson(reply: FastifyReply, value: unknown, status = 200): FastifyReply {
  reply.code(status)
  reply.header('cache-control', 'no-store')
  reply.header('content-type', 'application/json')
  return reply.send(Buffer.from(`${JSON.stringify(value)}\n`))
}
