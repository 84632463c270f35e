// The short way for common frames against the general one: the same bytes, and never another opinion of what they mean.

import fc from 'fast-check'
import type { Arbitrary } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeAnyFrame, decodeFrame, encodeFrame } from '../../src/protocol/codec.ts'
import { commonFrameBytesMax, readCommonFrame, writeCommonFrame } from '../../src/protocol/common-frames.ts'
import type { Frame } from '../../src/protocol/messages.ts'
import { PackWriter } from '../../src/protocol/pack-writer.ts'
import { frame } from './arbitrary-frames.ts'

const orNull = <T>(arbitrary: Arbitrary<T>): Arbitrary<T | null> => fc.option(arbitrary, { nil: null })
const lengths = fc.constantFrom(0, 1, 15, 16, 17, 31, 32, 100, 255, 256, 257, 300)
const textOf = (length: number): Arbitrary<string> =>
  fc.string({ unit: 'grapheme-ascii', minLength: length, maxLength: length })
const text = fc.oneof(fc.string({ unit: 'grapheme-ascii', maxLength: 40 }), lengths.chain(textOf))
const short = text.filter((value) => value.length <= 255)
const named = text.filter((value) => value !== '')
const bucket = short.filter((value) => value !== '')
const binary = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  lengths.map((length) => new Uint8Array(length).fill(7)),
)
const uint = fc.oneof(fc.nat(300), fc.nat(70_000), fc.nat(0xffffffff))
const amount = fc.oneof(
  uint,
  fc.nat(Number.MAX_SAFE_INTEGER),
  fc.double({ min: 0, max: 1e15, noNaN: true }).map(Math.abs),
)
const key = { bucket, key: named, partition: uint, membersDigest: text, settingsVersion: amount }

const request: Arbitrary<Frame> = fc.record({
  type: fc.constant('request' as const),
  id: uint,
  budgetMs: amount,
  time: amount,
  trace: orNull(short),
  request: fc.oneof(
    fc.record({
      ...key,
      type: fc.constant('write' as const),
      intent: fc.constantFrom('client' as const, 'repair' as const, 'handoff' as const),
      view: binary,
      hintFor: orNull(short),
      durable: fc.boolean(),
    }),
    fc.record({
      ...key,
      type: fc.constant('read' as const),
      expectDigest: orNull(text),
      mustInclude: orNull(binary),
      fallback: fc.boolean(),
    }),
  ),
})

const reply: Arbitrary<Frame> = fc.record({
  type: fc.constant('reply' as const),
  id: uint,
  time: amount,
  reply: fc.oneof(
    fc.record({
      type: fc.constant('write' as const),
      outcome: fc.constantFrom('stored' as const, 'already' as const, 'hinted' as const),
      durable: fc.boolean(),
      heldLive: fc.boolean(),
      siblings: uint,
      context: orNull(binary),
      refusedDots: orNull(binary),
      filling: fc.boolean(),
    }),
    fc.record({
      type: fc.constant('read' as const),
      digest: text,
      view: orNull(binary),
      missing: orNull(binary),
      filling: fc.boolean(),
    }),
  ),
})

const common = fc.oneof(request, reply)

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]))
}

/** By the short way, or null. */
function written(one: Frame): Buffer | null {
  const room = commonFrameBytesMax(one)
  if (room === 0) return null
  const writer = new PackWriter()
  writer.renew(room + 3)
  writer.at = 3
  if (!writeCommonFrame(writer, one)) return null
  expect(writer.at - 3).toBeLessThanOrEqual(room)
  return writer.bytes.subarray(3, writer.at)
}

/** The short way's frame is the general way's, or none; returns whether there was one. */
function agree(body: Uint8Array): boolean {
  const before = 5
  const bytes = Buffer.concat([Buffer.alloc(before, 0xc0), body, Buffer.from([0xc0, 1, 2, 3])])
  const short = readCommonFrame(bytes, before, before + body.length)
  if (short === null) return false
  expect(plain(short)).toEqual(plain(decodeAnyFrame(body)))
  return true
}

