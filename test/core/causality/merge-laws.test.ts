// Merging views is the union of causally closed sets: order and repetition do not matter, in `siblings` and in `lww` buckets.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { areTwins, isDoomed, withoutTwins } from '../../../src/core/causality/attempts.ts'
import { formatDot, sameDot } from '../../../src/core/causality/dot.ts'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import {
  contextOf,
  EMPTY_RECORD,
  type KeyRecord,
  type Merged,
  mergeAny,
  mergeIntoRecord,
  mergeOverwrite,
  strip,
  unstrip,
  viewOf,
} from '../../../src/core/causality/record.ts'
import { type Conflict, EMPTY_VIEW, mergeViews, type View, writeView } from '../../../src/core/causality/view.ts'
import { anyDots, histories, LIVES, viewsOfHistory, type Written } from './arbitraries.ts'

const told = (view: View): unknown => ({
  versions: view.versions.map((v) => `${formatDot(v.dot)}@${v.stamp}`),
  seen: view.seen.toString(),
  deadTags: view.deadTags,
})

const plain = ({ record, ...merged }: Merged): unknown => ({
  ...merged,
  record: record && {
    ...record,
    past: record.past.toString(),
    span: record.span && [record.span.lives, record.span.tops],
  },
})

function expectLaws([a, b, c]: readonly [View, View, View], conflict: Conflict): void {
  const merge = (x: View, y: View): View => mergeViews(x, y, conflict)
  expect(told(merge(a, b))).toEqual(told(merge(b, a)))
  expect(told(merge(merge(a, b), c))).toEqual(told(merge(a, merge(b, c))))
  expect(told(merge(a, a))).toEqual(told(a))
  expect(told(merge(merge(a, b), b))).toEqual(told(merge(a, b)))
  expect(told(merge(a, EMPTY_VIEW))).toEqual(told(a))
}

describe.each(['siblings', 'lww'] as const)('merging %s', (conflict) => {
  test('is commutative, associative and idempotent', () => {
    fc.assert(
      fc.property(viewsOfHistory(conflict), (views) => expectLaws(views, conflict)),
      { numRuns: 3000 },
    )
  })

  test('into a record is the same as merging views, and keeps what a home promises', () => {
    fc.assert(
      fc.property(viewsOfHistory(conflict), fc.array(fc.nat(2), { maxLength: 6 }), (views, order) => {
        let record: KeyRecord | undefined
        const clock = DotSet.empty()
        let whole = EMPTY_VIEW
        for (const i of order) {
          const view = views[i]!
          const before = JSON.stringify([told(view), clock.toString()])
          const merged = mergeIntoRecord(record, clock, view, conflict)
          expect(JSON.stringify([told(view), clock.toString()])).toBe(before)
          whole = mergeViews(whole, view, conflict)
          for (const dot of merged.received) expect(clock.add(dot)).toBe(true)
          for (const { dot } of view.versions) {
            const isHeld = merged.record?.versions.some((v) => sameDot(v.dot, dot)) ?? false
            expect(merged.refused.some((refused) => sameDot(refused, dot))).toBe(!isHeld)
            expect(clock.has(dot)).toBe(true)
          }
          if (!merged.changed) expect(merged.received).toEqual([])
          record = merged.record ?? undefined
          if (!record) continue
          expect(record.past.intersect(clock).isEmpty).toBe(true)
          expect(told(viewOf(record, clock))).toEqual(told(whole))
          const again = mergeIntoRecord(record, clock, view, conflict)
          expect([again.changed, again.stored]).toEqual([false, false])
        }
      }),
      { numRuns: 1500 },
    )
  })

  test('an overwrite is merged by the short way as by the rule', () => {
    let taken = 0
    fc.assert(
      fc.property(
        viewsOfHistory(conflict),
        fc.array(fc.tuple(fc.nat(2), fc.nat(3), fc.boolean()), { maxLength: 8 }),
        anyDots,
        (views, steps, others) => {
          let record: KeyRecord | undefined
          // Other keys of the partition have dots of the same lives.
          const clock = DotSet.of(...others.map((dot) => ({ ...dot, counter: dot.counter + 3 })))
          let counter = 100
          for (const [from, kind, isKnown] of steps) {
            let view = views[from]!
            if (kind > 0) {
              const context = kind === 1 || !record ? view.seen : viewOf(record, clock).seen
              const stamp = Math.max(0, ...[...view.versions, ...(record?.versions ?? [])].map((v) => v.stamp)) + 1
              const dot = { life: LIVES[from]!, counter: ++counter }
              view = writeView({ dot, stamp, deadlineMs: null, tag: null, content: null }, context, [])
            }
            // A context may name what this home lacks, or has long had.
            if (isKnown) clock.addAll(view.seen.subtract(DotSet.of(...view.versions.map((v) => v.dot))))
            const short = mergeOverwrite(record ?? EMPTY_RECORD, clock, view, conflict)
            const merged = mergeAny(record, clock, view, conflict, undefined)
            if (short) {
              taken++
              expect(plain(short)).toEqual(plain(merged))
            }
            for (const dot of merged.received) clock.add(dot)
            record = merged.record ?? undefined
          }
        },
      ),
      { numRuns: 1500 },
    )
    expect(taken).toBeGreaterThan(500)
  })

  test('after damage a record says by itself what it had seen; stripped, it says no less than its versions', () => {
    fc.assert(
      fc.property(viewsOfHistory(conflict), ([view]) => {
        const clock = DotSet.empty()
        const { record, received } = mergeIntoRecord(undefined, clock, view, conflict)
        for (const dot of received) clock.add(dot)
        if (!record) return
        const context = contextOf(record, clock)
        expect(contextOf(unstrip(record, clock), DotSet.empty()).equals(context)).toBe(true)
        if (!context.isSubsetOf(clock)) expect(strip(record, clock, clock, 0)?.span).toEqual(record.span)
        const all = clock.union(context)
        const stripped = strip(record, all, all, 0)
        expect(stripped?.span ?? null).toBeNull()
        expect(stripped?.versions ?? []).toEqual(record.versions)
      }),
      { numRuns: 1000 },
    )
  })
})

