// The peer port: bytes on a connection, frames, what the rooms above read out of them, and a whole link before and after its greeting.

import fc from 'fast-check'
import { unpack } from 'msgpackr'
import { decodeTable, encodeTable } from '../../../src/cluster/tables.ts'
import { whole } from '../../../src/core/bytes.ts'
import { decodeDotSet } from '../../../src/core/causality/dot-set-bytes.ts'
import { decodeView } from '../../../src/core/causality/view.ts'
import { decodeBucketTable, encodeBucketTable } from '../../../src/core/membership/bucket-settings.ts'
import { QuorateError } from '../../../src/errors.ts'
import { FrameReader } from '../../../src/link/framing.ts'
import { decodeAnyFrame, decodeFrame, encodeFrame } from '../../../src/protocol/codec.ts'
import { type Frame, PART } from '../../../src/protocol/messages.ts'
import { differing, packPartitions, unpackEntries, unpackPartitions } from '../../../src/repair/comparison.ts'
import { frame as anyFrame } from '../../../test/protocol/arbitrary-frames.ts'
import { Dice } from '../dice.ts'
import { about, type Door, door, law } from '../door.ts'
import { type Draft, Ink } from '../ink.ts'
import { dotsDoor, honest, isMalformed, merged, viewDoor } from './core-doors.ts'
import { dotsGrammar, viewGrammar } from './core-drafts.ts'
import { bucketsGrammar, entriesGrammar, tableGrammar } from './table-drafts.ts'

/** Not where the engine's own error stands behind it: a stack that overflowed was not bounded before. */
const isProtocol = (error: unknown): boolean =>
  error instanceof QuorateError && error.code === 'protocol' && !(error.cause instanceof RangeError)

/** Frames whose binary fields are what they are in a cluster. */
export const frames: fc.Arbitrary<Frame> = fc
  .tuple(anyFrame, viewGrammar, dotsGrammar, tableGrammar, bucketsGrammar, entriesGrammar)
  .map(([given, ...drafts]) => {
    const [view, dots, table, settings, entries] = drafts.map((draft) => () => Ink.render(draft, []).bytes)
    return filled(given, { view, dots, table, settings, entries } as Fillings)
  })

type Filling = () => Buffer
interface Fillings {
  readonly view: Filling
  readonly dots: Filling
  readonly table: Filling
  readonly settings: Filling
  readonly entries: Filling
}

function filled(given: Frame, { view, dots, table, settings, entries }: Fillings): Frame {
  if (given.type === 'hello') return { ...given, table: table() }
  if (given.type === 'request') {
    const { request } = given
    switch (request.type) {
      case 'write':
        return { ...given, request: { ...request, view: view() } }
      case 'read':
        return { ...given, request: { ...request, mustInclude: request.mustInclude && dots() } }
      case 'members':
        return { ...given, request: { ...request, table: table() } }
      case 'settings':
        // Behind a byte that says that they are a table.
        return { ...given, request: { ...request, settings: Buffer.concat([Buffer.of(0), settings()]) } }
      case 'compare':
        return { ...given, request: { ...request, entries: request.entries && entries() } }
      case 'exchange':
        return { ...given, request: { ...request, clock: dots() } }
      default:
        return given
    }
  }
  if (given.type !== 'reply') return given
  const { reply } = given
  switch (reply.type) {
    case 'read':
      return { ...given, reply: { ...reply, view: reply.view && view(), missing: reply.missing && dots() } }
    case 'write':
      return { ...given, reply: { ...reply, context: reply.context && dots() } }
    case 'exchange':
      return { ...given, reply: { ...reply, records: reply.records.map((record) => ({ ...record, view: view() })) } }
    default:
      return given
  }
}

