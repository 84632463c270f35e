// What one node says the other understands: whatever the encoder accepts, the decoder accepts, for every frame and field. A frame that
// the receiver refuses ends the link, so one request that is out of bounds would cost all others theirs.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { QuorateError } from '../../src/errors.ts'
import { decodeFrame, encodeFrame } from '../../src/protocol/codec.ts'
import { commonFrameBytesMax, writeCommonFrame } from '../../src/protocol/common-frames.ts'
import type { Frame, ListRequest } from '../../src/protocol/messages.ts'
import { PackWriter } from '../../src/protocol/pack-writer.ts'
import { frame } from './arbitrary-frames.ts'

/** Texts right at and beyond every bound, in bytes, of characters of one to four bytes; and such as are no Unicode. */
const oddText = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(0, 1, 255, 256, 512, 1024, 2048),
      fc.integer({ min: -4, max: 4 }),
      fc.constantFrom('a', 'é', '€', '😀'),
      fc.constantFrom('', '', 'a', 'aa', '\ud800'),
    )
    .map(
      ([bytes, more, unit, end]) =>
        unit.repeat(Math.max(0, Math.floor((bytes + more) / Buffer.byteLength(unit)))) + end,
    ),
  fc.constantFrom('\ud800', 'a\udc00b', '0123456789abcdef', '0123456789abcdeF'),
)
const oddNumber = fc.constantFrom(
  0,
  -0,
  -1,
  1.5,
  255,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  NaN,
  Infinity,
  -Infinity,
)

type Path = readonly (string | number)[]

/** Where texts and numbers stand. */
function leaves(value: unknown, path: Path = []): Path[] {
  if (typeof value === 'string' || typeof value === 'number') return path.at(-1) === 'type' ? [] : [path]
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return []
  return Object.entries(value).flatMap(([name, inner]) => leaves(inner, [...path, name]))
}

function replaced(value: unknown, path: Path, odd: (old: unknown) => unknown): unknown {
  const [name, ...rest] = path
  if (name === undefined) return odd(value)
  const copy: object = Array.isArray(value) ? Array.from<unknown>(value) : Object.assign({}, value)
  Reflect.set(copy, name, replaced(Reflect.get(copy, name), rest, odd))
  return copy
}

/** A well-formed frame of which some fields were made odd; of these fields only the type is right. */
const oddFrame = fc
  .tuple(frame, fc.array(fc.tuple(fc.nat(), oddText, oddNumber), { maxLength: 2 }))
  .map(([good, changes]) => {
    const paths = leaves(good)
    return changes.reduce((odd, [which, text, number]) => {
      const path = paths[which % paths.length]
      return path === undefined
        ? odd
        : (replaced(odd, path, (old) => (typeof old === 'string' ? text : number)) as Frame)
    }, good)
  })

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
  if (Object.is(value, -0)) return 0
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]))
}

function encoded(odd: Frame): Buffer | null {
  try {
    return encodeFrame(odd)
  } catch (error) {
    if (error instanceof QuorateError && error.code === 'protocol') return null
    throw error
  }
}

function writtenShort(odd: Frame): Buffer | null {
  const room = commonFrameBytesMax(odd)
  if (room === 0) return null
  const writer = new PackWriter()
  writer.renew(room)
  return writeCommonFrame(writer, odd) ? writer.bytes.subarray(0, writer.at) : null
}

const wordOf = (one: Frame): string =>
  one.type === 'request' ? `request ${one.request.type}` : one.type === 'reply' ? `reply ${one.reply.type}` : one.type

test('whatever is encoded is decoded, as what it was', () => {
  const accepted = new Set<string>()
  const refused = new Set<string>()
  fc.assert(
    fc.property(oddFrame, (odd) => {
      const bytes = encoded(odd)
      ;(bytes === null ? refused : accepted).add(wordOf(odd))
      for (const body of [bytes, writtenShort(odd)])
        if (body !== null) expect(plain(decodeFrame(Buffer.from(body)))).toEqual(plain(odd))
    }),
    { numRuns: 20_000 },
  )
  const words = ['write', 'read', 'list', 'members', 'settings', 'compare', 'exchange', 'tree', 'handoff']
  for (const word of words) {
    expect(accepted).toContain(`request ${word}`)
    expect(refused).toContain(`request ${word}`)
  }
})

const list = { type: 'list', bucket: 'b', partition: 3, prefix: '', after: null, limit: 10 } as const
const asked = (request: Partial<ListRequest>): Frame => ({
  type: 'request',
  id: 1,
  budgetMs: 5,
  time: 7,
  trace: null,
  request: { ...list, ...request },
})

test('bounds are of bytes, whatever the characters', () => {
  for (const text of ['a'.repeat(1024), '€'.repeat(341), '😀'.repeat(256)]) {
    const place = { hash: '0'.repeat(16), key: text }
    expect(decodeFrame(encodeFrame(asked({ prefix: text, after: place })))).toMatchObject({ request: { prefix: text } })
    expect(() => encodeFrame(asked({ prefix: `${text}aa` })), text.slice(0, 2)).toThrow('malformed frame')
    expect(() => encodeFrame(asked({ after: { ...place, key: `${text}aa` } }))).toThrow('malformed frame')
  }
})
