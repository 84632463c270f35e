// What nodes say to each other, frame by frame, with when it left and when it came: for pictures. Reads along, changes nothing.
// Invariant: a message is told when its last byte has arrived; one that never does is not told.

import { decodeView } from '../core/causality/view.ts'
import { partitionOf } from '../core/ring/partition.ts'
import { decodeFrame } from '../protocol/codec.ts'
import { type Frame, PART, type Reply, type Request } from '../protocol/messages.ts'
import { describeVersion } from './describe.ts'

export interface Message {
  readonly from: string
  readonly to: string
  /** Simulated milliseconds. */
  readonly sentAt: number
  readonly cameAt: number
  readonly kind: 'write' | 'hint' | 'read' | 'exchange' | 'reply' | 'other'
  readonly text: string
}

export interface Delivery {
  readonly from: string
  readonly to: string
  /** One direction of one connection. */
  readonly way: string
  readonly sentAt: number
  readonly cameAt: number
  readonly bytes: Uint8Array
}

const LENGTH_BYTES = 4

export class Wiretap {
  readonly messages: Message[] = []
  /** Bytes that came and are no whole frame yet, and since when; by way. */
  readonly #rests = new Map<string, { readonly bytes: Buffer; readonly sentAt: number }>()

  hear({ from, to, way, sentAt, cameAt, bytes }: Delivery): void {
    const rest = this.#rests.get(way)
    const all = Buffer.concat([rest?.bytes ?? NOTHING, bytes])
    let at = 0
    let since = rest && rest.bytes.length > 0 ? rest.sentAt : sentAt
    while (all.length - at >= LENGTH_BYTES) {
      const length = all.readUInt32LE(at)
      const end = at + LENGTH_BYTES + (length % PART)
      if (all.length < end) break
      // Large values travel in parts; a picture shows that they do.
      const told = length >= PART ? PARTED : describeFrame(all, at + LENGTH_BYTES, end)
      if (told) this.messages.push({ from, to, sentAt: since, cameAt, ...told })
      at = end
      since = sentAt
    }
    this.#rests.set(way, { bytes: all.subarray(at), sentAt: since })
  }
}

const NOTHING = Buffer.alloc(0)

type Told = Pick<Message, 'kind' | 'text'>

const PARTED: Told = { kind: 'other', text: 'part of a large frame' }

/** Null for what says nothing of keys. */
function describeFrame(bytes: Buffer, from: number, to: number): Told | null {
  let frame: Frame
  try {
    frame = decodeFrame(bytes, from, to)
  } catch {
    return { kind: 'other', text: 'not a frame' }
  }
  if (frame.type === 'request') return describeRequest(frame.request)
  if (frame.type === 'reply') return describeReply(frame.reply)
  if (frame.type === 'heartbeat') return null
  return { kind: 'other', text: frame.type }
}

function describeRequest(request: Request): Told {
  switch (request.type) {
    case 'write': {
      const versions = decodeView(request.view).versions.map(describeVersion).join(' and ')
      const what = `${request.bucket}/${request.key} ${versions || 'nothing but what was seen'}`
      if (request.hintFor !== null) return { kind: 'hint', text: `hint for ${request.hintFor}: ${what}` }
      return { kind: 'write', text: `${request.intent === 'client' ? 'write' : request.intent} ${what}` }
    }
    case 'read':
      return { kind: 'read', text: `read ${request.bucket}/${request.key}${request.fallback ? ' from hints' : ''}` }
    case 'compare':
      // Goes on all the time; only what differs is worth an arrow.
      return { kind: 'other', text: 'compare' }
    case 'exchange':
    case 'tree':
      return { kind: 'exchange', text: `${request.type} of partition ${partitionOf(request.partition)}` }
    default:
      return { kind: 'other', text: request.type }
  }
}

function describeReply(reply: Reply): Told {
  switch (reply.type) {
    case 'write':
      return { kind: 'reply', text: `${reply.outcome}${reply.durable ? ', durable' : ''}` }
    case 'read': {
      const versions = reply.view === null ? [] : decodeView(reply.view).versions.map(describeVersion)
      return {
        kind: 'reply',
        text: reply.view === null ? 'as expected, or nothing' : versions.join(' and ') || 'no version',
      }
    }
    case 'refused':
      return { kind: 'reply', text: `refused: ${reply.reason}` }
    case 'exchange': {
      const records = reply.records.map(
        ({ bucket, key, view }) => `${bucket}/${key} ${decodeView(view).versions.map(describeVersion).join(' and ')}`,
      )
      return { kind: 'exchange', text: records.length === 0 ? 'nothing that is lacking' : records.join('; ') }
    }
    case 'compare':
      return { kind: reply.equal ? 'other' : 'exchange', text: reply.equal ? 'equal' : 'differs' }
    default:
      return { kind: 'other', text: reply.type }
  }
}
