import { whole } from '../../src/core/bytes.ts'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { QuorateError } from '../../src/errors.ts'
import { assertBounded, DEPTH_MAX } from '../../src/protocol/bounds.ts'
import { decodeFrame, encodeFrame, frameTypeOf } from '../../src/protocol/codec.ts'
import type { Frame } from '../../src/protocol/messages.ts'
import { frame } from './arbitrary-frames.ts'

const packr = new Packr({ useRecords: false })

/** Binary fields come back as views of the frame, whatever class: compare bytes. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]))
}

/** A frame, or the one kind of error that may come of hostile bytes. */
function tryDecode(bytes: Uint8Array): Frame | null {
  try {
    return decodeFrame(Buffer.from(bytes))
  } catch (error) {
    if (error instanceof QuorateError && error.code === 'protocol') return null
    throw error
  }
}

const writeFrame: Frame = {
  type: 'request',
  id: 1,
  budgetMs: 5000,
  time: 1_767_225_600_000,
  trace: null,
  request: {
    type: 'write',
    bucket: 'bucket',
    key: 'key',
    partition: 19,
    intent: 'client',
    view: new Uint8Array(30),
    hintFor: null,
    durable: true,
    membersDigest: 'digest',
    settingsVersion: 1,
  },
}

describe('frames', () => {
  test('come back as they were, whatever they are', () => {
    fc.assert(
      fc.property(frame, (original) => {
        expect(plain(decodeFrame(encodeFrame(original)))).toEqual(plain(original))
        expect(frameTypeOf(encodeFrame(original))).toBe(original.type)
      }),
      { numRuns: 2000 },
    )
  })

  test('keep large binary fields without copying them', () => {
    const view = new Uint8Array(1 << 20).fill(7)
    const bytes = encodeFrame({ ...writeFrame, request: { ...writeFrame.request, view } } as Frame)
    const decoded = decodeFrame(bytes)
    if (decoded.type !== 'request' || decoded.request.type !== 'write') throw new Error('not a write')
    const back = whole(decoded.request.view)
    expect(Buffer.compare(back, view)).toBe(0)
    expect(back.buffer).toBe(bytes.buffer)
  })
})

describe('hostile bytes', () => {
  test('random ones are a protocol error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        tryDecode(bytes)
      }),
      { numRuns: 5000 },
    )
  })

  test('random MessagePack is a protocol error', () => {
    fc.assert(
      fc.property(fc.anything({ withDate: true, withMap: true, withSet: true }), (value) => {
        expect(tryDecode(packr.pack([value]))).toBeNull()
      }),
      { numRuns: 2000 },
    )
  })

  test('every truncation of a frame is a protocol error', () => {
    fc.assert(
      fc.property(frame, (original) => {
        const bytes = encodeFrame(original)
        for (let length = 0; length < bytes.length; length++) expect(tryDecode(bytes.subarray(0, length))).toBeNull()
      }),
      { numRuns: 150 },
    )
  })

  test('every flipped byte gives a frame or a protocol error, nothing else', () => {
    fc.assert(
      fc.property(frame, fc.integer({ min: 1, max: 255 }), (original, mask) => {
        const bytes = Uint8Array.from(encodeFrame(original))
        for (let at = 0; at < bytes.length; at++) {
          bytes[at] = (bytes[at] as number) ^ mask
          tryDecode(bytes)
          bytes[at] = (bytes[at] as number) ^ mask
        }
      }),
      { numRuns: 150 },
    )
  })

  test('bytes after the frame are a protocol error', () => {
    expect(tryDecode(Buffer.concat([encodeFrame(writeFrame), Buffer.from([0xc0])]))).toBeNull()
  })

  test('deep nesting is refused before it is decoded', () => {
    const bytes = new Uint8Array(1_000_000).fill(0x91)
    bytes[bytes.length - 1] = 0xc0
    expect(tryDecode(bytes)).toBeNull()
  })

  test('arrays may nest as deep as the bound, and no deeper', () => {
    const nested = (depth: number): Uint8Array => Uint8Array.from([...new Array<number>(depth).fill(0x91), 0xc0])
    expect(() => assertBounded(nested(DEPTH_MAX))).not.toThrow()
    expect(() => assertBounded(nested(DEPTH_MAX + 1))).toThrow('nested too deeply')
  })

  test('lengths beyond the frame cost nothing', () => {
    for (const claim of [
      [0xdd, 0xff, 0xff, 0xff, 0xff],
      [0xc6, 0xff, 0xff, 0xff, 0xff],
      [0xdb, 0x7f, 0xff, 0xff, 0xff],
    ]) {
      expect(tryDecode(Uint8Array.from([0x92, 0x03, ...claim]))).toBeNull()
    }
  })

  test('maps, extensions and text that is not UTF-8 are refused', () => {
    for (const value of [{ __proto__: null, a: 1 }, new Map([[1, 2]]), new Date(0), 2n ** 63n]) {
      expect(tryDecode(packr.pack([6, 0, value]))).toBeNull()
    }
    expect(tryDecode(Uint8Array.from([0x93, 6, 0, 0xa2, 0xc3, 0x28]))).toBeNull()
    expect(tryDecode(packr.pack([6, 0, 'fine']))).toEqual({ type: 'goodbye', reason: 'closing', detail: 'fine' })
  })

  test('keys and buckets outside their bounds are refused', () => {
    const withKey = (bucket: string, key: string): Frame | null =>
      // Not by our encoder, which refuses the same.
      tryDecode(packr.pack([3, 1, 5000, 0, null, 1, bucket, key, 19, 0, new Uint8Array(30), null, true, 'digest', 1]))
    expect(withKey('b', 'ж'.repeat(512))).not.toBeNull()
    expect(withKey('b', 'ж'.repeat(513))).toBeNull()
    expect(withKey('b', '')).toBeNull()
    expect(withKey('', 'k')).toBeNull()
    expect(withKey('b'.repeat(255), 'k')).not.toBeNull()
    expect(withKey('b'.repeat(256), 'k')).toBeNull()
  })

  test('numbers outside their ranges are refused', () => {
    for (const id of [-1, 1.5, NaN, Infinity, 2 ** 32]) expect(tryDecode(packr.pack([4, id, 0, 9, 0]))).toBeNull()
    for (const time of [-1, NaN, Infinity, 2 ** 60]) expect(tryDecode(packr.pack([4, 1, time, 9, 0]))).toBeNull()
    expect(tryDecode(packr.pack([4, 1, 0, 9, 0]))).not.toBeNull()
  })

  test('a hello may say less than ours or more, but nothing without bounds', () => {
    const hello = [1, 1, 'a', null, 's', '', '', null, 'test', new Uint8Array(16), new Uint8Array(0)]
    const said = (...more: readonly unknown[]): unknown => {
      const frame = tryDecode(packr.pack([...hello, ...more]))
      return frame?.type === 'hello' ? frame.software : 'refused'
    }
    expect(said()).toBeNull()
    expect(said(null)).toBeNull()
    expect(said('1.2.3')).toBe('1.2.3')
    expect(said('1.2.3', 'of a later version')).toBe('1.2.3')
    expect(said('1'.repeat(513))).toBe('refused')
    expect(said(3)).toBe('refused')
    expect(tryDecode(packr.pack(hello.slice(0, -1)))).toBeNull()
  })
})
