import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '../../../src/core/bytes.ts'
import {
  type CausalContext,
  CONTEXT_TAGS_MAX,
  CONTEXT_TOKEN_MAX,
  contextTokenLength,
  EMPTY_CONTEXT,
  openContext,
  SEAL_CHARS,
  sealContext,
  type Sealer,
  tagsToCarry,
  uniteContexts,
} from '../../../src/core/causality/context-token.ts'
import { IDEMPOTENCY_WINDOW_MS } from '../../../src/core/causality/attempts.ts'
import { formatDot } from '../../../src/core/causality/dot.ts'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { hybridFromMs } from '../../../src/core/causality/hybrid-clock.ts'
import { anyDeadTags, anyDotSet } from './arbitraries.ts'

const sealer: Sealer = {
  seal: (bucket, key, payload) =>
    createHmac('sha256', 'secret')
      .update(JSON.stringify([bucket, key, payload]))
      .digest('base64url')
      .slice(0, SEAL_CHARS),
  verify: (bucket, key, payload, seal) => sealer.seal(bucket, key, payload) === seal,
}

const anyContext: fc.Arbitrary<CausalContext> = fc.record({
  seen: anyDotSet,
  stamp: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 }),
  tags: anyDeadTags,
})

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

describe('a context token', () => {
  test('opens to what was sealed, and is as long as was foretold', () => {
    fc.assert(
      fc.property(anyContext, fc.string(), fc.string(), (context, bucket, key) => {
        const token = sealContext(context, bucket, key, sealer)!
        expect(token.length).toBe(contextTokenLength(context))
        const opened = openContext(token, bucket, key, sealer)!
        expect(opened.seen.equals(context.seen)).toBe(true)
        expect([opened.stamp, opened.tags]).toEqual([context.stamp, context.tags])
        expect(Buffer.from(token, 'base64url').toString('base64url')).toBe(token)
        expect(openContext(token, `${bucket}x`, key, sealer)).toBeNull()
        expect(openContext(token, bucket, `${key}x`, sealer)).toBeNull()
      }),
    )
  })

  test('altered anywhere, cut anywhere, or not canonical, it is refused', () => {
    fc.assert(
      fc.property(anyContext, fc.nat(62), (context, shift) => {
        const token = sealContext(context, 'b', 'k', sealer)!
        for (let at = 0; at < token.length; at++) {
          const other = ALPHABET[(ALPHABET.indexOf(token[at]!) + 1 + shift) % 64]!
          expect(openContext(token.slice(0, at) + other + token.slice(at + 1), 'b', 'k', sealer)).toBeNull()
          expect(openContext(token.slice(0, at), 'b', 'k', sealer)).toBeNull()
        }
        for (const also of [`${token}=`, `${token}A`, ` ${token}`, `${token}\n`, token.replace(/.$/, '+')]) {
          expect(openContext(also, 'b', 'k', sealer)).toBeNull()
        }
      }),
      { numRuns: 60 },
    )
  })

  test('well sealed nonsense is refused too: another format, leftover bytes, a stamp that nothing can follow', () => {
    const sealed = (write: (writer: ByteWriter) => void): string => {
      const writer = new ByteWriter()
      write(writer)
      const payload = writer.finish().toString('base64url')
      return payload + sealer.seal('b', 'k', payload)
    }
    const token = (format: number, stamp: number, rest: number[]): string =>
      sealed((writer) => {
        writer.u8(format)
        writer.varint(stamp)
        writer.raw(Uint8Array.from([0, 0, ...rest]))
      })
    // A format, a stamp of one byte, two counts: two zeros make it two groups of three.
    expect(openContext(token(3, 7, [0, 0]), 'b', 'k', sealer)).toEqual({ ...EMPTY_CONTEXT, stamp: 7 })
    expect(openContext(token(4, 7, [0, 0]), 'b', 'k', sealer)).toBeNull()
    for (const rest of [[], [0], [0, 1], [1, 0], [0, 0, 0, 0, 0]])
      expect(openContext(token(3, 7, rest), 'b', 'k', sealer), String(rest)).toBeNull()
    expect(openContext(token(3, Number.MAX_SAFE_INTEGER - 1, [0]), 'b', 'k', sealer)).not.toBeNull()
    expect(openContext(token(3, Number.MAX_SAFE_INTEGER, [0]), 'b', 'k', sealer)).toBeNull()
  })

  test('as many siblings as a bucket allows fit, each with the tag of its idempotent write', () => {
    const lives = ['1', '2', '3', '4', '5'].map((digit) => digit.repeat(16))
    const tags = Array.from({ length: 100 }, (_, i) => ({
      ...{ id: String(i).padStart(16, '0'), fingerprint: 'f'.repeat(8), replaces: i % 2 === 0, kills: i % 3 > 0 },
      // Other keys of the partition took the counters between.
      ...{ dot: { life: lives[i % 5] as string, counter: 1 + i * 300 }, stamp: 2 ** 52 - i },
    }))
    const context = { seen: DotSet.of(...tags.map(({ dot }) => dot)), stamp: 2 ** 52, tags }
    expect(sealContext(context, 'b', 'k', sealer)).not.toBeNull()
  })

  test('noise is refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (noise) => {
        expect(openContext(noise, 'b', 'k', sealer)).toBeNull()
      }),
    )
    expect(openContext('A'.repeat(CONTEXT_TOKEN_MAX + 1), 'b', 'k', sealer)).toBeNull()
  })

  test('the earliest tags are left out where they do not fit, so that what is stored can be read', () => {
    const tags = Array.from({ length: 300 }, (_, i) => ({
      ...{ id: String(i).padStart(16, '0'), fingerprint: 'f'.repeat(8), replaces: false, kills: i % 2 > 0 },
      ...{ dot: { life: '1'.repeat(16), counter: 1 + 2 * i }, stamp: 2 ** 51 + i },
    }))
    const context = { seen: DotSet.of(...tags.map(({ dot }) => dot)), stamp: 2 ** 52, tags }
    const opened = openContext(sealContext(context, 'b', 'k', sealer)!, 'b', 'k', sealer)
    expect(opened?.tags.length).toBeGreaterThan(50)
    expect(opened?.tags).toEqual(tags.slice(-(opened?.tags.length ?? 0)))
    expect(opened?.seen.equals(context.seen)).toBe(true)
    expect(contextTokenLength(context)).toBeLessThanOrEqual(CONTEXT_TOKEN_MAX)
  })

  test('of superseded writes the latest tags are carried, and none that nobody may retry any more', () => {
    const now = hybridFromMs(1_700_000_000_000)
    const day = hybridFromMs(IDEMPOTENCY_WINDOW_MS)
    const tags = Array.from({ length: 40 }, (_, i) => ({
      ...{ id: String(i).padStart(16, '0'), fingerprint: 'f'.repeat(8), replaces: false, kills: i % 2 > 0 },
      ...{ dot: { life: '1'.repeat(16), counter: 1 + i }, stamp: now - day + i - 20 },
    }))
    expect(tagsToCarry(tags, now, 40)).toEqual(tags.slice(20))
    expect(tagsToCarry(tags, now - 30, CONTEXT_TAGS_MAX)).toEqual(tags.slice(-CONTEXT_TAGS_MAX))
  })

  test('what would not fit is not truncated', () => {
    const seen = DotSet.empty()
    for (let i = 1; i <= 400; i++) seen.add({ life: i.toString(16).padStart(16, '0'), counter: i })
    expect(sealContext({ ...EMPTY_CONTEXT, seen }, 'b', 'k', sealer)).toBeNull()
    expect(contextTokenLength({ ...EMPTY_CONTEXT, seen })).toBeGreaterThan(CONTEXT_TOKEN_MAX)
  })

  test('a session is the union of its contexts', () => {
    fc.assert(
      fc.property(anyContext, anyContext, (a, b) => {
        const both = uniteContexts(a, b)
        expect(both.seen.equals(a.seen.union(b.seen))).toBe(true)
        expect(both.stamp).toBe(Math.max(a.stamp, b.stamp))
        const attempts = (tags: CausalContext['tags']): Set<string> =>
          new Set(tags.map(({ id, dot }) => `${id} ${formatDot(dot)}`))
        expect(attempts(both.tags)).toEqual(attempts([...a.tags, ...b.tags]))
        expect(both.tags).toHaveLength(attempts(both.tags).size)
        expect(openContext(sealContext(both, 'b', 'k', sealer)!, 'b', 'k', sealer)).not.toBeNull()
        expect(attempts(uniteContexts(b, a).tags)).toEqual(attempts(both.tags))
      }),
    )
  })
})
