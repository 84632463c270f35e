// Strangers on the peer port of a node that lives in a cluster: noise, impossible lengths, deep nesting, good greetings with noise
// behind them, thousands of connections that never greet. Afterwards the node must serve and still be linked to all others.

import type { SeededRandom } from '../../../src/simulator/seeded-random.ts'
import { encodeTable } from '../../../src/cluster/tables.ts'
import { joinFrames } from '../../../src/link/framing.ts'
import { encodeFrame } from '../../../src/protocol/codec.ts'
import { PROTOCOL_VERSION, type HelloFrame } from '../../../src/protocol/messages.ts'
import type { Cluster } from '../cluster.ts'
import type { NodeProcess } from '../node-process.ts'
import { exchange, hold } from '../raw-socket.ts'
import type { Verdict } from '../verdict.ts'

const UPGRADE = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: quorate\r\n\r\n'
const CLOSED_WITHIN_MS = 10_000

interface Attack {
  readonly what: string
  readonly send: readonly (Buffer | string)[]
}

export async function hostilePeers(
  cluster: Cluster,
  node: NodeProcess,
  verdict: Verdict,
  connections: number,
  random: SeededRandom,
): Promise<void> {
  const { id } = await cluster.json<{ readonly id: string }>(node, '/v1/cluster')
  for (const { what, send } of attacks(node, id, random)) {
    const startedAt = performance.now()
    await exchange(node.plan.peerPort, send, { waitMs: CLOSED_WITHIN_MS })
    verdict.count('hostile peers')
    verdict.hold(performance.now() - startedAt < CLOSED_WITHIN_MS, `${what}: the connection was not closed`)
    verdict.hold(await cluster.readyz(node), `${what}: the node no longer serves`)
  }
  const before = await residentBytes(cluster, node)
  const held = [
    await hold(node.plan.peerPort, connections / 2, null),
    await hold(node.plan.peerPort, connections / 2, UPGRADE),
  ]
  verdict.figures['connections that never greet'] = connections
  const path = '/v1/kv/hostile/meanwhile'
  const put = await cluster.http.call(node.url, 'PUT', path, { body: 'x', headers: { 'quorate-w': 'all' } })
  verdict.hold(put.status < 300, `a write among silent connections: ${put.status} ${put.body.toString()}`)
  const growth = (await residentBytes(cluster, node)) - before
  verdict.figures['resident MiB that they cost'] = (growth / 2 ** 20).toFixed(1)
  for (const each of held) each.release()
  await cluster.whole(10_000)
}

async function residentBytes(cluster: Cluster, node: NodeProcess): Promise<number> {
  const text = (await cluster.http.call(node.url, 'GET', '/metrics')).body.toString()
  return Number(/^process_resident_memory_bytes(?:\{[^}]*\})? (\S+)$/m.exec(text)?.[1] ?? 0)
}

function attacks(node: NodeProcess, clusterId: string, random: SeededRandom): readonly Attack[] {
  const noise = (length: number): Buffer => Buffer.from(random.bytes(length))
  const framed = (body: Buffer): Buffer => Buffer.from(joinFrames([body]))
  const prefix = (length: number): Buffer => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(length)
    return bytes
  }
  const greeting = (changes: Partial<HelloFrame> = {}): Buffer =>
    framed(Buffer.from(encodeFrame(helloOf(clusterId, changes))))
  const proof = framed(Buffer.from(encodeFrame({ type: 'proof', proof: new Uint8Array(0) })))
  const asMember = greeting({ name: node.name === 'node-1' ? 'node-2' : 'node-1' })
  return [
    { what: 'noise instead of HTTP', send: [noise(4096)] },
    { what: 'a request for the client port', send: ['GET /v1/kv/a/b HTTP/1.1\r\nHost: x\r\n\r\n'] },
    { what: 'another upgrade', send: [UPGRADE.replace('quorate', 'websocket')] },
    { what: 'endless headers', send: [`GET / HTTP/1.1\r\nHost: ${'x'.repeat(20_000)}\r\n\r\n`] },
    ...Array.from({ length: 5 }, (_, size): Attack => ({
      what: `noise ${size}`,
      send: [UPGRADE, noise(10 ** size)],
    })),
    { what: 'an empty frame', send: [UPGRADE, prefix(0)] },
    { what: 'a frame of 2^31 bytes', send: [UPGRADE, prefix(2 ** 31), noise(1000)] },
    { what: 'a frame of 2^32 - 1 bytes', send: [UPGRADE, prefix(2 ** 32 - 1), noise(1000)] },
    { what: 'a frame that is cut off', send: [UPGRADE, prefix(1000), noise(500)] },
    { what: 'arrays in arrays', send: [UPGRADE, framed(Buffer.alloc(500_000, 0x91))] },
    {
      what: 'maps in maps',
      send: [UPGRADE, framed(Buffer.concat(Array.from({ length: 100_000 }, () => Buffer.from([0x81, 0xa1, 0x61]))))],
    },
    {
      what: 'an array that claims 2^32 - 1 members',
      send: [UPGRADE, framed(Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]))],
    },
    {
      what: 'a string that claims 2^32 - 1 bytes',
      send: [UPGRADE, framed(Buffer.from([0x91, 0xdb, 0xff, 0xff, 0xff, 0xff]))],
    },
    { what: 'an extension', send: [UPGRADE, framed(Buffer.from([0x91, 0xd4, 0x72, 0x40]))] },
    {
      what: 'a prototype',
      send: [UPGRADE, framed(Buffer.from([0x91, 0x81, 0xa9, ...Buffer.from('__proto__'), 0x80]))],
    },
    { what: 'a proof before any greeting', send: [UPGRADE, proof] },
    { what: 'a greeting of another cluster', send: [UPGRADE, greeting({ clusterName: 'another' }), proof] },
    {
      what: 'a greeting of another cluster id',
      send: [UPGRADE, greeting({ clusterId: '00000000-0000-4000-8000-000000000000' }), proof],
    },
    { what: 'a greeting of an unknown member', send: [UPGRADE, greeting(), proof] },
    { what: 'a good greeting, then noise', send: [UPGRADE, greeting(), noise(10_000)] },
    { what: 'a good greeting, then nesting', send: [UPGRADE, greeting(), framed(Buffer.alloc(300_000, 0x91))] },
    { what: "a member's name, then noise", send: [UPGRADE, asMember, proof, noise(10_000)] },
    { what: 'a greeting with a member table of noise', send: [UPGRADE, greeting({ table: noise(200) }), proof] },
  ]
}

function helloOf(clusterId: string, changes: Partial<HelloFrame>): HelloFrame {
  return {
    type: 'hello',
    version: PROTOCOL_VERSION,
    name: 'stranger',
    to: null,
    storage: '00000000-0000-4000-8000-000000000001',
    peerAddress: '127.0.0.1:1',
    clientAddress: '127.0.0.1:2',
    clusterId,
    clusterName: 'quorate',
    nonce: Buffer.alloc(24, 7),
    table: encodeTable({
      type: 'founding',
      view: { clusterName: 'quorate', partitions: 1024, defaults: '{}', expect: 5, candidates: [] },
    }),
    ...changes,
  }
}
