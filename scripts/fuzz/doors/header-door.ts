// Every header and target that an operation on a key is made of, each through its own reader. The first byte says which.

import fc from 'fast-check'
import { areNames, isKeyTarget, keyPath, namesOfTarget, normalTarget } from '../../../src/http/key-target.ts'
import { Refusal } from '../../../src/http/problems.ts'
import { refusalOfHead } from '../../../src/http/request-head.ts'
import {
  prefersRepresentation,
  readIdempotencyKey,
  readLevel,
  readMeta,
  readPrecondition,
  readSloppy,
  readTimeoutMs,
  readTtlMs,
} from '../../../src/http/request-headers.ts'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { about, type Door, door, law } from '../door.ts'
import type { Draft } from '../ink.ts'
import { fieldText, headText } from './context-doors.ts'

interface Read {
  readonly what: string
  readonly value: unknown
}

const message = new IncomingMessage(new Socket())
message.httpVersionMinor = 1

function headOf(name: string, text: string, method: string): void {
  message.method = method
  message.url = name === 'url' ? text : '/v1/kv/b/k'
  message.headers = { host: 'x', ...(name === 'url' ? {} : { [name]: text }) }
  const refusal = refusalOfHead(message)
  if (refusal !== null) throw refusal
}

const READERS: readonly (readonly [string, (text: string) => unknown])[] = [
  ['quorate-r', (text) => readLevel({ 'quorate-r': text }, 'quorate-r')],
  ['quorate-timeout', (text) => readTimeoutMs({ 'quorate-timeout': text })],
  ['quorate-sloppy', (text) => readSloppy({ 'quorate-sloppy': text })],
  ['quorate-ttl', (text) => readTtlMs({ 'quorate-ttl': text })],
  ['idempotency-key', (text) => readIdempotencyKey({ 'idempotency-key': text })],
  ['if-match', (text) => readPrecondition({ 'if-match': text })],
  ['if-none-match', (text) => readPrecondition({ 'if-none-match': text })],
  ['prefer', (text) => prefersRepresentation({ prefer: text })],
  ['quorate-meta-a', (text) => readMeta({ 'quorate-meta-a': text }, 8192)],
  ['host', (text) => headOf('host', text, 'GET')],
  ['content-encoding', (text) => headOf('content-encoding', text, 'PUT')],
  ['transfer-encoding', (text) => headOf('transfer-encoding', text, 'PUT')],
  ['url', (text) => headOf('url', text, 'GET')],
  ['target', target],
]

function target(text: string): unknown {
  const normal = normalTarget(text)
  const names = namesOfTarget(normal)
  if (names === null || !isKeyTarget(normal) || !areNames(names)) return null
  const again = namesOfTarget(keyPath(names.bucket, names.key))
  law(again?.bucket === names.bucket && again.key === names.key, 'a path leads to another key')
  return names
}

const grammar: fc.Arbitrary<Draft> = fc
  .tuple(
    fc.nat(READERS.length - 1),
    fc.oneof(
      headText,
      fc.constantFrom('one', 'all', '?1', '5000', '0.5', '"key"', '*', '/v1/kv/a/b%2Fc?x=%41', 'http://h/v1/kv/a/b'),
      fc.webUrl({ withQueryParameters: true }),
    ),
  )
  .map(([which, text]): Draft => (ink) => {
    ink.u8(which)
    ink.raw(Buffer.from(text, 'latin1'))
  })

export const headerDoor: Door = door<Read>({
  name: 'header',
  weight: 2,
  grammar,
  samples: () =>
    READERS.map((_, which) => Buffer.concat([Buffer.of(which), Buffer.from('"a", return=representation')])),
  isDeclared: (error) => error instanceof Refusal,
  read: (bytes) => {
    const [what, read] = READERS[(bytes[0] ?? 0) % READERS.length] as (typeof READERS)[number]
    // Control characters do not pass the parser before us.
    return { what, value: read(fieldText(bytes.subarray(1))) }
  },
  kindOf: ({ what, value }) => `${what} ${typeof value === 'string' ? about(value.length) : typeof value}`,
})