describe('common frames', () => {
  test('are the same bytes as by the general way', () => {
    let count = 0
    fc.assert(
      fc.property(fc.oneof({ weight: 3, arbitrary: common }, frame), (one) => {
        const bytes = written(one)
        if (bytes === null) return
        count++
        expect(bytes.toString('hex')).toBe(encodeFrame(one).toString('hex'))
      }),
      { numRuns: 3000 },
    )
    expect(count).toBeGreaterThan(500)
  })

  test('what one frame said is no word for the next: names beyond ASCII come out the same again and again', () => {
    for (const bucket of ['café', 'é', 'Ã©', 'café', 'bucket']) {
      for (const type of ['read', 'write'] as const) {
        const basis = { bucket, key: 'k', partition: 3, membersDigest: 'é0123456789abcde', settingsVersion: 0 }
        const request =
          type === 'read'
            ? ({ type, ...basis, expectDigest: null, mustInclude: null, fallback: false } as const)
            : ({ type, ...basis, intent: 'client', view: Buffer.of(1), hintFor: null, durable: true } as const)
        const body = encodeFrame({ type: 'request', id: 1, budgetMs: 5, time: 7, trace: null, request })
        for (let again = 0; again < 3; again++) {
          expect(plain(decodeFrame(body))).toEqual(plain(decodeAnyFrame(body)))
          expect(decodeFrame(body)).toMatchObject({ request: { bucket } })
        }
      }
    }
  })

  test('are read as by the general way, or left to it', () => {
    let count = 0
    fc.assert(
      fc.property(fc.oneof({ weight: 3, arbitrary: common }, frame), (one) => {
        if (agree(encodeFrame(one))) count++
      }),
      { numRuns: 3000 },
    )
    expect(count).toBeGreaterThan(500)
  })

  test('are taken the short way when nothing is unusual about them', () => {
    const write = { bucket: 'b', key: 'k', partition: 1, view: new Uint8Array(70_000), hintFor: null, durable: true }
    const one: Frame = {
      type: 'request',
      id: 70_000,
      budgetMs: 4999.5,
      time: 1.8e15,
      trace: null,
      request: { type: 'write', ...write, intent: 'client', membersDigest: '0123456789abcdef', settingsVersion: 3 },
    }
    const bytes = written(one)
    expect(bytes?.equals(encodeFrame(one))).toBe(true)
    expect(agree(encodeFrame(one))).toBe(true)
  })

  test('with any byte changed, cut off or added are left to the general way or mean the same to it', () => {
    fc.assert(
      fc.property(common, fc.integer({ min: 1, max: 255 }), (one, mask) => {
        const bytes = encodeFrame(one)
        for (let at = 0; at < bytes.length; at++) {
          expect(agree(bytes.subarray(0, at))).toBe(false)
          const changed = Uint8Array.from(bytes)
          changed[at] = (changed[at] as number) ^ mask
          agree(changed)
        }
        expect(agree(Buffer.concat([bytes, Buffer.from([0xc0])]))).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  test('other text than ASCII, and numbers that are none, are left to the general way', () => {
    const one: Frame = {
      type: 'request',
      id: 1,
      budgetMs: 1,
      time: 1,
      trace: null,
      request: {
        type: 'read',
        bucket: 'b',
        key: 'ключ',
        partition: 1,
        expectDigest: null,
        mustInclude: null,
        fallback: false,
        membersDigest: '',
        settingsVersion: 1,
      },
    }
    expect(written(one)).toBeNull()
    expect(agree(encodeFrame(one))).toBe(false)
    expect(written({ ...one, request: { ...one.request, key: 'k', settingsVersion: NaN } } as Frame)).toBeNull()
    expect(written({ ...one, request: { ...one.request, key: 'k'.repeat(256) } } as Frame)).toBeNull()
  })
})
