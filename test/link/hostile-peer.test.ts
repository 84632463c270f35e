// Strangers on the peer port: whatever they send, they are turned away and the node goes on serving.

import { describe, expect, test } from 'vitest'
import type { Connection } from '../../src/ports/transport.ts'
import { FrameReader, joinFrames } from '../../src/link/framing.ts'
import { decodeAnyFrame, encodeFrame } from '../../src/protocol/codec.ts'
import { type Frame, type HelloFrame, PROTOCOL_VERSION } from '../../src/protocol/messages.ts'
import { SimulatedProcess } from '../../src/simulator/simulated-process.ts'
import { stored, World, write } from './two-nodes.ts'
import type { NodeOptions, TestNode } from './two-nodes.ts'

interface Stranger {
  readonly connection: Connection
  readonly heard: Frame[]
  readonly closed: () => boolean
  say(...frames: Frame[]): void
}

async function stranger(world: World, to: string): Promise<Stranger> {
  const process = new SimulatedProcess(world.time, 'stranger')
  const connection = await world.time.settle(world.network.transport('stranger', process).connect(`${to}:7481`, 1000))
  const heard: Frame[] = []
  let closed = false
  const reader = new FrameReader()
  connection.onData = (bytes) => {
    reader.push(bytes)
    for (let body = reader.next(); body !== null; body = reader.next()) heard.push(decodeAnyFrame(body))
  }
  connection.onClose = () => {
    closed = true
  }
  return {
    connection,
    heard,
    closed: () => closed,
    say: (...frames) => void connection.write(joinFrames(frames.map(encodeFrame))),
  }
}

function hello(overrides: Partial<HelloFrame> = {}): HelloFrame {
  return {
    type: 'hello',
    version: PROTOCOL_VERSION,
    name: 'stranger',
    to: null,
    storage: 's',
    peerAddress: 'stranger:7481',
    clientAddress: '',
    clusterId: null,
    clusterName: 'test',
    nonce: new Uint8Array(24).fill(9),
    table: new Uint8Array(0),
    ...overrides,
  }
}

async function alone(world: World, options: NodeOptions = {}): Promise<TestNode> {
  const node = world.node('a', options)
  await world.time.settle(node.links.start())
  return node
}

