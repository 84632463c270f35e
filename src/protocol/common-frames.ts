// The frames of which nearly all traffic consists, `read` and `write` with their replies, without the detour over an array of fields:
// the same bytes as `codec.ts` gives for them, and the same frames from those bytes, at a fraction of the cost.
// Invariant: whatever is unusual about a frame or its bytes (other types, other text than ASCII, garbage) is left to `codec.ts`, which
// alone decides what is well-formed. Each slot's bounds here are those of the general codecs; `test/protocol` compares the two.

import { Split } from '../core/bytes.ts'
import type { ReplyFrame, RequestFrame, Frame, ReadRequest, Reply, Request, WriteRequest } from './messages.ts'
import { BUCKET_BYTES_MAX, KEY_BYTES_MAX, LABEL_BYTES_MAX, NAME_BYTES_MAX, TRACE_BYTES_MAX } from './fields.ts'
import { PackReader } from './pack-reader.ts'
import type { PackWriter } from './pack-writer.ts'
import { OUTCOMES } from './reply-codec.ts'
import { INTENTS } from './request-codec.ts'

export const REQUEST = 3
export const REPLY = 4
/** Requests and replies have the same codes for these. */
const WRITE = 1
const READ = 2

const READ_REQUEST_SLOTS = 14
const WRITE_REQUEST_SLOTS = 15
const READ_REPLY_SLOTS = 8
const WRITE_REPLY_SLOTS = 11

/** More than all slots together take besides their text and binary fields. */
const FIXED_BYTES_MAX = 128

/** At least as many bytes as `writeCommonFrame` needs for this frame; 0 for a frame that is none of these. */
export function commonFrameBytesMax(frame: Frame): number {
  if (frame.type === 'request') {
    const { request, trace } = frame
    if (request.type === 'read')
      return requestBytesMax(request, trace) + sizeOf(request.expectDigest) + sizeOf(request.mustInclude)
    if (request.type === 'write')
      return requestBytesMax(request, trace) + sizeOf(request.hintFor) + sizeOf(request.view)
  } else if (frame.type === 'reply') {
    const { reply } = frame
    if (reply.type === 'read') return FIXED_BYTES_MAX + reply.digest.length + sizeOf(reply.view) + sizeOf(reply.missing)
    if (reply.type === 'write') return FIXED_BYTES_MAX + sizeOf(reply.context) + sizeOf(reply.refusedDots)
  }
  return 0
}

function requestBytesMax({ bucket, key, membersDigest }: ReadRequest | WriteRequest, trace: string | null): number {
  return FIXED_BYTES_MAX + bucket.length + key.length + membersDigest.length + sizeOf(trace)
}

/** A tail needs no room: it is referred to. */
function sizeOf(field: string | Uint8Array | Split | null): number {
  return field === null ? 0 : field instanceof Split ? field.head.length : field.length
}

/** True when the frame was written, perhaps without a tail (`PackWriter.tail`); otherwise what was written is worth nothing, and `encodeFrame` must do it. */
export function writeCommonFrame(to: PackWriter, frame: Frame): boolean {
  to.plain = true
  to.tail = null
  if (frame.type === 'request') writeRequest(to, frame, frame.request)
  else if (frame.type === 'reply') writeReply(to, frame, frame.reply)
  else return false
  return to.plain
}

function writeRequest(to: PackWriter, frame: RequestFrame, request: Request): void {
  if (request.type !== 'read' && request.type !== 'write') {
    to.plain = false
    return
  }
  to.array(request.type === 'read' ? READ_REQUEST_SLOTS : WRITE_REQUEST_SLOTS)
  to.integer(REQUEST)
  to.integer(frame.id)
  to.amount(frame.budgetMs)
  to.amount(frame.time)
  to.textOrNull(frame.trace)
  to.integer(request.type === 'read' ? READ : WRITE)
  to.text(request.bucket, 1)
  to.text(request.key, 1)
  to.integer(request.partition)
  if (request.type === 'read') {
    to.textOrNull(request.expectDigest)
    to.binaryOrNull(request.mustInclude)
    to.boolean(request.fallback)
  } else {
    to.integer(INTENTS.indexOf(request.intent))
    to.binary(request.view)
    to.textOrNull(request.hintFor)
    to.boolean(request.durable)
  }
  to.text(request.membersDigest)
  to.amount(request.settingsVersion)
}

