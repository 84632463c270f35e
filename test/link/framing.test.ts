import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameReader, joinFrames } from '../../src/link/framing.ts'

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

  test('refuses an impossible length as soon as it is read, before any body', () => {
    const reader = new FrameReader(1000)
    reader.push(Uint8Array.from([0xe9, 0x03, 0, 0]))
    expect(() => reader.next()).toThrowError(expect.objectContaining({ code: 'protocol' }))
    const empty = new FrameReader()
    empty.push(new Uint8Array(4))
    expect(() => empty.next()).toThrowError(expect.objectContaining({ code: 'protocol' }))
  })
})
