// The yardstick: a fastify server that does nothing but answer. It reads a PUT's body and gives a GET the same number of bytes.

import { fastify } from 'fastify'

const valueBytes = Number(process.argv[2] ?? 100)
const value = Buffer.alloc(valueBytes, 'v')
const app = fastify({ logger: false })
app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
app.get('/v1/kv/:bucket/:key', (_request, reply) => reply.type('application/octet-stream').send(value))
app.put('/v1/kv/:bucket/:key', (_request, reply) => reply.code(204).send())
await app.listen({ host: '127.0.0.1', port: 0 })
const bound = app.server.address()
process.send?.(bound !== null && typeof bound === 'object' ? bound.port : 0)
process.on('disconnect', () => process.exit())
