import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter, MalformedBytes } from '../../../src/core/bytes.ts'
import { formatDot, parseDot } from '../../../src/core/causality/dot.ts'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import * as intervals from '../../../src/core/causality/intervals.ts'
import { anyDot, anyDots, LIVES, spanFrom } from './arbitraries.ts'

const names = (set: DotSet): Set<string> => new Set(set.dots().map(formatDot))
const naive = (dots: readonly Parameters<typeof formatDot>[0][]): Set<string> => new Set(dots.map(formatDot))

function encoded(set: DotSet): Buffer {
  const writer = new ByteWriter(8)
  set.encode(writer)
  return writer.finish()
}

function decoded(bytes: Uint8Array): DotSet {
  const reader = new ByteReader(bytes)
  const set = DotSet.decode(reader)
  reader.end()
  return set
}

/** Sorted, disjoint, never adjacent, no empty life. */
function expectNormal(set: DotSet): void {
  for (const life of set.lives()) {
    const list = set.of(life)
    expect(list.length).toBeGreaterThan(0)
    for (let i = 0; i < list.length; i += 2) {
      expect(list[i + 1]).toBeGreaterThanOrEqual(list[i]!)
      if (i > 0) expect(list[i]).toBeGreaterThan(list[i - 1]! + 1)
    }
  }
}

describe('a set of dots is a set', () => {
  test('union, difference, intersection, subset, equality are those of sets of names', () => {
    fc.assert(
      fc.property(anyDots, anyDots, (a, b) => {
        const [x, y] = [DotSet.of(...a), DotSet.of(...b)]
        const [m, n] = [naive(a), naive(b)]
        for (const [set, expected] of [
          [x, m],
          [x.union(y), m.union(n)],
          [x.subtract(y), m.difference(n)],
          [x.intersect(y), m.intersection(n)],
        ] as const) {
          expect(names(set)).toEqual(expected)
          expectNormal(set)
        }
        expect(x.isSubsetOf(y)).toBe(m.isSubsetOf(n))
        expect(x.intersect(y).isSubsetOf(x)).toBe(true)
        expect(x.equals(y)).toBe(m.size === n.size && m.isSubsetOf(n))
        expect(x.isEmpty).toBe(m.size === 0)
        const joined = x.clone()
        expect(joined.addAll(y)).toBe(!n.isSubsetOf(m))
        expect(joined.equals(y.union(x))).toBe(true)
        expect(names(x)).toEqual(m) // the operands stay as they were
      }),
    )
  })

  test('add, remove and has are those of sets', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), anyDot), { maxLength: 60 }), (moves) => {
        const set = DotSet.empty()
        const expected = new Set<string>()
        for (const [isAddition, dot] of moves) {
          const name = formatDot(dot)
          expect(set.has(dot)).toBe(expected.has(name))
          expect(isAddition ? set.add(dot) : set.remove(dot)).toBe(expected.has(name) !== isAddition)
          if (isAddition) expected.add(name)
          else expected.delete(name)
          expectNormal(set)
        }
        expect(names(set)).toEqual(expected)
      }),
    )
  })

  test('clipping keeps what a span covers; tops are the highest counters', () => {
    const spans = fc.dictionary(fc.constantFrom(...LIVES), fc.nat(26))
    fc.assert(
      fc.property(anyDots, spans, (dots, limits) => {
        const span = spanFrom(limits)
        const expected = dots.filter(({ life, counter }) => counter <= (limits[life] ?? 0))
        const clipped = DotSet.of(...dots).clip(span)
        expect(names(clipped)).toEqual(naive(expected))
        expectNormal(clipped)
        const tops = DotSet.of(...dots).tops()
        const highest = (life: string): number =>
          Math.max(0, ...dots.filter((dot) => dot.life === life).map(({ counter }) => counter))
        for (const life of LIVES) expect(tops.top(life)).toBe(highest(life))
        const raised = span.raised(tops)
        for (const life of LIVES) expect(raised.top(life)).toBe(Math.max(limits[life] ?? 0, highest(life)))
        expect(raised.equals(tops.raised(span))).toBe(true)
        expect(raised.lives.toSorted()).toEqual(raised.lives)
        expect(raised.equals(span)).toBe(LIVES.every((life) => raised.top(life) === span.top(life)))
      }),
    )
  })

  test('being within another set and one dot is being within their union', () => {
    fc.assert(
      fc.property(anyDots, anyDots, anyDot, (a, b, dot) => {
        const [x, y] = [DotSet.of(...a), DotSet.of(...b)]
        expect(x.isSubsetWith(y, dot)).toBe(x.isSubsetOf(y.union(DotSet.of(dot))))
        const widened = y.clone()
        widened.add(dot)
        expect(y.union(x).isSubsetWith(widened, dot)).toBe(x.isSubsetOf(widened))
      }),
    )
  })

  test('copies share nothing that can be seen', () => {
    const move = fc.tuple(fc.nat(2), fc.constantFrom('add', 'remove', 'clone', 'join', 'union'), anyDot, fc.nat(2))
    fc.assert(
      fc.property(fc.array(move, { maxLength: 40 }), (moves) => {
        const sets = [DotSet.empty(), DotSet.empty(), DotSet.empty()]
        const models = [new Set<string>(), new Set<string>(), new Set<string>()]
        for (const [at, kind, dot, other] of moves) {
          if (kind === 'add') {
            sets[at]!.add(dot)
            models[at]!.add(formatDot(dot))
          } else if (kind === 'remove') {
            sets[at]!.remove(dot)
            models[at]!.delete(formatDot(dot))
          } else if (kind === 'join') {
            sets[at]!.addAll(sets[other]!)
            models[at] = models[at]!.union(models[other]!)
          } else {
            sets[at] = kind === 'clone' ? sets[other]!.clone() : sets[at]!.union(sets[other]!)
            models[at] = kind === 'clone' ? new Set(models[other]) : models[at]!.union(models[other]!)
          }
          sets.forEach((set, i) => expect(names(set)).toEqual(models[i]))
          sets.forEach(expectNormal)
        }
      }),
    )
  })

  test('with many lives is the same as with few', () => {
    const many = fc.record({
      life: fc.integer({ min: 1, max: 40 }).map((n) => n.toString(16).padStart(16, '0')),
      counter: fc.integer({ min: 1, max: 6 }),
    })
    fc.assert(
      fc.property(fc.array(many, { maxLength: 120 }), fc.array(many, { maxLength: 120 }), (a, b) => {
        const [x, y] = [DotSet.of(...a), DotSet.of(...b)]
        const [m, n] = [naive(a), naive(b)]
        for (const [set, expected] of [
          [x.union(y), m.union(n)],
          [x.subtract(y), m.difference(n)],
          [x.clip(y.tops()), naive(a.filter(({ life, counter }) => counter <= y.tops().top(life)))],
        ] as const) {
          expect(names(set)).toEqual(expected)
          expectNormal(set)
        }
        expect(x.isSubsetOf(y)).toBe(m.isSubsetOf(n))
        expect(x.subtract(y).isSubsetOf(x)).toBe(true)
        for (const dot of b) expect(x.has(dot)).toBe(m.has(formatDot(dot)))
      }),
    )
  })

  test('a clock without gaps costs one interval a life, in whatever order dots came', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8, 9], { minLength: 9 }), (order) => {
        const set = DotSet.of(...order.map((counter) => ({ life: LIVES[0], counter })))
        expect([set.intervalCount, set.lifeCount]).toEqual([1, 1])
      }),
    )
    const union: number[] = []
    expect(intervals.appendUnion(union, 0, [1, 2], 0, 2, [3, 4], 0, 2)).toBe(2)
    expect(union).toEqual([1, 4])
  })
})