describe('a stranger', () => {
  for (const [what, bytes] of [
    ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['an impossible length', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['a frame that is no MessagePack', Buffer.from([3, 0, 0, 0, 0xc1, 0xc1, 0xc1])],
    ['deep nesting', Buffer.concat([Buffer.from([0, 0, 1, 0]), Buffer.alloc(65_536, 0x91)])],
    [
      'a request before the handshake',
      Buffer.from(
        joinFrames([
          encodeFrame({
            type: 'request',
            id: 1,
            budgetMs: 1,
            time: 1,
            trace: null,
            request: write(),
          }),
        ]),
      ),
    ],
  ] as const) {
    test(`that sends ${what} gets a goodbye and is closed`, async () => {
      const world = new World()
      let handled = 0
      const node = await alone(world, {
        handler: () => {
          handled++
          return stored()
        },
      })
      const peer = await stranger(world, 'a')
      peer.connection.write(bytes)
      expect(await world.time.runUntilCondition(peer.closed, 500)).toBe(true)
      expect(peer.heard.at(-1)).toMatchObject({ type: 'goodbye', reason: 'protocol' })
      expect(handled).toBe(0)
      expect(node.changes).toEqual([])
    })
  }

  test('that says nothing is closed after the greeting time-out', async () => {
    const world = new World()
    await alone(world)
    const peer = await stranger(world, 'a')
    expect(await world.time.runUntilCondition(peer.closed, 1500)).toBe(false)
    expect(await world.time.runUntilCondition(peer.closed, 1500)).toBe(true)
  })

  test('finds no room once too many have not greeted, and room again later', async () => {
    const world = new World()
    await alone(world, { settings: { greetingsMax: 3 } })
    const first = [await stranger(world, 'a')]
    for (let i = 0; i < 2; i++) first.push(await stranger(world, 'a'))
    const tooMany = await stranger(world, 'a')
    expect(await world.time.runUntilCondition(tooMany.closed, 500)).toBe(true)
    expect(first.some((peer) => peer.closed())).toBe(false)
    await world.time.runFor(3000)
    const later = await stranger(world, 'a')
    expect(await world.time.runUntilCondition(later.closed, 500)).toBe(false)
  })

  test('without the secret is not linked, even when it reflects the proof', async () => {
    const world = new World()
    const node = await alone(world, { secrets: ['secret'] })
    const peer = await stranger(world, 'a')
    peer.say(hello())
    await world.time.runUntilCondition(() => peer.heard.length === 2, 500)
    const proof = peer.heard[1]
    expect(proof?.type).toBe('proof')
    if (proof !== undefined) peer.say(proof)
    expect(await world.time.runUntilCondition(peer.closed, 500)).toBe(true)
    expect(peer.heard.at(-1)).toMatchObject({ type: 'goodbye', reason: 'bad-secret' })
    expect(node.hellos).toEqual([])
  })

  test('that breaks the protocol after the handshake loses its link only', async () => {
    const world = new World()
    const node = await alone(world)
    const peer = await stranger(world, 'a')
    peer.say(hello(), { type: 'proof', proof: new Uint8Array(0) })
    peer.say({ type: 'heartbeat', sentAt: 1, echo: null, wall: 1, time: 1, membersDigest: '', settingsDigest: '' })
    expect(await world.time.runUntilCondition(() => node.links.reachable('stranger'), 500)).toBe(true)
    peer.say(hello())
    expect(await world.time.runUntilCondition(peer.closed, 500)).toBe(true)
    expect(node.changes).toEqual(['stranger up', 'stranger down'])
    const other = await stranger(world, 'a')
    expect(await world.time.runUntilCondition(() => other.heard.length > 0, 500)).toBe(true)
  })

  test('whose reply does not fit the request fails that request and its link', async () => {
    const world = new World()
    const node = await alone(world)
    const peer = await stranger(world, 'a')
    peer.say(hello(), { type: 'proof', proof: new Uint8Array(0) })
    peer.say({ type: 'heartbeat', sentAt: 1, echo: null, wall: 1, time: 1, membersDigest: '', settingsDigest: '' })
    await world.time.runUntilCondition(() => node.links.reachable('stranger'), 500)
    const asked = node.links.request('stranger', write(), { budgetMs: 1000 })
    const outcome = asked.then(
      () => 'resolved',
      (error: unknown) => error,
    )
    await world.time.runUntilCondition(() => peer.heard.some((frame) => frame.type === 'request'), 500)
    const request = peer.heard.find((frame) => frame.type === 'request')
    peer.say({
      type: 'reply',
      id: request?.type === 'request' ? request.id : 0,
      time: 1,
      reply: { type: 'handoff', bytesGranted: 1 },
    })
    expect(await world.time.settle(outcome)).toMatchObject({ code: 'protocol' })
    expect(await world.time.runUntilCondition(peer.closed, 500)).toBe(true)
  })

  test('whose request comes after so many others that it may be a repetition is told so, and not left waiting', async () => {
    const world = new World()
    const served: string[] = []
    await alone(world, {
      handler: (_from, request) => {
        served.push(request.type === 'write' ? request.key : '')
        return stored()
      },
    })
    const peer = await stranger(world, 'a')
    peer.say(hello(), { type: 'proof', proof: new Uint8Array(0) })
    const ask = (id: number): void =>
      peer.say({ type: 'request', id, budgetMs: 1000, time: 1, trace: null, request: write({ key: `${id}` }) })
    for (const id of [2, 100_000, 100_000, 3, 99_999]) ask(id)
    expect(await world.time.runUntilCondition(peer.closed, 500)).toBe(true)
    expect(served).toEqual(['2', '100000'])
    expect(peer.heard.at(-1)).toMatchObject({ type: 'goodbye', reason: 'protocol' })
  })
})
