// What is said is written whole, in order and once, however large it is and however often the connection is full.

import { Split, whole } from '../../src/core/bytes.ts'
import { expect, test } from 'vitest'
import { FrameReader } from '../../src/link/framing.ts'
import { Outbox } from '../../src/link/outbox.ts'
import type { Connection } from '../../src/ports/transport.ts'
import { decodeFrame, encodeFrame } from '../../src/protocol/codec.ts'
import type { Frame } from '../../src/protocol/messages.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { stored, write } from './two-nodes.ts'

interface Wire extends Connection {
  /** Views as they were given: an outbox must never write to them again. */
  readonly writes: Uint8Array[]
  full: boolean
}

function wire(): Wire {
  const writes: Uint8Array[] = []
  return {
    writes,
    full: false,
    remote: 'test',
    pendingBytes: 0,
    write(bytes) {
      writes.push(bytes)
      return !this.full
    },
    close() {},
    pause() {},
    resume() {},
    onData() {},
    onDrain() {},
    onClose() {},
  }
}

function framesIn(writes: readonly Uint8Array[]): Frame[] {
  const reader = new FrameReader()
  const frames: Frame[] = []
  for (const bytes of writes) {
    reader.push(bytes)
    while (reader.advance()) frames.push(decodeFrame(reader.bytes, reader.from, reader.to))
  }
  expect(reader.bufferedBytes).toBe(0)
  return frames
}

const asked = (id: number, bytes: number, key = `key-${id}`): Frame => ({
  type: 'request',
  id,
  budgetMs: 5000,
  time: 1e15,
  trace: null,
  request: write({ key, view: viewOf(bytes, id) }),
})

/** What is large may lie in two places. */
function viewOf(bytes: number, fill: number): Uint8Array | Split {
  const all = new Uint8Array(bytes).fill(fill)
  return bytes > 60_000 && fill % 2 === 0 ? new Split(Buffer.from(all.subarray(0, 7)), all.subarray(7)) : all
}

test('frames of all sizes and kinds, through fulls and drains', () => {
  const random = new SeededRandom('outbox')
  const connection = wire()
  let flush = (): void => {}
  const outbox = new Outbox(connection, (run) => {
    flush = run
  })
  const said: Frame[] = []
  for (let id = 1; id <= 600; id++) {
    const frame: Frame = random.pick([
      asked(id, random.pick([0, 100, 140, 5000, 70_000, 400_000])),
      asked(id, 10, 'ключ'),
      { type: 'reply', id, time: 1, reply: stored(id) },
      { type: 'heartbeat', sentAt: 1, echo: null, wall: 1, time: 1, membersDigest: '', settingsDigest: '' },
    ])
    const length = outbox.say(frame, 1 << 20)
    said.push(frame)
    expect(length).toBe(encodeFrame(frame).length)
    if (random.chance(0.2)) {
      connection.full = random.chance(0.3)
      flush()
    }
    if (random.chance(0.1)) {
      connection.full = false
      outbox.drained()
    }
  }
  connection.full = false
  outbox.drained()
  expect(outbox.pendingBytes).toBe(0)
  const heard = framesIn(connection.writes)
  expect(heard.length).toBe(said.length)
  expect(heard.map(summary).sort()).toEqual(said.map(summary).sort())
  // Those that leave in one piece keep their order, and so do those that leave in parts.
  const inParts = (frame: Frame): boolean => encodeFrame(frame).length > 64 << 10
  for (const wanted of [true, false])
    expect(heard.filter((frame) => inParts(frame) === wanted).map(summary)).toEqual(
      said.filter((frame) => inParts(frame) === wanted).map(summary),
    )
})

test('what is small does not wait until what is large has left', () => {
  const connection = wire()
  const outbox = new Outbox(connection, () => {}, 10_000)
  connection.full = true
  outbox.say(asked(1, 1 << 20), 2 << 20)
  outbox.flush()
  const begun = connection.writes.reduce((sum, { length }) => sum + length, 0)
  expect(begun).toBeLessThan(11_000)
  outbox.say(asked(2, 100), 2 << 20)
  outbox.drained()
  outbox.drained()
  connection.full = false
  outbox.drained()
  expect(framesIn(connection.writes).map((frame) => (frame.type === 'request' ? frame.id : 0))).toEqual([2, 1])
  expect(outbox.pendingBytes).toBe(0)
})

function summary(frame: Frame): string {
  if (frame.type !== 'request' || frame.request.type !== 'write') return JSON.stringify(frame)
  const { key, view } = frame.request
  const bytes = whole(view)
  return `${frame.id} ${key} ${bytes.length} ${new Set(bytes).size} ${bytes[0]}`
}

test('what is small does not hold up what is large for ever', () => {
  const connection = wire()
  const outbox = new Outbox(connection, () => {}, 10_000)
  outbox.say(asked(1, 100_000), 2 << 20)
  connection.full = true
  // More comes at each drain than the connection takes but for the parts.
  for (let drains = 0; outbox.unwrittenBytes > 0; drains++) {
    expect(drains).toBeLessThan(60)
    for (let i = 0; i < 10; i++) outbox.say(asked(i + 2, 2000), 2 << 20)
    outbox.drained()
  }
  expect(framesIn(connection.writes).some((frame) => frame.type === 'request' && frame.id === 1)).toBe(true)
})

test('what is said last comes last, also behind what is large and over a connection that is full', () => {
  const connection = wire()
  connection.full = true
  const outbox = new Outbox(connection, () => {}, 10_000)
  outbox.say(asked(1, 100_000), 2 << 20)
  outbox.say(asked(2, 100), 2 << 20)
  outbox.flush()
  outbox.flushAll()
  outbox.say({ type: 'goodbye', reason: 'closing', detail: '' }, 2 << 20)
  outbox.flushAll()
  expect(framesIn(connection.writes).map(({ type }) => type)).toEqual(['request', 'request', 'goodbye'])
  expect(outbox.unwrittenBytes).toBe(0)
})

test('a frame that is too large is not said, and leaves no trace', () => {
  const connection = wire()
  const outbox = new Outbox(connection, () => {})
  for (const key of ['key', 'ключ']) {
    outbox.say(asked(1, 10, key), 1000)
    const before = outbox.pendingBytes
    expect(outbox.say(asked(2, 2000, key), 1000)).toBeGreaterThan(2000)
    expect(outbox.pendingBytes).toBe(before)
  }
  outbox.flush()
  expect(framesIn(connection.writes).map((frame) => frame.type === 'request' && frame.id)).toEqual([1, 1])
})

test('while the connection is full nothing more is written, and all of it counts as pending', () => {
  const connection = wire()
  const outbox = new Outbox(connection, () => {})
  connection.full = true
  outbox.say(asked(1, 10), 1 << 20)
  outbox.flush()
  const lengths = [2, 3, 4].map((id) => 4 + outbox.say(asked(id, 40_000), 1 << 20))
  outbox.flush()
  expect(connection.writes.length).toBe(1)
  expect(outbox.pendingBytes).toBe(lengths.reduce((sum, length) => sum + length, 0))
  connection.full = false
  outbox.drained()
  expect(framesIn(connection.writes).map((frame) => frame.type === 'request' && frame.id)).toEqual([1, 2, 3, 4])
})
