// A writer whose output may end in something large that stays where it is, beside one plain buffer.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader, ByteWriter, MalformedBytes, Split, TAIL_BYTES_MIN, whole } from '../../src/core/bytes.ts'

type Item = readonly ['u8' | 'varint' | 'raw' | 'bytes' | 'fixed' | 'text', number]

const ITEM: fc.Arbitrary<Item> = fc.oneof(
  fc.tuple(fc.constantFrom<Item[0]>('u8', 'varint', 'raw', 'bytes', 'fixed', 'text'), fc.nat(200)),
  fc.tuple(fc.constantFrom<Item[0]>('raw', 'bytes'), fc.constantFrom(TAIL_BYTES_MIN - 1, TAIL_BYTES_MIN, 100_000)),
)

function write(writer: ByteWriter, [kind, size]: Item): void {
  if (kind === 'u8' || kind === 'varint') writer[kind](size)
  else if (kind === 'fixed') writer.fixed(size, 7)
  else if (kind === 'text') writer.text('t'.repeat(size))
  else writer[kind](Buffer.alloc(size, size))
}

describe('tails', () => {
  it('change nothing of what is written, and are referred to where they are the end', () => {
    const writer = new ByteWriter()
    fc.assert(
      fc.property(fc.array(ITEM, { maxLength: 12 }), fc.boolean(), (items, split) => {
        const expected = items.map((item) => {
          const one = new ByteWriter()
          write(one, item)
          return Buffer.from(one.finish())
        })
        writer.begin()
        let length = 0
        items.forEach((item, i) => {
          write(writer, item)
          length += expected[i]?.length ?? 0
          expect(writer.length).toBe(length)
        })
        const taken = split ? writer.takeSplit() : writer.take()
        expect(whole(taken).equals(Buffer.concat(expected))).toBe(true)
        const [kind, size] = items.at(-1) ?? ['u8', 0]
        const isLarge = (kind === 'raw' || kind === 'bytes') && size >= TAIL_BYTES_MIN
        expect(taken instanceof Split).toBe(split && isLarge)
      }),
      { numRuns: 500 },
    )
  })

  it('are read as what they were written as, and as nothing else', () => {
    const tail = Buffer.alloc(TAIL_BYTES_MIN, 1)
    const reader = new ByteReader(new Split(Buffer.from([5, 6]), tail))
    expect([reader.remaining, reader.u8(), reader.u8()]).toEqual([2 + tail.length, 5, 6])
    expect(() => reader.u8()).toThrow(MalformedBytes)
    expect(() => reader.raw(tail.length - 1)).toThrow(MalformedBytes)
    const read = reader.raw(tail.length)
    expect([read.buffer, read.length]).toEqual([tail.buffer, tail.length])
    expect(() => reader.end()).not.toThrow()
    expect(() => reader.raw(tail.length)).toThrow(MalformedBytes)
  })
})

describe('numbers', () => {
  it('have one spelling: a zero ends them, and is refused where it is one group too many', () => {
    for (const bytes of [
      [0x80, 0],
      [0x80, 0, 1],
      [0x81, 0],
      [0xff, 0x80, 0],
      [0x80, 0x80, 0, 1],
      [0x80, 0x80, 0x80, 0],
    ])
      expect(() => new ByteReader(Buffer.from(bytes)).varint(), bytes.join()).toThrow(MalformedBytes)
    for (const value of [0, 127, 128, 16_384, 2 ** 21, 2 ** 28, Number.MAX_SAFE_INTEGER]) {
      const writer = new ByteWriter()
      writer.varint(value)
      expect(new ByteReader(writer.finish()).varint()).toBe(value)
    }
  })
})