function writeReply(to: PackWriter, frame: ReplyFrame, reply: Reply): void {
  if (reply.type !== 'read' && reply.type !== 'write') {
    to.plain = false
    return
  }
  to.array(reply.type === 'read' ? READ_REPLY_SLOTS : WRITE_REPLY_SLOTS)
  to.integer(REPLY)
  to.integer(frame.id)
  to.amount(frame.time)
  if (reply.type === 'read') {
    to.integer(READ)
    to.text(reply.digest)
    to.binaryOrNull(reply.view)
    to.binaryOrNull(reply.missing)
  } else {
    to.integer(WRITE)
    to.integer(OUTCOMES.indexOf(reply.outcome))
    to.boolean(reply.durable)
    to.boolean(reply.heldLive)
    to.integer(reply.siblings)
    to.binaryOrNull(reply.context)
    to.binaryOrNull(reply.refusedDots)
  }
  to.boolean(reply.filling)
}

const reader = new PackReader()
// What the last request said, since the next one mostly says the same.
let lastBucket = ''
let lastMembersDigest = ''

/** The frame in `bytes` between `start` and `end`, its binary fields views on them; null when `codec.ts` must judge. */
export function readCommonFrame(bytes: Buffer, start: number, end: number): RequestFrame | ReplyFrame | null {
  const items = (bytes[start] as number) ^ 0x90
  const code = bytes[start + 1]
  if (code !== REQUEST && code !== REPLY) return null
  reader.begin(bytes, start + 2, end)
  const frame = code === REQUEST ? readRequest(items) : readReply(items)
  if (frame === null || !reader.finished) return null
  if (frame.type === 'request' && (frame.request.type === 'read' || frame.request.type === 'write')) {
    // Only of what was well read: a guess is believed without another look.
    lastBucket = frame.request.bucket
    lastMembersDigest = frame.request.membersDigest
  }
  return frame
}

function readRequest(slots: number): RequestFrame | null {
  if (slots !== READ_REQUEST_SLOTS && slots !== WRITE_REQUEST_SLOTS) return null
  const id = reader.integer()
  const budgetMs = reader.amount()
  const time = reader.amount()
  const trace = reader.textOrNull(TRACE_BYTES_MAX)
  if (reader.integer() !== (slots === READ_REQUEST_SLOTS ? READ : WRITE)) return null
  const request = slots === READ_REQUEST_SLOTS ? readRead() : readWrite()
  return { type: 'request', id, budgetMs, time, trace, request }
}

function readRead(): ReadRequest {
  return {
    type: 'read',
    bucket: reader.text(BUCKET_BYTES_MAX, 1, lastBucket),
    key: reader.text(KEY_BYTES_MAX, 1),
    partition: reader.integer(),
    expectDigest: reader.textOrNull(LABEL_BYTES_MAX),
    mustInclude: reader.binaryOrNull(),
    fallback: reader.boolean(),
    membersDigest: reader.text(LABEL_BYTES_MAX, 0, lastMembersDigest),
    settingsVersion: reader.amount(),
  }
}

function readWrite(): WriteRequest {
  return {
    type: 'write',
    bucket: reader.text(BUCKET_BYTES_MAX, 1, lastBucket),
    key: reader.text(KEY_BYTES_MAX, 1),
    partition: reader.integer(),
    intent: INTENTS[reader.integer(INTENTS.length - 1)] ?? 'client',
    view: reader.binary(),
    hintFor: reader.textOrNull(NAME_BYTES_MAX),
    durable: reader.boolean(),
    membersDigest: reader.text(LABEL_BYTES_MAX, 0, lastMembersDigest),
    settingsVersion: reader.amount(),
  }
}

function readReply(slots: number): ReplyFrame | null {
  if (slots !== READ_REPLY_SLOTS && slots !== WRITE_REPLY_SLOTS) return null
  const id = reader.integer()
  const time = reader.amount()
  if (reader.integer() !== (slots === READ_REPLY_SLOTS ? READ : WRITE)) return null
  const reply: Reply =
    slots === READ_REPLY_SLOTS
      ? {
          type: 'read',
          digest: reader.text(LABEL_BYTES_MAX),
          view: reader.binaryOrNull(),
          missing: reader.binaryOrNull(),
          filling: reader.boolean(),
        }
      : {
          type: 'write',
          outcome: OUTCOMES[reader.integer(OUTCOMES.length - 1)] ?? 'stored',
          durable: reader.boolean(),
          heldLive: reader.boolean(),
          siblings: reader.integer(),
          context: reader.binaryOrNull(),
          refusedDots: reader.binaryOrNull(),
          filling: reader.boolean(),
        }
  return { type: 'reply', id, time, reply }
}
