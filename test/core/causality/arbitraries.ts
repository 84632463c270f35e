// Random material of the causal core: dots, sets, versions, and views that some history could have left behind.

import fc from 'fast-check'
import { type DeadTag, deadTagsOf, IDEMPOTENCY_WINDOW_MS, uniteDeadTags } from '../../../src/core/causality/attempts.ts'
import { compareDots, type Dot, formatDot } from '../../../src/core/causality/dot.ts'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { hybridFromMs } from '../../../src/core/causality/hybrid-clock.ts'
import { Span } from '../../../src/core/causality/span.ts'
import type { Content, Tag, Version } from '../../../src/core/causality/version.ts'
import { type Conflict, EMPTY_VIEW, mergeViews, type View, writeView } from '../../../src/core/causality/view.ts'

/** From a plain object; 0 is none. */
export function spanFrom(tops: Readonly<Record<string, number>>): Span {
  return Span.of(Object.entries(tops).map(([life, counter]) => ({ life, counter })))
}

export const LIVES = ['0000000000000001', 'a0b1c2d3e4f50617', 'ffffffffffffffff'] as const

export const anyDot: fc.Arbitrary<Dot> = fc.record({
  life: fc.constantFrom(...LIVES),
  counter: fc.integer({ min: 1, max: 24 }),
})

export const anyDots: fc.Arbitrary<Dot[]> = fc.array(anyDot, { maxLength: 30 })

export const anyDotSet: fc.Arbitrary<DotSet> = anyDots.map((dots) => DotSet.of(...dots))

export const anyTag: fc.Arbitrary<Tag> = fc.record({
  id: fc.constantFrom('1111111111111111', '2222222222222222', '3333333333333333'),
  fingerprint: fc.constantFrom('aaaaaaaa', 'bbbbbbbb'),
  basis: fc.nat(),
  replaces: fc.boolean(),
})

const anyContent: fc.Arbitrary<Content> = fc.record({
  contentType: fc.oneof(fc.constantFrom('application/json', 'text/plain'), fc.string()),
  meta: fc.array(fc.tuple(fc.string(), fc.string({ unit: 'grapheme' })), { maxLength: 3 }),
  bytes: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
})

const anyTime = fc.oneof(fc.nat(), fc.maxSafeNat())

export function anyVersion(dot: fc.Arbitrary<Dot> = anyDot): fc.Arbitrary<Version> {
  return fc.record({
    dot,
    stamp: anyTime,
    deadlineMs: fc.option(anyTime),
    tag: fc.option(anyTag),
    content: fc.option(anyContent),
  })
}

export const anyVersions: fc.Arbitrary<Version[]> = fc
  .uniqueArray(anyVersion(), { maxLength: 4, selector: (version) => formatDot(version.dot) })
  .map((versions) => versions.sort((a, b) => compareDots(a.dot, b.dot)))

export const anyDeadTags: fc.Arbitrary<DeadTag[]> = fc
  .uniqueArray(
    fc
      .tuple(
        anyVersion().filter(({ tag }) => tag !== null),
        fc.boolean(),
      )
      .map(([version, kills]) => deadTagsOf([version], kills)[0]!),
    { maxLength: 3, selector: ({ id, dot }) => `${id} ${formatDot(dot)}` },
  )
  .map((tags) => tags.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : compareDots(a.dot, b.dot))))

/** Well-formed, though no history need have led to it: for codecs. */
export const anyView: fc.Arbitrary<View> = fc
  .record({ versions: anyVersions, more: anyDotSet, deadTags: anyDeadTags })
  .map(({ versions, more, deadTags }) => ({
    versions,
    seen: more.union(DotSet.of(...versions.map((v) => v.dot))),
    deadTags,
  }))

interface Move {
  readonly from: number
  readonly to: number
  readonly kind: 'write' | 'merge'
  readonly blind: boolean
  readonly tag: Tag | null
  /** Its context names no dead tags: they had found no room. */
  readonly isTerse: boolean
  /** Milliseconds. */
  readonly late: number
}

/** A write, and what its client had seen. */
export interface Written {
  readonly version: Version
  readonly context: DotSet
}

/**
 * The views of three clients after a random history of writes and merges. `later`: what a stamp adds to the greatest that the
 * context saw; the rule is 1.
 */
export function viewsOfHistory(conflict: Conflict, later = 1): fc.Arbitrary<[View, View, View]> {
  return histories(conflict, later).map(({ views }) => views)
}

/** With all that was written. */
export function histories(
  conflict: Conflict,
  later = 1,
): fc.Arbitrary<{ readonly views: [View, View, View]; readonly writes: readonly Written[] }> {
  const move: fc.Arbitrary<Move> = fc.record({
    from: fc.nat(2),
    to: fc.nat(2),
    kind: fc.constantFrom('write' as const, 'merge' as const),
    blind: fc.boolean(),
    tag: fc.option(anyTag, { freq: 2 }),
    isTerse: fc.boolean(),
    // Also so that a tag is used for another write a day later, and by attempts of which only neighbours are of one write.
    late: fc.nat(5).map((i) => (conflict === 'lww' ? i : i * 0.6 * IDEMPOTENCY_WINDOW_MS)),
  })
  return fc.array(move, { maxLength: 14 }).map((moves) => {
    const views: [View, View, View] = [EMPTY_VIEW, EMPTY_VIEW, EMPTY_VIEW]
    const writes: Written[] = []
    let counter = 0
    for (const { from, to, kind, blind, tag, isTerse, late } of moves) {
      const source = views[from]!
      if (kind === 'merge') {
        views[to] = mergeViews(views[to]!, source, conflict)
        continue
      }
      counter++
      const seen = blind ? EMPTY_VIEW : source
      const greatest = Math.max(0, ...seen.versions.map((v) => v.stamp))
      // Slow and fast clocks: a blind stamp may be anywhere.
      const stamp = Math.max(hybridFromMs(late), greatest + later)
      const content = { contentType: 'text/plain', meta: [], bytes: Buffer.of(counter) }
      const told = tag && { ...tag, basis: greatest }
      const written: Version = {
        dot: { life: LIVES[from]!, counter },
        stamp,
        deadlineMs: told && 1000 - counter,
        tag: told,
        content,
      }
      const tags = isTerse ? [] : uniteDeadTags(seen.deadTags, deadTagsOf(seen.versions, true))
      writes.push({ version: written, context: seen.seen })
      views[to] = mergeViews(views[to]!, writeView(written, seen.seen, tags), conflict)
    }
    return { views, writes }
  })
}