/** What the rooms above take out of a frame. Throws `MalformedBytes`. */
function readPayload(frame: Frame): void {
  if (frame.type === 'hello') decodeTable(frame.table)
  if (frame.type === 'request') {
    const { request } = frame
    if (request.type === 'write') merged(decodeView(whole(request.view)))
    else if (request.type === 'read') {
      if (request.mustInclude) decodeDotSet(request.mustInclude)
    } else if (request.type === 'members') decodeTable(request.table)
    else if (request.type === 'settings') decodeBucketTable(request.settings.subarray(1))
    else if (request.type === 'compare') unpackEntries(request.entries ?? Buffer.of(0))
    else if (request.type === 'exchange') decodeDotSet(request.clock)
  }
  if (frame.type === 'reply') {
    const { reply } = frame
    if (reply.type === 'read') {
      if (reply.view) merged(decodeView(whole(reply.view)))
      if (reply.missing) decodeDotSet(reply.missing)
    } else if (reply.type === 'write') {
      if (reply.context) decodeDotSet(reply.context)
      if (reply.refusedDots) decodeDotSet(reply.refusedDots)
    } else if (reply.type === 'exchange') for (const { view } of reply.records) merged(decodeView(view))
    else if (reply.type === 'members') decodeTable(reply.table)
    else if (reply.type === 'compare') unpackPartitions(reply.differing ?? Buffer.of(0))
  }
}

interface ReadFrame {
  readonly frame: Frame
  readonly payload: 'read' | 'refused'
}

function readFrame(bytes: Buffer, from?: number, to?: number): ReadFrame {
  const frame = decodeFrame(bytes, from, to)
  try {
    readPayload(frame)
    return { frame, payload: 'read' }
  } catch (error) {
    if (!isMalformed(error)) throw error
    return { frame, payload: 'refused' }
  }
}

function nameOf(frame: Frame): string {
  return `${frame.type} ${frame.type === 'request' ? frame.request.type : frame.type === 'reply' ? frame.reply.type : ''}`
}

/** Every slot of a message that is a number counts something, or is a time. */
function isSound(value: unknown): boolean {
  if (typeof value === 'number') return value >= 0 && value <= Number.MAX_SAFE_INTEGER
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return true
  return Object.values(value).every(isSound)
}

function checkFrame(frame: Frame, bytes: Buffer): void {
  law(isSound(frame), 'a frame says a number that is none')
  const again = encodeFrame(frame)
  law(encodeFrame(decodeFrame(again)).equals(again), 'a frame that was encoded decodes to another')
  law(encodeFrame(decodeAnyFrame(bytes)).equals(again), 'the short and the general way read different frames')
}

/** Array by array and item by item, each of which may be a lie. */
const bodyGrammar: fc.Arbitrary<Draft> = frames.map((frame): Draft => {
  const fields: unknown = unpack(encodeFrame(frame))
  return (ink) => ink.pack(fields)
})

const bodyDoor: Door = door<ReadFrame>({
  name: 'body',
  weight: 6,
  grammar: bodyGrammar,
  samples: () => fc.sample(frames, { numRuns: 120, seed: 7 }).map((frame) => encodeFrame(frame)),
  isDeclared: isProtocol,
  read: (bytes) => readFrame(bytes),
  check: ({ frame }, bytes) => checkFrame(frame, bytes),
  kindOf: ({ frame, payload }) => `${nameOf(frame)}, payload ${payload}`,
})

const STREAM_BYTES_MAX = 1 << 20

/** Frames as they lie on a connection; each length may be a lie, some come in parts with others between. */
export const streamGrammar: fc.Arbitrary<Draft> = fc
  .tuple(fc.array(frames, { minLength: 1, maxLength: 4 }), fc.array(fc.nat(0xffff), { minLength: 12, maxLength: 12 }))
  .map(([list, chances]): Draft => {
    const bodies = list.map((frame) => encodeFrame(frame))
    return (ink) => {
      for (const [i, body] of bodies.entries()) {
        const chance = chances[i] as number
        if (chance % 3 > 0 || body.length < 3) {
          ink.fixed(body.length, 4)
          ink.raw(body)
          continue
        }
        const cut = 1 + ((chances[i + 4] as number) % (body.length - 1))
        ink.fixed(PART + cut + 4, 4)
        ink.fixed(body.length, 4)
        ink.raw(body.subarray(0, cut))
        const between = bodies[(chances[i + 8] as number) % bodies.length] as Buffer
        if (chance % 2 === 0) {
          ink.fixed(between.length, 4)
          ink.raw(between)
        }
        ink.fixed(PART + body.length - cut, 4)
        ink.raw(body.subarray(cut))
      }
    }
  })

