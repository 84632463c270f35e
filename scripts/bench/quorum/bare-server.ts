// The yardstick: a fastify server that does nothing but answer. It reads a PUT's body, gives a GET as many bytes as it was told, and puts
// the headers that it was told on every answer, so that it can answer the very bytes that a node does.

import { fastify } from 'fastify'
import type { BareAnswers } from './load-plan.ts'

const [bytes = '100', told = '{"get":{},"put":{}}'] = process.argv.slice(2)
const value = Buffer.alloc(Number(bytes), 'v')
// From our own process.
const headers = JSON.parse(told) as BareAnswers
const app = fastify({ logger: false })
app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
app.get('/v1/kv/:bucket/:key', (_request, reply) =>
  reply.headers(headers.get).type('application/octet-stream').send(value),
)
app.put('/v1/kv/:bucket/:key', (_request, reply) => reply.headers(headers.put).code(204).send())
await app.listen({ host: '127.0.0.1', port: 0 })
const bound = app.server.address()
process.send?.(bound !== null && typeof bound === 'object' ? bound.port : 0)
process.on('disconnect', () => process.exit())
