import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameReader, joinFrames } from '../../src/link/framing.ts'
import { PART } from '../../src/protocol/messages.ts'

function readAll(reader: FrameReader): string[] {
  const bodies: string[] = []
  for (let body = reader.next(); body !== null; body = reader.next()) bodies.push(Buffer.from(body).toString('hex'))
  return bodies
}

describe('framing', () => {
  test('gives the same frames however the stream is cut', () => {
    const bodies = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(bodies, fc.array(fc.nat(6000), { maxLength: 30 }), (frames, cuts) => {
        const stream = joinFrames(frames)
        const reader = new FrameReader()
        const read: string[] = []
        let from = 0
        for (const cut of [...cuts.filter((at) => at < stream.length).sort((a, b) => a - b), stream.length]) {
          reader.push(stream.slice(from, cut))
          from = cut
          read.push(...readAll(reader))
        }
        expect(read).toEqual(frames.map((body) => Buffer.from(body).toString('hex')))
        expect(reader.bufferedBytes).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  test('takes a frame that drips in byte by byte, between large chunks', () => {
    const large = new Uint8Array(200_000).fill(1)
    const small = new Uint8Array(30_000).fill(2)
    const stream = joinFrames([large, small, large])
    const reader = new FrameReader()
    const lengths: number[] = []
    for (let at = 0; at < stream.length;) {
      const size = at > 150_000 && at < 220_000 ? 1 : 65_536
      reader.push(stream.slice(at, at + size))
      at += size
      for (let body = reader.next(); body !== null; body = reader.next()) {
        expect(new Set(body).size).toBe(1)
        lengths.push(body.length)
      }
    }
    expect(lengths).toEqual([large.length, small.length, large.length])
  })

  test('puts parts together, whatever comes between them', () => {
    const prefixed = (value: number, ...bytes: Uint8Array[]): Buffer => {
      const prefix = Buffer.alloc(4)
      prefix.writeUInt32LE(value)
      return Buffer.concat([prefix, ...bytes])
    }
    const size = fc.integer({ min: 1, max: 5000 })
    fc.assert(
      fc.property(size, fc.array(size, { maxLength: 8 }), size, (length, partSizes, step) => {
        const large = Uint8Array.from({ length }, (_, i) => i)
        const small = Uint8Array.from([1, 2, 3])
        const stream: Uint8Array[] = []
        let at = 0
        for (const part of [...partSizes, length]) {
          const bytes = large.subarray(at, at + part)
          if (bytes.length === 0) break
          stream.push(
            at === 0
              ? prefixed(PART + bytes.length + 4, prefixed(length), bytes)
              : prefixed(PART + bytes.length, bytes),
          )
          stream.push(joinFrames([small]))
          at += part
        }
        const all = Buffer.concat(stream)
        const reader = new FrameReader()
        const read: string[] = []
        for (let from = 0; from < all.length; from += step) {
          reader.push(all.subarray(from, from + step))
          read.push(...readAll(reader))
        }
        const text = Buffer.from(large).toString('hex')
        expect(read.filter((one) => one !== '010203' || text === one)).toContain(text)
        expect(read.length).toBe(stream.length / 2 + 1)
        expect(reader.bufferedBytes).toBe(0)
      }),
    )
  })

  test('refuses parts that can not be those of a frame', () => {
    const words = (...values: number[]): Buffer => {
      const bytes = Buffer.alloc(4 * values.length)
      values.forEach((value, i) => bytes.writeUInt32LE(value, 4 * i))
      return bytes
    }
    for (const bytes of [
      words(PART),
      words(PART + 1001),
      words(PART + 3, 100),
      words(PART + 4, 0),
      words(PART + 4, 1001),
      words(PART + 9, 4, 0),
      words(PART + 8, 8, 0, PART + 5, 0, 0),
    ]) {
      const reader = new FrameReader(1000)
      reader.push(bytes)
      expect(() => readAll(reader), bytes.toString('hex')).toThrowError(expect.objectContaining({ code: 'protocol' }))
    }
  })

  test('refuses an impossible length as soon as it is read, before any body', () => {
    const reader = new FrameReader(1000)
    reader.push(Uint8Array.from([0xe9, 0x03, 0, 0]))
    expect(() => reader.next()).toThrowError(expect.objectContaining({ code: 'protocol' }))
    const empty = new FrameReader()
    empty.push(new Uint8Array(4))
    expect(() => empty.next()).toThrowError(expect.objectContaining({ code: 'protocol' }))
  })
})
