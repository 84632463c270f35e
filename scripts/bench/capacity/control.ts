// The control: a bare fastify server that keeps values in a Map and watches its event loop as a node does. What it is late by, the
// machine and the runtime are; what a node is late by beyond that, the node is.

import { fastify } from 'fastify'
import { watchEventLoop } from '../../../src/http/event-loop-watch.ts'

const values = new Map<string, Buffer>()
const watch = watchEventLoop()
const app = fastify({ logger: false, forceCloseConnections: true })
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
app.get<{ Params: { key: string } }>('/v1/kv/:bucket/:key', (request, reply) => {
  const value = values.get(request.params.key)
  if (value === undefined) return reply.code(404).send()
  return reply.type('application/octet-stream').send(value)
})
app.put<{ Params: { key: string } }>('/v1/kv/:bucket/:key', (request, reply) => {
  const { key } = request.params
  const isNew = !values.has(key)
  // A copy: a slice of what was read would keep all of it.
  if (Buffer.isBuffer(request.body)) values.set(key, Buffer.from(request.body))
  return reply
    .header('quorate-siblings', '1')
    .code(isNew ? 201 : 204)
    .send()
})
app.get('/v1/stats', (_request, reply) => reply.send({ process: watch.figures() }))
await app.listen({ host: '127.0.0.1', port: 0 })
const bound = app.server.address()
process.send?.(bound !== null && typeof bound === 'object' ? bound.port : 0)
process.on('disconnect', () => process.exit())