describe('a set of dots as bytes', () => {
  test('comes back, and equal sets are equal bytes', () => {
    fc.assert(
      fc.property(anyDots, (dots) => {
        const set = DotSet.of(...dots)
        const bytes = encoded(set)
        expect(decoded(bytes).equals(set)).toBe(true)
        expect(encoded(DotSet.of(...[...dots].reverse()))).toEqual(bytes)
      }),
    )
  })

  test('is canonical: whatever is read is written the same, and all else is MalformedBytes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), damaged()), (bytes) => {
        let set: DotSet
        try {
          set = decoded(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBytes)
          return
        }
        expectNormal(set)
        expect(encoded(set)).toEqual(Buffer.from(bytes))
      }),
      { numRuns: 3000 },
    )
  })

  test('refuses lives out of order, adjacent intervals, empty lives, counters beyond 2^53', () => {
    const life = (n: number): string => n.toString(16).padStart(16, '0')
    for (const hex of [
      `02${life(2)}010000${life(1)}010000`,
      `02${life(1)}010000${life(1)}010000`,
      `01${life(1)}00`,
      `01${life(1)}0200000000`,
      `01${life(1)}01ffffffffffffff0f00`,
      `01${life(1)}018000`,
      `ffffffffffffff7f`,
    ]) {
      expect(() => decoded(Buffer.from(hex, 'hex'))).toThrow(MalformedBytes)
    }
    expect(() => encoded(DotSet.of({ life: 'A0B1C2D3E4F50617', counter: 1 }))).toThrow(RangeError)
  })
})

function damaged(): fc.Arbitrary<Uint8Array> {
  return fc.tuple(anyDots, fc.nat(), fc.nat(255)).map(([dots, at, byte]) => {
    const bytes = Buffer.from(encoded(DotSet.of(...dots)))
    bytes[at % bytes.length] = byte
    return new Uint8Array(bytes)
  })
}

test('the public form of a dot is exact', () => {
  fc.assert(
    fc.property(anyDot, (dot) => {
      expect(parseDot(formatDot(dot))).toEqual(dot)
    }),
  )
  for (const bad of [
    '',
    'a-1',
    '0000000000000001-0',
    '0000000000000001-01',
    '000000000000000A-1',
    '0000000000000001-9007199254740992',
    ' 0000000000000001-1',
  ]) {
    expect(parseDot(bad)).toBeNull()
  }
})
