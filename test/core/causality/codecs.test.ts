// Versions, records and views as bytes: what comes back, and what damage and hostility can do (nothing but MalformedBytes).

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter, MalformedBytes } from '../../../src/core/bytes.ts'
import { decodeRecord, encodeRecord, type KeyRecord, ownDotOf } from '../../../src/core/causality/record.ts'
import { expiryOf } from '../../../src/core/causality/steady-record.ts'
import { decodeView, encodeView } from '../../../src/core/causality/view.ts'
import { NOTHING_DIGEST, sameVersions, viewDigest } from '../../../src/core/causality/view-digest.ts'
import { anyDeadTags, anyDotSet, anyVersions, anyView, LIVES, spanFrom } from './arbitraries.ts'

const anyRecord: fc.Arbitrary<KeyRecord> = fc
  .record({
    versions: anyVersions,
    past: anyDotSet,
    span: fc.option(fc.dictionary(fc.constantFrom(...LIVES), fc.integer({ min: 1, max: 99 }))),
    deadTags: anyDeadTags,
  })
  .map((record) => ({ ...record, span: record.span && spanFrom(record.span) }))

/** Every truncation, and every byte in turn with another value. */
function* damages(bytes: Buffer): Generator<Buffer> {
  for (let length = 0; length < bytes.length; length++) yield bytes.subarray(0, length)
  yield Buffer.concat([bytes, Buffer.of(0)])
  for (let at = 0; at < bytes.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= flip
      yield damaged
    }
  }
}

/** Decodes to a value that encodes again, or throws MalformedBytes: never anything else. */
function expectHarmless<T>(bytes: Buffer, decode: (bytes: Buffer) => T, encode: (value: T) => Buffer): void {
  let value: T
  try {
    value = decode(bytes)
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    return
  }
  const again = encode(value)
  expect(encode(decode(again)).equals(again)).toBe(true)
}

describe('records and views as bytes', () => {
  test('a record comes back', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const back = decodeRecord(encodeRecord(record))
        expect(back.versions).toEqual(record.versions)
        expect(back.past.equals(record.past)).toBe(true)
        expect(back.span).toEqual(record.span)
        expect(back.deadTags).toEqual(record.deadTags)
      }),
      { numRuns: 500 },
    )
  })

  test('what is read from a record without decoding it is what decoding says', () => {
    fc.assert(
      fc.property(anyRecord, fc.nat(9), (record, offset) => {
        const bytes = encodeRecord(record)
        const [only] = record.versions
        const isPlain = record.past.isEmpty && record.span === null && record.deadTags.length === 0
        const alone = isPlain && record.versions.length === 1 ? only : undefined
        const dot = ownDotOf(bytes)
        if (dot !== null) expect(dot).toEqual(alone?.dot)
        const expiry = expiryOf(Buffer.concat([Buffer.alloc(offset), bytes]), offset)
        if (expiry === Infinity) expect(alone?.deadlineMs).toBeNull()
        else if (expiry >= 0) expect(expiry).toBe(alone?.deadlineMs)
        else expect(dot === null || alone?.content === null).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('a view comes back, and equal views are equal bytes and digests', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        const bytes = encodeView(view)
        const back = decodeView(bytes)
        expect(back.versions).toEqual(view.versions)
        expect(back.seen.equals(view.seen)).toBe(true)
        expect(back.deadTags).toEqual(view.deadTags)
        expect(encodeView(back)).toEqual(bytes)
        expect(viewDigest(back)).toBe(viewDigest(view))
        expect(sameVersions(back, view)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('digests tell views apart by what they hold, what is dead and what was seen', () => {
    fc.assert(
      fc.property(anyView, anyView, (a, b) => {
        const isSame = sameVersions(a, b) && a.seen.equals(b.seen)
        expect(viewDigest(a) === viewDigest(b)).toBe(isSame)
      }),
    )
    expect(viewDigest(null)).toBe(NOTHING_DIGEST)
  })

  test('any truncation or altered byte is MalformedBytes or another well-formed value', () => {
    fc.assert(
      fc.property(anyRecord, anyView, (record, view) => {
        for (const bytes of damages(encodeRecord(record))) expectHarmless(bytes, decodeRecord, encodeRecord)
        for (const bytes of damages(encodeView(view))) expectHarmless(bytes, decodeView, encodeView)
      }),
      { numRuns: 15 },
    )
  })

  test('a record whose lives are out of order or twice in the table is refused', () => {
    const table = (...lives: string[]): Buffer => Buffer.from(`000${lives.length}${lives.join('')}00`, 'hex')
    expect(decodeRecord(table(LIVES[0], LIVES[1])).versions).toEqual([])
    expect(() => decodeRecord(table(LIVES[1], LIVES[0]))).toThrow(MalformedBytes)
    expect(() => decodeRecord(table(LIVES[0], LIVES[0]))).toThrow(MalformedBytes)
  })

  test('noise is MalformedBytes or well-formed too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        expectHarmless(Buffer.from(noise), decodeRecord, encodeRecord)
        expectHarmless(Buffer.from(noise), decodeView, encodeView)
      }),
      { numRuns: 3000 },
    )
  })

  test('a view that holds a version which it has not seen is refused', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        const last = view.versions.at(-1)
        if (!last) return
        view.seen.remove(last.dot)
        const isLifeKnown = view.seen.of(last.dot.life).length > 0
        if (isLifeKnown) expect(() => decodeView(encodeView(view))).toThrow(MalformedBytes)
        else expect(() => encodeView(view)).toThrow(RangeError)
      }),
    )
  })
})

