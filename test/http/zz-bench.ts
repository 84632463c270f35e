import autocannon from 'autocannon'
import { fastify } from 'fastify'
import { pino } from 'pino'
import { createHttpServer } from '../../src/http/server.ts'
import { FakeNode } from './fake-node.ts'
const node = new FakeNode()
// constant-cost sealer and outcome
import { hash64 } from '../../src/core/hash64.ts'
const fixed = Buffer.alloc(8)
Object.assign(node, { sealer: { seal: () => fixed, verify: () => true } })
const server = await createHttpServer({
  node,
  host: '127.0.0.1',
  port: 0,
  logger: process.argv[3] === 'log' ? pino({ level: 'info' }) : null,
})
const value = Buffer.alloc(100, 'x')
await fetch(`${server.address}/v1/kv/b/key-1`, { method: 'PUT', body: value })
node.asked.push = () => 0
node.asked.unshift = () => 0
if (process.argv[2] === 'const') {
  node.nextGet = await node.get({ bucket: 'b', key: 'key-1', timeoutMs: 1 })
}
const bare = fastify({ logger: false })
bare.get('/v1/kv/:bucket/:key', async (_q, r) => {
  r.header('content-type', 'application/octet-stream')
  return r.send(value)
})
await bare.listen({ host: '127.0.0.1', port: 0 })
const bareUrl = `http://127.0.0.1:${(bare.server.address() as { port: number }).port}`
async function run(url: string): Promise<number> {
  const before = process.threadCpuUsage()
  const r = await autocannon({ url: `${url}/v1/kv/b/key-1`, connections: 16, duration: 1, workers: 1, pipelining: 4 })
  const { user, system } = process.threadCpuUsage(before)
  return Math.round(r.requests.total / ((user + system) / 1e6))
}
const ratios: number[] = []
await run(bareUrl)
await run(server.address)
for (let i = 0; i < 12; i++) {
  const a = await run(bareUrl),
    b = await run(server.address)
  ratios.push(b / a)
}
console.log(
  'bare-median',
  ratios
    .sort((x, y) => x - y)
    .map((x) => x.toFixed(2))
    .join(' '),
)
process.exit(0)
