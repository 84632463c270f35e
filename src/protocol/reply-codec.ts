// Replies as flat positional arrays: the slots after a reply frame's own. Adding a type appends a code; a code is never reused.
// Knows nothing of frames or bytes. Invariant: parse(pack(r)) equals r, and parse yields only well-formed replies.

import { whole } from '../core/bytes.ts'
import type { ExchangeReply, ListReply, RefusalReason, Reply, WriteReply } from './messages.ts'
import {
  amount,
  arrayOf,
  binary,
  binaryOrNull,
  boolean,
  exactly,
  hash,
  integer,
  text,
  textOrNull,
  texts,
  word,
  BUCKET_BYTES_MAX,
  KEY_BYTES_MAX,
  LABEL_BYTES_MAX,
  reject,
} from './fields.ts'
import type { Fields } from './fields.ts'

export const OUTCOMES: readonly WriteReply['outcome'][] = ['stored', 'already', 'hinted']

const REASONS: readonly RefusalReason[] = [
  'stale-members',
  'stale-settings',
  'not-home',
  'too-many-siblings',
  'idempotency-mismatch',
  'clock-ahead',
  'hints-full',
  'storage-full',
  'not-serving',
]

const WRITE = 1
const READ = 2
const LIST = 3
const MEMBERS = 4
const SETTINGS = 5
const COMPARE = 6
const EXCHANGE = 7
const TREE = 8
const HANDOFF = 9
const REFUSED = 10

export function packReply(head: readonly unknown[], reply: Reply): readonly unknown[] {
  switch (reply.type) {
    case 'write':
      return [
        ...head,
        WRITE,
        OUTCOMES.indexOf(reply.outcome),
        reply.durable,
        reply.heldLive,
        reply.siblings,
        reply.context,
        reply.refusedDots,
        reply.filling,
      ]
    case 'read':
      return [...head, READ, reply.digest, reply.view && whole(reply.view), reply.missing, reply.filling]
    case 'list':
      return [
        ...head,
        LIST,
        reply.filling,
        reply.keys.map((entry) => [entry.hash, entry.key, entry.digest, entry.live]),
        reply.more,
      ]
    case 'members':
      return [...head, MEMBERS, reply.table]
    case 'settings':
      return [...head, SETTINGS, reply.settings]
    case 'compare':
      return [...head, COMPARE, reply.equal, reply.differing]
    case 'exchange':
      return [
        ...head,
        EXCHANGE,
        reply.epoch,
        reply.records.map((record) => [record.bucket, record.key, record.view]),
        reply.next,
        reply.clock,
        reply.root,
        reply.filling,
      ]
    case 'tree':
      return [...head, TREE, reply.digests]
    case 'handoff':
      return [...head, HANDOFF, reply.bytesGranted]
    case 'refused':
      return [...head, REFUSED, REASONS.indexOf(reply.reason), reply.correction]
  }
}

/** Reads the reply whose code stands at `at`; the array must end with it. */
export function parseReply(fields: Fields, at: number): Reply {
  const code = integer(fields, at)
  const first = at + 1
  switch (code) {
    case WRITE:
      exactly(fields, first + 7)
      return {
        type: 'write',
        outcome: word(fields, first, OUTCOMES),
        durable: boolean(fields, first + 1),
        heldLive: boolean(fields, first + 2),
        siblings: integer(fields, first + 3),
        context: binaryOrNull(fields, first + 4),
        refusedDots: binaryOrNull(fields, first + 5),
        filling: boolean(fields, first + 6),
      }
    case READ:
      exactly(fields, first + 4)
      return {
        type: 'read',
        digest: text(fields, first, LABEL_BYTES_MAX),
        view: binaryOrNull(fields, first + 1),
        missing: binaryOrNull(fields, first + 2),
        filling: boolean(fields, first + 3),
      }
    case LIST:
      exactly(fields, first + 3)
      return {
        type: 'list',
        filling: boolean(fields, first),
        keys: arrayOf(fields, first + 1).map(listed),
        more: boolean(fields, first + 2),
      }
    case MEMBERS:
      exactly(fields, first + 1)
      return { type: 'members', table: binary(fields, first) }
    case SETTINGS:
      exactly(fields, first + 1)
      return { type: 'settings', settings: binary(fields, first) }
    case COMPARE:
      exactly(fields, first + 2)
      return { type: 'compare', equal: boolean(fields, first), differing: binaryOrNull(fields, first + 1) }
    case EXCHANGE:
      exactly(fields, first + 6)
      return {
        type: 'exchange',
        epoch: text(fields, first, LABEL_BYTES_MAX),
        records: arrayOf(fields, first + 1).map(exchanged),
        next: binaryOrNull(fields, first + 2),
        clock: binaryOrNull(fields, first + 3),
        root: textOrNull(fields, first + 4, LABEL_BYTES_MAX),
        filling: boolean(fields, first + 5),
      }
    case TREE:
      exactly(fields, first + 1)
      return { type: 'tree', digests: texts(fields, first, LABEL_BYTES_MAX) }
    case HANDOFF:
      exactly(fields, first + 1)
      return { type: 'handoff', bytesGranted: amount(fields, first) }
    case REFUSED:
      exactly(fields, first + 2)
      return { type: 'refused', reason: word(fields, first, REASONS), correction: binaryOrNull(fields, first + 1) }
    default:
      return reject(at, 'a known reply')
  }
}

function listed(_: unknown, at: number, list: Fields): ListReply['keys'][number] {
  const entry = arrayOf(list, at)
  exactly(entry, 4)
  return {
    hash: hash(entry, 0),
    key: text(entry, 1, KEY_BYTES_MAX, 1),
    digest: text(entry, 2, LABEL_BYTES_MAX),
    live: boolean(entry, 3),
  }
}

function exchanged(_: unknown, at: number, list: Fields): ExchangeReply['records'][number] {
  const entry = arrayOf(list, at)
  exactly(entry, 3)
  return {
    bucket: text(entry, 0, BUCKET_BYTES_MAX, 1),
    key: text(entry, 1, KEY_BYTES_MAX, 1),
    view: binary(entry, 2),
  }
}