test('siblings: the versions of a view are never ordered by what either saw, and twins show as one', () => {
  fc.assert(
    fc.property(viewsOfHistory('siblings'), (views) => {
      for (const view of views) {
        const shown = withoutTwins(view.versions)
        for (const a of shown) for (const b of shown) expect(a !== b && areTwins(a, b)).toBe(false)
        for (const one of shown) {
          const attempts = view.versions.filter((other) => other === one || areTwins(other, one))
          const deadlines = attempts.flatMap(({ deadlineMs }) => deadlineMs ?? [])
          expect(one.deadlineMs).toBe(deadlines.length === 0 ? null : Math.min(...deadlines))
        }
        for (const version of view.versions) {
          expect(view.seen.has(version.dot)).toBe(true)
          expect(isDoomed(version, view.deadTags)).toBe(false)
        }
      }
    }),
  )
})

test('siblings: whatever is gone is followed by what lives: by who had seen it, or by who replaced its write', () => {
  fc.assert(
    fc.property(histories('siblings'), ({ views, writes }) => {
      const all = views.reduce((union, view) => mergeViews(union, view, 'siblings'))
      const heard = writes.filter(({ version }) => all.seen.has(version.dot))
      const followersOf = ({ version }: Written): Written[] => {
        const { tag } = version
        return heard.filter(({ version: other, context }) => {
          if (context.has(version.dot)) return true
          const wasSeen = heard.some((one) => one.context.has(other.dot))
          return wasSeen && areTwins(version, other) && (tag?.basis ?? 0) < other.stamp
        })
      }
      const lives = new Set<Written>(
        heard.filter(({ version }) => all.versions.some((v) => sameDot(v.dot, version.dot))),
      )
      const reached = new Set<Written>()
      const reaches = (one: Written): boolean => {
        if (lives.has(one)) return true
        if (reached.has(one)) return false
        reached.add(one)
        return followersOf(one).some(reaches)
      }
      for (const one of heard) {
        reached.clear()
        expect(reaches(one)).toBe(true)
      }
    }),
    { numRuns: 3000 },
  )
})

test('lww: without the "+1" a version beats its own successor (T15)', () => {
  const supersedes = (later: number): boolean => {
    const result = fc.check(
      fc.property(viewsOfHistory('lww', later), ([a, b]) => {
        // What is left after merging is nothing that the other side had seen and dropped.
        const both = mergeViews(a, b, 'lww')
        for (const { dot } of both.versions) {
          const [heldByA, heldByB] = [a, b].map((view) => view.versions.some((v) => sameDot(v.dot, dot)))
          expect((a.seen.has(dot) && !heldByA) || (b.seen.has(dot) && !heldByB)).toBe(false)
        }
      }),
      { numRuns: 3000, seed: 15 },
    )
    return !result.failed
  }
  expect(supersedes(1)).toBe(true)
  expect(supersedes(-2048)).toBe(false)
})