interface Heard {
  readonly frames: readonly string[]
  readonly end: string
  readonly buffered: number
}

function hear(reader: FrameReader, chunks: Iterable<Buffer>): Heard {
  const heard: string[] = []
  let end = 'waits'
  try {
    for (const chunk of chunks) {
      reader.push(chunk)
      while (reader.advance()) {
        const { frame, payload } = readFrame(reader.bytes, reader.from, reader.to)
        heard.push(`${nameOf(frame)} ${payload} ${reader.to - reader.from}`)
      }
    }
  } catch (error) {
    if (!isProtocol(error)) throw error
    end = (error as QuorateError).message.replace(/\d+/g, '#')
  }
  return { frames: heard, end, buffered: reader.bufferedBytes }
}

/** Pieces whose sizes depend on the bytes alone. */
export function chunksOf(bytes: Buffer): Buffer[] {
  const dice = new Dice(bytes.length * 31 + (bytes[bytes.length >> 1] ?? 0))
  const chunks: Buffer[] = []
  const widest = dice.pick([2, 7, 100, 5000])
  for (let at = 0; at < bytes.length;) {
    const to = at + 1 + dice.below(widest)
    chunks.push(bytes.subarray(at, to))
    at = to
  }
  return chunks
}

const streamDoor: Door = door<Heard>({
  name: 'stream',
  weight: 3,
  grammar: streamGrammar,
  samples: () => honest(streamGrammar, 40),
  reservedBytes: STREAM_BYTES_MAX,
  isDeclared: isProtocol,
  read: (bytes) => hear(new FrameReader(STREAM_BYTES_MAX), [bytes]),
  check: (heard, bytes) => {
    const inPieces = hear(new FrameReader(STREAM_BYTES_MAX), chunksOf(bytes))
    law(
      inPieces.end === heard.end && inPieces.frames.join() === heard.frames.join(),
      'what is heard depends on the pieces in which it came',
    )
    law(heard.buffered <= bytes.length, 'more bytes wait than came')
  },
  kindOf: ({ frames: heard, end }) => `${heard.length} frames ${heard.at(-1)?.replace(/\d+/, '') ?? ''}, then ${end}`,
})

const tableDoor: Door = door<ReturnType<typeof decodeTable>>({
  name: 'table',
  weight: 1,
  grammar: tableGrammar,
  samples: () => honest(tableGrammar, 20),
  isDeclared: isMalformed,
  read: (bytes) => {
    const table = decodeTable(bytes)
    if (table.type === 'formed') table.table.merge(table.table)
    return table
  },
  check: (table, bytes) => law(encodeTable(table).equals(bytes), 'a member table has two spellings'),
  kindOf: (table) =>
    table.type === 'formed' ? `formed ${table.table.members.length}` : `founding ${table.view.candidates.length}`,
})

const bucketsDoor: Door = door<ReturnType<typeof decodeBucketTable>>({
  name: 'buckets',
  weight: 1,
  grammar: bucketsGrammar,
  samples: () => honest(bucketsGrammar, 20),
  isDeclared: isMalformed,
  read: (bytes) => decodeBucketTable(bytes),
  check: (table) => {
    const again = encodeBucketTable(table)
    law(encodeBucketTable(decodeBucketTable(again)).equals(again), 'bucket settings come back as others')
  },
  kindOf: (table) => `settings of ${about(table.size)}`,
})

const entriesDoor: Door = door<readonly number[]>({
  name: 'entries',
  weight: 1,
  grammar: entriesGrammar,
  samples: () => honest(entriesGrammar, 20),
  isDeclared: isMalformed,
  // As it is answered: with the partitions that differ.
  read: (bytes) => {
    const partitions = differing(new Map(), unpackEntries(bytes))
    unpackPartitions(packPartitions(partitions))
    return partitions
  },
  kindOf: (partitions) => `differ in ${about(partitions.length)}`,
})

export const FRAME_DOORS: readonly Door[] = [
  bodyDoor,
  streamDoor,
  viewDoor,
  dotsDoor,
  tableDoor,
  bucketsDoor,
  entriesDoor,
]
