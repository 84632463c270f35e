// Requests as flat positional arrays: the slots after a request frame's own. Adding a type appends a code; a code is never reused.
// Knows nothing of frames or bytes. Invariant: parse(pack(r)) equals r, and parse yields only well-formed requests.

import { whole } from '../core/bytes.ts'
import type { ListRequest, Request, WriteRequest } from './messages.ts'
import {
  amount,
  arrayOf,
  binary,
  binaryOrNull,
  boolean,
  exactly,
  hash,
  integer,
  integers,
  text,
  textOrNull,
  word,
  BUCKET_BYTES_MAX,
  KEY_BYTES_MAX,
  LABEL_BYTES_MAX,
  NAME_BYTES_MAX,
  reject,
} from './fields.ts'
import type { Fields } from './fields.ts'

export const INTENTS: readonly WriteRequest['intent'][] = ['client', 'repair', 'handoff']

const WRITE = 1
const READ = 2
const LIST = 3
const MEMBERS = 4
const SETTINGS = 5
const COMPARE = 6
const EXCHANGE = 7
const TREE = 8
const HANDOFF = 9

export function packRequest(head: readonly unknown[], request: Request): readonly unknown[] {
  switch (request.type) {
    case 'write':
      return [
        ...head,
        WRITE,
        request.bucket,
        request.key,
        request.partition,
        INTENTS.indexOf(request.intent),
        whole(request.view),
        request.hintFor,
        request.durable,
        request.membersDigest,
        request.settingsVersion,
      ]
    case 'read':
      return [
        ...head,
        READ,
        request.bucket,
        request.key,
        request.partition,
        request.expectDigest,
        request.mustInclude,
        request.fallback,
        request.membersDigest,
        request.settingsVersion,
      ]
    case 'list':
      return [
        ...head,
        LIST,
        request.bucket,
        request.partition,
        request.prefix,
        request.after === null ? null : [request.after.hash, request.after.key],
        request.limit,
      ]
    case 'members':
      return [...head, MEMBERS, request.table]
    case 'settings':
      return [...head, SETTINGS, request.settings]
    case 'compare':
      return [...head, COMPARE, request.digest, request.entries]
    case 'exchange':
      return [
        ...head,
        EXCHANGE,
        request.partition,
        request.clock,
        request.filling,
        request.epoch,
        request.cursor,
        request.bytesMax,
        request.leaves,
      ]
    case 'tree':
      return [...head, TREE, request.partition, request.level, request.nodes]
    case 'handoff':
      return [...head, HANDOFF, request.pendingBytes]
  }
}

/** Reads the request whose code stands at `at`; the array must end with it. */
export function parseRequest(fields: Fields, at: number): Request {
  const code = integer(fields, at)
  const first = at + 1
  switch (code) {
    case WRITE:
      exactly(fields, first + 9)
      return {
        type: 'write',
        bucket: text(fields, first, BUCKET_BYTES_MAX, 1),
        key: text(fields, first + 1, KEY_BYTES_MAX, 1),
        partition: integer(fields, first + 2),
        intent: word(fields, first + 3, INTENTS),
        view: binary(fields, first + 4),
        hintFor: textOrNull(fields, first + 5, NAME_BYTES_MAX),
        durable: boolean(fields, first + 6),
        membersDigest: text(fields, first + 7, LABEL_BYTES_MAX),
        settingsVersion: amount(fields, first + 8),
      }
    case READ:
      exactly(fields, first + 8)
      return {
        type: 'read',
        bucket: text(fields, first, BUCKET_BYTES_MAX, 1),
        key: text(fields, first + 1, KEY_BYTES_MAX, 1),
        partition: integer(fields, first + 2),
        expectDigest: textOrNull(fields, first + 3, LABEL_BYTES_MAX),
        mustInclude: binaryOrNull(fields, first + 4),
        fallback: boolean(fields, first + 5),
        membersDigest: text(fields, first + 6, LABEL_BYTES_MAX),
        settingsVersion: amount(fields, first + 7),
      }
    case LIST:
      exactly(fields, first + 5)
      return {
        type: 'list',
        bucket: text(fields, first, BUCKET_BYTES_MAX, 1),
        partition: integer(fields, first + 1),
        prefix: text(fields, first + 2, KEY_BYTES_MAX),
        after: fields[first + 3] === null ? null : position(arrayOf(fields, first + 3)),
        limit: integer(fields, first + 4),
      }
    case MEMBERS:
      exactly(fields, first + 1)
      return { type: 'members', table: binary(fields, first) }
    case SETTINGS:
      exactly(fields, first + 1)
      return { type: 'settings', settings: binary(fields, first) }
    case COMPARE:
      exactly(fields, first + 2)
      return {
        type: 'compare',
        digest: text(fields, first, LABEL_BYTES_MAX),
        entries: binaryOrNull(fields, first + 1),
      }
    case EXCHANGE:
      exactly(fields, first + 7)
      return {
        type: 'exchange',
        partition: integer(fields, first),
        clock: binary(fields, first + 1),
        filling: boolean(fields, first + 2),
        epoch: text(fields, first + 3, LABEL_BYTES_MAX),
        cursor: binaryOrNull(fields, first + 4),
        bytesMax: integer(fields, first + 5),
        leaves: fields[first + 6] === null ? null : integers(fields, first + 6),
      }
    case TREE:
      exactly(fields, first + 3)
      return {
        type: 'tree',
        partition: integer(fields, first),
        level: integer(fields, first + 1),
        nodes: integers(fields, first + 2),
      }
    case HANDOFF:
      exactly(fields, first + 1)
      return { type: 'handoff', pendingBytes: amount(fields, first) }
    default:
      return reject(at, 'a known request')
  }
}

function position(fields: Fields): NonNullable<ListRequest['after']> {
  exactly(fields, 2)
  return { hash: hash(fields, 0), key: text(fields, 1, KEY_BYTES_MAX) }
}
