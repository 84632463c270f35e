import { describe, expect, test } from 'vitest'
import { joinFrames } from '../../src/link/framing.ts'
import type { Connection } from '../../src/ports/transport.ts'
import { encodeFrame } from '../../src/protocol/codec.ts'
import { NO_NETWORK_FAULTS, SimulatedNetwork } from '../../src/simulator/network.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { SimulatedProcess } from '../../src/simulator/simulated-process.ts'
import { VirtualTime } from '../../src/simulator/virtual-clock.ts'

async function connected(seed: number = 1): Promise<{
  time: VirtualTime
  network: SimulatedNetwork
  near: Connection
  far: Connection
  farProcess: SimulatedProcess
  received: () => Buffer
  closed: () => Error | true | undefined
}> {
  const time = new VirtualTime()
  const network = new SimulatedNetwork({ time, random: new SeededRandom(seed) })
  const farProcess = new SimulatedProcess(time, 'far')
  let far: Connection | undefined
  const chunks: Uint8Array[] = []
  let closed: Error | true | undefined
  await time.settle(
    network.transport('far', farProcess).listen('far:1', (connection) => {
      far = connection
      connection.onData = (bytes) => chunks.push(bytes)
      connection.onClose = (error) => {
        closed = error ?? true
      }
    }),
  )
  const near = await time.settle(network.transport('near', new SimulatedProcess(time, 'near')).connect('far:1', 1000))
  if (far === undefined) throw new Error('not accepted')
  return { time, network, near, far, farProcess, received: () => Buffer.concat(chunks), closed: () => closed }
}

function heartbeat(sentAt: number): Uint8Array {
  return encodeFrame({ type: 'heartbeat', sentAt, echo: null, wall: 0, time: 0, membersDigest: '', settingsDigest: '' })
}

function reply(id: number): Uint8Array {
  return encodeFrame({ type: 'reply', id, time: 0, reply: { type: 'handoff', bytesGranted: 0 } })
}

describe('partitions', () => {
  test('hold bytes silently and let them through in order when healed', async () => {
    const { time, network, near, far, received } = await connected()
    network.cut('near', 'far')
    near.write(Buffer.from('one '))
    await time.runFor(1000)
    near.write(Buffer.from('two'))
    await time.runFor(1000)
    expect(received().toString()).toBe('')
    let back = ''
    near.onData = (bytes) => {
      back += Buffer.from(bytes).toString()
    }
    far.write(Buffer.from('the other way works'))
    await time.runFor(100)
    expect(back).toBe('the other way works')
    network.heal('near', 'far')
    await time.runFor(100)
    expect(received().toString()).toBe('one two')
  })

  test('hold a close as well', async () => {
    const { time, network, near, closed } = await connected()
    network.cut('near', 'far')
    near.close()
    await time.runFor(5000)
    expect(closed()).toBeUndefined()
    network.healAll()
    await time.runFor(100)
    expect(closed()).toBe(true)
  })

  test('make connecting time out', async () => {
    const { time, network } = await connected()
    network.cut('far', 'near')
    const attempt = network.transport('near', new SimulatedProcess(time, 'near')).connect('far:1', 300)
    await expect(time.settle(attempt)).rejects.toMatchObject({ code: 'unreachable' })
  })
})

describe('broken connections', () => {
  test('a reset delivers a prefix, and both sides hear of it', async () => {
    const lengths = new Set<number>()
    for (let seed = 0; seed < 30; seed++) {
      const { time, network, near, received, closed } = await connected(seed)
      let nearClosed = false
      near.onClose = () => {
        nearClosed = true
      }
      network.faults = { ...NO_NETWORK_FAULTS, reset: 1 }
      near.write(Buffer.from('0123456789'))
      await time.runFor(100)
      expect('0123456789'.startsWith(received().toString())).toBe(true)
      expect(closed()).toBeInstanceOf(Error)
      expect(nearClosed).toBe(true)
      lengths.add(received().length)
    }
    expect(lengths.size).toBeGreaterThan(4)
  })

  test('a crashed host is heard of, or not', async () => {
    for (const how of ['reset', 'silent'] as const) {
      const { time, network, near, farProcess } = await connected()
      let nearClosed = false
      near.onClose = () => {
        nearClosed = true
      }
      farProcess.kill()
      network.crashHost('far', how)
      await time.runFor(1000)
      expect(nearClosed).toBe(how === 'reset')
      const attempt = network.transport('near', new SimulatedProcess(time, 'near')).connect('far:1', 300)
      await expect(time.settle(attempt)).rejects.toMatchObject({ code: 'unreachable' })
    }
  })
})

describe('faults of frames', () => {
  test('touch only requests and replies, and keep the stream whole', async () => {
    const { time, network, near, received } = await connected()
    network.faults = { ...NO_NETWORK_FAULTS, dropFrame: 0.2, duplicateFrame: 0.2, reorderFrame: 0.2, delayMsMax: 20 }
    for (let i = 0; i < 200; i++) {
      near.write(joinFrames([heartbeat(i), reply(i), reply(i + 1000)]))
      await time.runFor(1)
    }
    await time.runFor(1000)
    const stream = received()
    const beats: string[] = []
    const replies: string[] = []
    for (let at = 0; at < stream.length;) {
      const end = at + 4 + stream.readUInt32LE(at)
      const body = stream.subarray(at + 4, end).toString('hex')
      if (stream[at + 5] === 5) beats.push(body)
      else replies.push(body)
      at = end
    }
    expect(beats).toEqual(Array.from({ length: 200 }, (_, i) => Buffer.from(heartbeat(i)).toString('hex')))
    const { framesDropped, framesDuplicated, framesReordered } = network.counters
    expect(replies.length).toBe(400 - framesDropped + framesDuplicated)
    expect(Math.min(framesDropped, framesDuplicated, framesReordered)).toBeGreaterThan(30)
    const sent = Array.from({ length: 200 }, (_, i) => [i, i + 1000])
      .flat()
      .map((id) => Buffer.from(reply(id)).toString('hex'))
    expect(new Set(replies).difference(new Set(sent)).size).toBe(0)
  })

  test('leave a stream that is not made of frames alone', async () => {
    const { time, network, near, received } = await connected()
    network.faults = { ...NO_NETWORK_FAULTS, dropFrame: 1 }
    near.write(Buffer.alloc(5000, 0xff))
    near.write(Buffer.from('and more'))
    await time.runFor(100)
    expect(received().length).toBe(5008)
  })
})
