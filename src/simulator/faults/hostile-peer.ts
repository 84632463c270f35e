// A stranger on the peer port: noise, impossible lengths, half frames, frames out of turn, wrong names and wrong secrets. It must cost a
// node a connection, nothing more. Invariant: it never gets past the handshake, so nothing it says may have an effect.

import { encodeFrame } from '../../protocol/codec.ts'
import { type Frame, type HelloFrame, PROTOCOL_VERSION } from '../../protocol/messages.ts'
import type { Connection } from '../../ports/transport.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { SeedPlan } from '../seed-plan.ts'
import type { Host, SimulatedCluster } from '../simulated-cluster.ts'
import { SimulatedProcess } from '../simulated-process.ts'

const PEER_PORT = 7481
const STAY_MS = 400

export async function attack(
  cluster: SimulatedCluster,
  random: SeededRandom,
  plan: SeedPlan,
  target: Host,
): Promise<void> {
  const process = new SimulatedProcess(cluster.time, 'intruder')
  const transport = cluster.network.transport('intruder', process)
  const rounds = random.integer(1, 5)
  for (let round = 0; round < rounds; round++) {
    let connection: Connection
    try {
      connection = await transport.connect(`${target.name}:${PEER_PORT}`, 500)
    } catch {
      break
    }
    for (const bytes of sayings(random, plan)) connection.write(bytes)
    await new Promise<void>((resolve) => {
      connection.onClose = () => resolve()
      void process.after(STAY_MS, resolve)
    })
    connection.close()
  }
  process.kill()
}

function sayings(random: SeededRandom, plan: SeedPlan): Uint8Array[] {
  const hello: HelloFrame = {
    type: 'hello',
    version: random.pick([PROTOCOL_VERSION, 0, 99]),
    name: random.pick(['node-0', 'intruder', 'node-1']),
    to: random.pick([null, 'node-0', 'nobody']),
    storage: '00000000-0000-0000-0000-000000000000',
    peerAddress: 'intruder:7481',
    clientAddress: 'intruder:7480',
    clusterId: random.pick([null, '11111111-1111-1111-1111-111111111111']),
    // Never the cluster's own: without secrets that alone keeps a stranger out.
    clusterName: plan.secrets.length > 0 ? random.pick(['simulated', 'another']) : 'another',
    nonce: random.bytes(24),
    table: random.bytes(random.integer(0, 40)),
  }
  const proof: Frame = { type: 'proof', proof: random.bytes(32) }
  const request: Frame = {
    type: 'request',
    id: 1,
    budgetMs: 1000,
    time: 0,
    trace: null,
    request: { type: 'handoff', pendingBytes: 1 },
  }
  switch (random.integer(0, 7)) {
    case 0:
      return [random.bytes(random.integer(1, 3000))]
    case 1:
      return [Buffer.of(255, 255, 255, 255), random.bytes(100)]
    case 2:
      return [framed(request)]
    case 3:
      return [framed(hello), framed(proof), framed(request)]
    case 4:
      return [framed(hello).subarray(0, random.integer(1, 60))]
    case 5:
      return [framed(hello), framed(hello)]
    default:
      return [damaged(random, framed(hello)), damaged(random, framed(proof))]
  }
}

function framed(frame: Frame): Uint8Array {
  const body = encodeFrame(frame)
  const bytes = Buffer.alloc(4 + body.length)
  bytes.writeUInt32LE(body.length, 0)
  bytes.set(body, 4)
  return bytes
}

function damaged(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  for (let i = 0; i < 3; i++) copy[random.integer(4, copy.length)] = random.integer(0, 256)
  return copy
}