describe('the bytes beneath', () => {
  test('one writer serves again and again, and what was taken stays as it was', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(20_000), fc.boolean()), { maxLength: 30 }), (pieces) => {
        const writer = new ByteWriter(1)
        const taken: [Buffer, Buffer][] = []
        for (const [i, [size, isTaken]] of pieces.entries()) {
          const bytes = Buffer.alloc(size % (i % 3 === 0 ? 20_001 : 200), i)
          writer.begin()
          writer.varint(i)
          writer.raw(bytes)
          expect(writer.length).toBe(bytes.length + 1)
          if (isTaken) taken.push([writer.take(), Buffer.concat([Buffer.of(i), bytes])])
        }
        for (const [bytes, expected] of taken) expect(bytes.equals(expected)).toBe(true)
      }),
    )
  })

  test('small results share memory, and large ones between them keep none of it', () => {
    const writer = new ByteWriter()
    const buffers = new Set<ArrayBufferLike>()
    let bytes = 0
    for (let i = 0; i < 400; i++) {
      writer.begin()
      writer.raw(Buffer.alloc(i % 2 === 0 ? 100 : 9000))
      const taken = writer.take()
      buffers.add(taken.buffer)
      bytes += taken.length
    }
    expect([...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0)).toBeLessThan(bytes * 1.2)
  })

  test('numbers of every length come back, and their bytes are the shortest', () => {
    for (let bits = 0; bits <= 53; bits++) {
      for (const number of [2 ** bits - 1, 2 ** bits, 2 ** bits + 1].filter(Number.isSafeInteger)) {
        const bytes = write((writer) => writer.varint(number))
        expect(bytes.length).toBe(Math.ceil(number.toString(2).length / 7))
        const reader = new ByteReader(bytes)
        expect(reader.varint()).toBe(number)
        reader.end()
        for (let length = 0; length < bytes.length; length++)
          expect(() => new ByteReader(bytes.subarray(0, length)).varint()).toThrow(MalformedBytes)
      }
    }
    for (const hex of ['8000', '808000', '80808000', '8080808000', 'ffffffffffffff7f', 'ffffffffffffffff01'])
      expect(() => new ByteReader(Buffer.from(hex, 'hex')).varint()).toThrow(MalformedBytes)
  })

  test('a life is written as its hex is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (bytes) => {
        expect(write((writer) => writer.life(Buffer.from(bytes).toString('hex')))).toEqual(Buffer.from(bytes))
      }),
    )
    for (const bad of ['00', 'zz00000000000000', 'A000000000000000', '00000000000000000'])
      expect(() => write((writer) => writer.life(bad))).toThrow(RangeError)
  })

  const write = (put: (writer: ByteWriter) => void): Buffer => {
    const writer = new ByteWriter(1)
    put(writer)
    return writer.finish()
  }

  test('numbers, texts, hex and byte strings come back in order', () => {
    const texts = fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed())
    const hexes = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex'))
    fc.assert(
      fc.property(fc.maxSafeNat(), texts, hexes, fc.uint8Array(), (number, text, hex, bytes) => {
        const written = write((writer) => {
          writer.varint(number)
          writer.text(text)
          writer.hex(hex, 8)
          writer.hex(hex + hex, 16)
          writer.bytes(bytes)
        })
        const reader = new ByteReader(written)
        expect([reader.varint(), reader.text(), reader.hex(8), reader.hex(16)]).toEqual([number, text, hex, hex + hex])
        expect(reader.bytes()).toEqual(Buffer.from(bytes))
        reader.end()
      }),
    )
  })

  test('a text that is not UTF-8 is refused, never replaced: a key must not become another key', () => {
    for (const bytes of [
      [0xff],
      [0xc3],
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf8, 0x88, 0x80, 0x80, 0x80],
      [0x61, 0xef, 0xbf],
    ]) {
      expect(() => new ByteReader(write((writer) => writer.bytes(Buffer.from(bytes)))).text()).toThrow(MalformedBytes)
    }
    for (const text of ['\ufffd', 'a\ufffdb', '\ufeffbom', '\u{1f600}', '\0']) {
      expect(new ByteReader(write((writer) => writer.text(text))).text()).toBe(text)
    }
  })

  test('what is no counting number is not written', () => {
    for (const value of [-1, Number.NaN, 2 ** 53, Infinity])
      expect(() => write((writer) => writer.varint(value))).toThrow(RangeError)
    for (const hex of ['00', 'zz00000000000000', 'A000000000000000'])
      expect(() => write((writer) => writer.hex(hex, 8))).toThrow(RangeError)
  })
})
