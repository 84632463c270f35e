// What clients say in headers and queries: contexts, cursors, entity tags, and all headers that an operation is made of.

import fc from 'fast-check'
import { ByteReader, MalformedBytes } from '../../../src/core/bytes.ts'
import {
  type CausalContext,
  openContext,
  SEAL_CHARS,
  sealContext,
  type Sealer,
  uniteContexts,
} from '../../../src/core/causality/context-token.ts'
import { decodeDeadTags } from '../../../src/core/causality/attempts.ts'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { ListingCursors, type Position } from '../../../src/coordinator/listing-cursor.ts'
import { judgeConditions, parseEntityTags } from '../../../src/http/conditions.ts'
import { createSealer } from '../../../src/node/sealer.ts'
import { about, type Door, door, law } from '../door.ts'
import { type Draft, Ink } from '../ink.ts'
import { checkNormal, honest } from './core-doors.ts'
import { viewDraft, writeDots, writeTags } from './core-drafts.ts'

const sealer: Sealer = createSealer(() => '6f1c8c1e-0d6b-4c63-9d43-1f0c9d1f7a11', [])
const secretive: Sealer = createSealer(() => '6f1c8c1e-0d6b-4c63-9d43-1f0c9d1f7a11', ['a secret', 'an older one'])

class Refused extends Error {}
const isRefused = (error: unknown): boolean => error instanceof Refused

const payload: fc.Arbitrary<Draft> = fc
  .tuple(viewDraft, fc.oneof(fc.nat(), fc.maxSafeNat()))
  .map(([draft, stamp]): Draft => (ink) => {
    ink.u8(3)
    ink.varint(stamp)
    writeDots(ink, draft.lives)
    writeTags(ink, draft)
  })

/** Zeros until it is groups of three bytes: the length that tokens have. */
function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((3 - (bytes.length % 3)) % 3)])
}

function tokenOf(bytes: Buffer, by: Sealer): string {
  const text = padded(bytes).toString('base64url')
  return text + by.seal('bucket', 'key', text)
}

/** Why the payload is none, by the same steps in the same order; null: it is one. */
function whyNot(bytes: Buffer): string | null {
  try {
    const reader = new ByteReader(padded(bytes))
    if (reader.u8() !== 3) return 'format'
    if (reader.varint() === Number.MAX_SAFE_INTEGER) return 'stamp'
    const seen = DotSet.decode(reader)
    decodeDeadTags(reader, seen.lives())
    if (reader.remaining > 2) return 'longer'
    while (reader.remaining > 0) if (reader.u8() !== 0) return 'padding'
    return null
  } catch (error) {
    if (error instanceof MalformedBytes) return error.message
    throw error
  }
}

interface Opened {
  readonly token: string
  readonly context: CausalContext
}

function opened(token: string, by: Sealer): Opened {
  const context = openContext(token, 'bucket', 'key', by)
  if (context === null) throw new Refused('does not open')
  return { token, context }
}

function checkContext({ token, context }: Opened, by: Sealer): void {
  checkNormal(context.seen)
  const again = sealContext(context, 'bucket', 'key', by)
  // What is sealed by an older secret opens, and is sealed by the first one from then on. Another alphabet's characters come through only
  // with a seal over them: a forger's own spelling.
  const isForged = !/^[\w-]*$/.test(token)
  law(isForged || again?.slice(0, -SEAL_CHARS) === token.slice(0, -SEAL_CHARS), 'a context has two spellings')
  law(openContext(token, 'bucket', 'kez', by) === null, 'a context opens for another key')
  law(openContext(token, 'bucke', 'tkey', by) === null, 'a context opens for another bucket')
  law(sealContext(uniteContexts(context, context), 'bucket', 'key', by) === again, 'a context and itself make another')
}

const shapeOf = ({ context: { seen, tags, stamp } }: Opened): string =>
  `opens ${seen.lifeCount}l${about(seen.intervalCount)}i${tags.length}t${about(stamp).length}s`

const payloads: Door = door<Opened>({
  name: 'payload',
  weight: 5,
  grammar: payload,
  samples: () => honest(payload, 40),
  isDeclared: isRefused,
  // Sealed here, so that the seal is never what refuses it; why not is for the kinds alone.
  read: (bytes) => {
    const token = tokenOf(bytes, sealer)
    if (openContext(token, 'bucket', 'key', sealer) !== null) return opened(token, sealer)
    const why = token.length > 4096 ? 'too long' : whyNot(bytes)
    throw why === null ? new Error('refused for no reason') : new Refused(why)
  },
  check: (found, bytes) => {
    checkContext(found, sealer)
    law(whyNot(bytes) === null, 'a context opens that should not')
  },
  kindOf: shapeOf,
})

/** Text as it comes in a header: Latin-1. */
const texts = (grammar: fc.Arbitrary<string>): fc.Arbitrary<Draft> =>
  grammar.map(
    (text): Draft =>
      (ink) =>
        ink.raw(Buffer.from(text, 'latin1')),
  )

const token: fc.Arbitrary<string> = fc.tuple(payload, fc.nat(20), fc.nat(0xffff)).map(([draft, change, chance]) => {
  const honestly = tokenOf(Ink.render(draft, []).bytes, secretive)
  const at = chance % honestly.length
  const harms: readonly string[] = [
    `${honestly}=`,
    `${honestly}==`,
    honestly.slice(0, at),
    `${honestly.slice(0, at)} ${honestly.slice(at)}`,
    `${honestly.slice(0, at)}\n${honestly.slice(at)}`,
    honestly.replaceAll('_', '/').replaceAll('-', '+'),
    `${honestly.slice(0, at)}A${honestly.slice(at + 1)}`,
    `${honestly.slice(0, at)}\xe9${honestly.slice(at + 1)}`,
    honestly.slice(-12),
    honestly + honestly,
    'latest',
    '',
    'A'.repeat(4096),
    'A'.repeat(4097),
  ]
  return harms[change] ?? honestly
})

