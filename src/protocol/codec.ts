// Frames as bytes and back: MessagePack positional arrays [frame code, …], without the length prefix (link's framing adds it).
// Decides what a well-formed frame is; knows nothing of connections. Invariant: whatever the bytes, decoding returns a
// well-formed frame or throws QuorateError('protocol'), at a cost bounded by the input's size; whatever is encoded is decoded again.

import { Packr, Unpackr } from 'msgpackr'
import { QuorateError } from '../errors.ts'
import type { Frame, GoodbyeFrame, HelloFrame } from './messages.ts'
import { assertBounded } from './bounds.ts'
import { readCommonFrame, REPLY, REQUEST } from './common-frames.ts'
import {
  amount,
  binary,
  exactly,
  integer,
  text,
  textOrNull,
  word,
  DETAIL_BYTES_MAX,
  LABEL_BYTES_MAX,
  NAME_BYTES_MAX,
  TRACE_BYTES_MAX,
  reject,
} from './fields.ts'
import type { Fields } from './fields.ts'
import { packReply, parseReply } from './reply-codec.ts'
import { packRequest, parseRequest } from './request-codec.ts'

const HELLO = 1
const PROOF = 2
const HEARTBEAT = 5
const GOODBYE = 6

const FRAME_TYPES: readonly (Frame['type'] | undefined)[] = [
  undefined,
  'hello',
  'proof',
  'request',
  'reply',
  'heartbeat',
  'goodbye',
]

const GOODBYE_REASONS: readonly GoodbyeFrame['reason'][] = [
  'closing',
  'protocol',
  'wrong-cluster',
  'bad-secret',
  'unknown-member',
  'name-taken',
  'replaced',
  'wrong-peer',
  'duplicate',
]

const packr = new Packr({ useRecords: false })
const unpackr = new Unpackr({ useRecords: false })

/**
 * The frame's body. The result is the caller's own. Throws `protocol` where `decodeFrame` would: a receiver ends the link over such a
 * frame, and with it the requests of everybody else.
 */
export function encodeFrame(frame: Frame): Buffer {
  const fields = frameFields(frame)
  parseFrame(fields)
  const bytes = packr.pack(fields)
  assertBounded(bytes)
  return bytes
}

/** The body between `from` and `to`. Binary fields of the result are views on `bytes`. Throws `protocol`, nothing else. */
export function decodeFrame(bytes: Buffer, from: number = 0, to: number = bytes.length): Frame {
  return readCommonFrame(bytes, from, to) ?? decodeAnyFrame(bytes.subarray(from, to))
}

/** The same without the short way for common frames. */
export function decodeAnyFrame(bytes: Uint8Array): Frame {
  assertBounded(bytes)
  let fields: unknown
  try {
    fields = unpackr.unpack(bytes)
  } catch (error) {
    throw new QuorateError('protocol', 'malformed frame: not MessagePack', { cause: error })
  }
  if (!Array.isArray(fields)) throw new QuorateError('protocol', 'malformed frame: not an array')
  return parseFrame(fields)
}

/** The type of an encoded frame by its first bytes alone; undefined when it is none of ours. */
export function frameTypeOf(bytes: Uint8Array): Frame['type'] | undefined {
  const tag = bytes[0]
  if (tag === undefined) return undefined
  if (tag >= 0x90 && tag < 0xa0) return FRAME_TYPES[bytes[1] ?? 0]
  if (tag === 0xdc) return FRAME_TYPES[bytes[3] ?? 0]
  return undefined
}

function frameFields(frame: Frame): readonly unknown[] {
  switch (frame.type) {
    case 'request':
      return packRequest([REQUEST, frame.id, frame.budgetMs, frame.time, frame.trace], frame.request)
    case 'reply':
      return packReply([REPLY, frame.id, frame.time], frame.reply)
    case 'heartbeat':
      return [HEARTBEAT, frame.sentAt, frame.echo, frame.wall, frame.time, frame.membersDigest, frame.settingsDigest]
    case 'hello':
      return [
        HELLO,
        frame.version,
        frame.name,
        frame.to,
        frame.storage,
        frame.peerAddress,
        frame.clientAddress,
        frame.clusterId,
        frame.clusterName,
        frame.nonce,
        frame.table,
        frame.software ?? null,
      ]
    case 'proof':
      return [PROOF, frame.proof]
    case 'goodbye':
      return [GOODBYE, GOODBYE_REASONS.indexOf(frame.reason), frame.detail]
  }
}

function parseFrame(fields: Fields): Frame {
  switch (integer(fields, 0)) {
    case REQUEST:
      return {
        type: 'request',
        id: integer(fields, 1),
        budgetMs: amount(fields, 2),
        time: amount(fields, 3),
        trace: textOrNull(fields, 4, TRACE_BYTES_MAX),
        request: parseRequest(fields, 5),
      }
    case REPLY:
      return { type: 'reply', id: integer(fields, 1), time: amount(fields, 2), reply: parseReply(fields, 3) }
    case HEARTBEAT:
      exactly(fields, 7)
      return {
        type: 'heartbeat',
        sentAt: amount(fields, 1),
        echo: fields[2] === null ? null : amount(fields, 2),
        wall: amount(fields, 3),
        time: amount(fields, 4),
        membersDigest: text(fields, 5, LABEL_BYTES_MAX),
        settingsDigest: text(fields, 6, LABEL_BYTES_MAX),
      }
    case HELLO:
      return parseHello(fields)
    case PROOF:
      exactly(fields, 2)
      return { type: 'proof', proof: binary(fields, 1) }
    case GOODBYE:
      exactly(fields, 3)
      return { type: 'goodbye', reason: word(fields, 1, GOODBYE_REASONS), detail: text(fields, 2, DETAIL_BYTES_MAX) }
    default:
      return reject(0, 'a known frame')
  }
}

// A later version may append to its hello, so that both sides can still agree on the lower version.
function parseHello(fields: Fields): HelloFrame {
  if (fields.length < 11) exactly(fields, 11)
  const nonce = binary(fields, 9)
  if (nonce.length < 16 || nonce.length > 64) reject(9, 'a nonce')
  return {
    type: 'hello',
    version: integer(fields, 1, 0xffff),
    name: text(fields, 2, NAME_BYTES_MAX, 1),
    to: textOrNull(fields, 3, NAME_BYTES_MAX),
    storage: text(fields, 4, LABEL_BYTES_MAX, 1),
    peerAddress: text(fields, 5, LABEL_BYTES_MAX),
    clientAddress: text(fields, 6, LABEL_BYTES_MAX),
    clusterId: textOrNull(fields, 7, LABEL_BYTES_MAX),
    clusterName: text(fields, 8, LABEL_BYTES_MAX),
    nonce,
    table: binary(fields, 10),
    software: fields.length > 11 ? textOrNull(fields, 11, LABEL_BYTES_MAX) : null,
  }
}