const tokens: Door = door<Opened>({
  name: 'token',
  weight: 3,
  grammar: texts(token),
  samples: () => honest(texts(token), 40),
  isDeclared: isRefused,
  read: (bytes) => opened(bytes.toString('latin1'), secretive),
  check: (found) => checkContext(found, secretive),
  kindOf: shapeOf,
  // What was changed is sealed anew: a forger who knows the secret.
  reseal: (bytes, dice) => {
    // Groups of four: what has another length is refused without a look.
    const end = bytes.length - SEAL_CHARS
    const text = bytes.toString('latin1', 0, Math.max(0, end - (end % 4)))
    const by = dice.chance(0.9) ? secretive : sealer
    return Buffer.from(text + by.seal('bucket', 'key', text), 'latin1')
  },
})

const cursors = new ListingCursors('bucket', 'pre')
const cursor: fc.Arbitrary<Draft> = fc
  .tuple(fc.bigInt(0n, 2n ** 64n - 1n), fc.oneof(fc.string({ unit: 'binary', maxLength: 30 }), fc.string()))
  .map(([hash, key]): Draft => {
    const known = Buffer.from(cursors.encode({ hash: { hi: 0, lo: 0 }, key: '' }), 'base64url')
    return (ink) => {
      ink.raw(known.subarray(0, 8))
      ink.raw(Buffer.from(hash.toString(16).padStart(16, '0')))
      ink.raw(Buffer.from(key))
    }
  })

const cursorDoor: Door = door<{ readonly text: string; readonly position: Position }>({
  name: 'cursor',
  weight: 1,
  grammar: cursor,
  samples: () => honest(cursor, 20),
  isDeclared: isRefused,
  read: (bytes) => {
    // Bytes that end in "!" are the text itself, so that its spelling is mutated too.
    const text = bytes.at(-1) === 0x21 ? bytes.subarray(0, -1).toString('latin1') : bytes.toString('base64url')
    const position = cursors.decode(text)
    if (position === undefined) throw new Refused('no cursor')
    return { text, position }
  },
  check: ({ text, position }) => {
    law(cursors.encode(position) === text, 'a cursor has two spellings')
    law(new ListingCursors('bucket', 'other').decode(text) === undefined, 'a cursor is of two listings')
  },
  kindOf: ({ position }) => `a cursor, ${about(position.key.length)}`,
})

/** What the parser before us lets through: Latin-1 without control characters, but for tabs. */
export function fieldText(bytes: Buffer): string {
  return Buffer.from(bytes.filter((byte) => byte === 9 || (byte >= 0x20 && byte !== 0x7f))).toString('latin1')
}

/** Pieces again and again: where a pattern can be matched in many ways it shows here, within what a request's head may hold. */
export const headText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      {
        weight: 40,
        arbitrary: fc.tuple(
          fc.oneof(
            fc.constantFrom(
              '"',
              '\\"',
              '\\',
              ',',
              ' ',
              '\t',
              '*',
              'W/',
              '"a"',
              ' , ',
              '=',
              ';',
              'return',
              'a',
              '\xe9',
              '/',
            ),
            fc.constantFrom(
              'return=representation',
              'return=',
              '1',
              '-',
              '.',
              'Sat, 01 Jan 2000 00:00:00 GMT',
              '%',
              '[',
            ),
            fc.string({ maxLength: 4 }),
          ),
          fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(50) }),
        ),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(
          fc.constantFrom(
            ' ',
            '\t',
            '\\"',
            '"',
            '",',
            ', ',
            '"a",',
            '=',
            'a',
            '\\\\',
            'W/',
            '%41',
            'identity',
            '[',
            ':1',
          ),
          fc.constantFrom(3000, 10_000, 30_000),
        ),
      },
    ),
    { maxLength: 8 },
  )
  .map((pieces) => {
    let text = ''
    for (const [piece, times] of pieces) text += piece.repeat(Math.min(times, 32_000 / Math.max(1, piece.length)))
    return fieldText(Buffer.from(text.slice(0, 32_000), 'latin1'))
  })

const etags: Door = door<ReturnType<typeof parseEntityTags>>({
  name: 'etags',
  weight: 1,
  grammar: texts(headText),
  samples: () => ['"a"', '*', 'W/"a", "b"', ', "x" ,'].map((text) => Buffer.from(text)),
  isDeclared: isRefused,
  read: (bytes) => {
    const text = fieldText(bytes)
    judgeConditions({ 'if-none-match': text, 'if-match': text }, { etag: 'a', lastModifiedMs: 0 })
    judgeConditions({ 'if-modified-since': text }, { etag: 'a', lastModifiedMs: 0 })
    const tags = parseEntityTags(text)
    if (tags === null) throw new Refused('no tags')
    return tags
  },
  check: (tags) => {
    if (tags === null || tags === '*') return
    const text = tags.map(({ weak, tag }) => `${weak ? 'W/' : ''}"${tag}"`).join(', ')
    law(JSON.stringify(parseEntityTags(text)) === JSON.stringify(tags), 'entity tags come back as others')
  },
  kindOf: (tags) => (tags === null ? 'none' : tags === '*' ? '*' : about(tags.length)),
})

export const CONTEXT_DOORS: readonly Door[] = [payloads, tokens, cursorDoor, etags]
