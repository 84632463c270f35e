// Stories T7, T8, T16, T18, T20 and T21: a deletion leaves on proof, and what was superseded stays so.

import { describe, expect, test } from 'vitest'
import { DEAD_TAGS_MAX, deadTagsOf, IDEMPOTENCY_WINDOW_MS, withoutTwins } from '../../../src/core/causality/attempts.ts'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { hybridFromMs } from '../../../src/core/causality/hybrid-clock.ts'
import { mergeIntoRecord, strip } from '../../../src/core/causality/record.ts'
import type { Version } from '../../../src/core/causality/version.ts'
import { mergeViews, writeView } from '../../../src/core/causality/view.ts'
import {
  type Home,
  homesNamed,
  put,
  putOver,
  readFrom,
  type Report,
  RULES,
  type Rules,
  texts,
  version,
} from '../../core/causality/home.ts'
import * as naive from '../../core/causality/variants.ts'

const A = 'aaaaaaaaaaaaaaaa'
const B = 'bbbbbbbbbbbbbbbb'
const d0 = version(A, 1, 'd0')
const deletion = put(version(B, 1, null), DotSet.of(d0.dot))

function three(rules: Rules): [Home, Home, Home] {
  const [r0, r1, r2] = homesNamed(['r0', 'r1', 'r2'], rules)
  return [r0!, r1!, r2!]
}

const reportsOf = (homes: readonly Home[]): Report[] => homes.map((home) => home.report()!)

describe('T7 a deletion waits until every home has all that it superseded', () => {
  const story = (rules: Rules): { shown: string[]; collected: number } => {
    const homes = three(rules)
    const [r0, r1, r2] = homes
    r0.receive('k', put(d0))
    r1.receive('k', put(d0)) // and a hint of d0, for r2, lies somewhere
    for (const home of homes) home.receive('k', deletion)
    const collected = r2.tend('k', reportsOf(homes)).length
    r2.receive('k', put(d0))
    return { shown: texts(r2.look('k')), collected }
  }
  test('the hint finds the deletion', () => expect(story(RULES)).toEqual({ shown: [], collected: 0 }))
  test('else d0 lives again', () => expect(story(naive.collectedOnTheDot)).toEqual({ shown: ['d0'], collected: 1 }))
  test('after full exchanges the proof is there, and the hint finds its dot covered', () => {
    const homes = three(RULES)
    const [r0, , r2] = homes
    r0.receive('k', put(d0))
    for (const home of homes) home.receive('k', deletion)
    for (const home of homes.slice(1)) home.takeSnapshot(r0.snapshotFor(home))
    for (const home of homes) expect(home.tend('k', reportsOf(homes))).toHaveLength(1)
    expect(r2.records.has('k')).toBe(false)
    r2.receive('k', put(d0))
    expect(texts(r2.look('k'))).toEqual([])
  })
})

describe('T8 a deletion waits for the other homes', () => {
  const story = (rules: Rules): string[] => {
    const homes = three(rules)
    const [r0, r1, r2] = homes
    for (const home of homes) home.receive('k', put(d0))
    r0.receive('k', deletion)
    r1.receive('k', deletion)
    r1.tend('k', reportsOf(homes))
    // What a reader sees before it writes back.
    return texts(mergeViews(r1.look('k')!, r2.look('k')!, 'siblings'))
  }
  test('a read of r1, r2 shows nothing', () => expect(story(RULES)).toEqual([]))
  test('else it shows d0', () => expect(story(naive.collectedOnOwnClock)).toEqual(['d0']))
})

describe('T16 every attempt of an idempotent write has an ordinary dot', () => {
  const tag = { id: '7777777777777777', fingerprint: '11111111', basis: 0, replaces: false }
  const HASH = 'ffffffffffffffff'
  // The attempt, then its deletion; all collected; then a hint of the attempt. `dots`: how the two attempts were named.
  const story = (attempt: Version, forget: boolean): string[] => {
    const homes = three(RULES)
    const [r0, , r2] = homes
    for (const home of homes) home.receive('k', put(attempt))
    const dead = deadTagsOf([attempt], true)
    for (const home of homes) home.receive('k', writeView(version(B, 1, null), DotSet.of(attempt.dot), dead))
    for (const home of homes) expect(home.tend('k', reportsOf(homes), 1)).toHaveLength(1)
    // A list of hash dots is no clock: it has no counters to close, so that one day it must be forgotten.
    if (forget) for (const home of homes) home.clock.remove(attempt.dot)
    r2.receive('k', put(attempt))
    expect(r0.records.size).toBe(0)
    return texts(r2.look('k'))
  }
  test('the clock keeps the dot of a collected attempt for ever', () =>
    expect(story(version(A, 1, 'once', { tag }), false)).toEqual([]))
  test('else, with a dot made from the hash, forgotten after a while, a hint brings the deleted back', () =>
    expect(story(version(HASH, 1, 'once', { tag }), true)).toEqual(['once']))
  test('a second attempt under another dot dies with the first', () => {
    const [r0, r1] = three(RULES)
    const first = version(A, 1, 'once', { tag })
    const second = version(B, 1, 'once', { tag })
    r0.receive('k', put(first))
    r0.receive('k', putOver(version(A, 2, 'newer'), first))
    r0.receive('k', put(second))
    expect(texts(r0.look('k'))).toEqual(['newer'])
    r1.receive('k', put(second))
    expect(texts(readFrom([r0, r1], 'k'))).toEqual(['newer'])
    expect(texts(r1.look('k'))).toEqual(['newer'])
  })
})

// Found here: the versions of a record need not be above all that it has seen, once a tag or a stamp has dropped one.
describe('T18 a record is stripped when every home has its whole context', () => {
  const tag = { id: '7777777777777777', fingerprint: '11111111', basis: 0, replaces: false }
  const story = (rules: Rules): string[] => {
    const homes = three(rules)
    const [r0, r1] = homes
    const first = version(A, 1, 'first', { tag })
    const successor = putOver(version(A, 2, 'successor'), first)
    for (const home of homes) home.receive('k', put(first))
    for (const home of homes) home.receive('k', successor)
    // A sibling at r0, r1; a late attempt under the dead tag has seen it, and reaches r0 and r2 alone.
    for (const home of [r0, r1]) home.receive('k', put(version(B, 1, 'gone')))
    for (const home of [r0, homes[2]])
      home.receive('k', put(version(B, 2, 'again', { tag }), DotSet.of({ life: B, counter: 1 })))
    r0.tend('k', reportsOf(homes))
    return texts(mergeViews(r0.look('k')!, r1.look('k')!, 'siblings'))
  }
  test('r0 still says what the dropped attempt had superseded', () => expect(story(RULES)).toEqual(['successor']))
  test('else it is back in a read of r0, r1', () =>
    expect(story(naive.strippedOnTheDots)).toEqual(['successor', 'gone']))
  test('with every clock covering the context it is one life and a dot again', () => {
    const { record } = mergeIntoRecord(
      undefined,
      DotSet.empty(),
      put(version(A, 3, 'v'), DotSet.of({ life: B, counter: 2 })),
      'siblings',
    )
    const all = DotSet.of({ life: A, counter: 3 }, { life: B, counter: 2 })
    expect(record!.span?.size).toBe(2)
    const stripped = strip(record!, all, all, 0)!
    expect([stripped.span, stripped.past.isEmpty]).toEqual([null, true])
  })
})

describe('T20 an expired attempt of an idempotent write leaves its tag behind', () => {
  const tag = { id: '7777777777777777', fingerprint: '11111111', basis: 0, replaces: false }
  const first = version(A, 1, 'once', { tag, deadlineMs: 1000 })
  const again = version(B, 1, 'once', { tag, deadlineMs: 9000 })
  const isExpired = (v: Version): boolean => v.deadlineMs !== null && v.deadlineMs < 2000
  const collected = (rules: Rules): [Home, Home, Home] => {
    const homes = three(rules)
    for (const home of homes) home.receive('k', put(first))
    for (const home of homes) expect(home.tend('k', reportsOf(homes), 0, isExpired)).toEqual([first.dot])
    return homes
  }
  const story = (rules: Rules): string[] => {
    const homes = collected(rules)
    // The client did not hear the answer, and asks again through a node that never heard of the first attempt.
    for (const home of homes) home.receive('k', put(again))
    return texts(readFrom(homes, 'k'))
  }
  test('a retry does not bring it back', () => expect(story(RULES)).toEqual([]))
  test('else it lives again', () => expect(story(naive.collectedWithItsTag)).toEqual(['once']))
  test('the tag says which attempt there was, until its window is over', () => {
    const homes = collected(RULES)
    const [r0] = homes
    expect(r0.look('k')?.deadTags).toEqual(deadTagsOf([first], true))
    for (const home of homes) home.tend('k', reportsOf(homes), 1)
    expect(homes.map(({ records }) => records.size)).toEqual([0, 0, 0])
  })
  test('another attempt goes with it, also one that would have had more time, or all the time', () => {
    for (const deadlineMs of [again.deadlineMs, null]) {
      const homes = three(RULES)
      for (const home of homes) home.receive('k', put(first))
      for (const home of homes) home.receive('k', put({ ...again, deadlineMs }))
      for (const home of homes) expect(home.tend('k', reportsOf(homes), 0, isExpired)).toHaveLength(2)
      expect(texts(readFrom(homes, 'k'))).toEqual([])
    }
  })
})

describe('T21 a day later an Idempotency-Key names another write', () => {
  const tag = { id: '7777777777777777', fingerprint: '11111111', basis: 0, replaces: false }
  const monday = version(A, 1, 'monday', { tag })
  const at = (ms: number, text: string): Version => version(B, 1, text, { tag, stamp: hybridFromMs(ms) })
  const story = (rules: Rules, again: Version, context = DotSet.empty()): string[] => {
    const homes = three(rules)
    for (const home of homes) home.receive('k', put(monday))
    for (const home of homes) home.receive('k', putOver(version(A, 2, 'shipped'), monday))
    for (const home of homes) home.receive('k', put(again, context))
    return texts(readFrom(homes, 'k'))
  }
  const all = DotSet.of({ life: A, counter: 1 }, { life: A, counter: 2 })
  const tuesday = at(IDEMPOTENCY_WINDOW_MS + 1, 'tuesday')
  test('and is taken in, though the old tag is still about', () => {
    expect(story(RULES, tuesday, all)).toEqual(['tuesday'])
    expect(story(RULES, tuesday)).toEqual(['shipped', 'tuesday'])
  })
  test('else an acknowledged write is dropped', () => expect(story(naive.deadForEver, tuesday, all)).toEqual([]))
  test('until then it is the same', () => expect(story(RULES, at(IDEMPOTENCY_WINDOW_MS, 'again'))).toEqual(['shipped']))
  test('two writes of one key stand side by side', () => {
    const [home] = three(RULES)
    for (const each of [monday, tuesday]) home.receive('k', put(each))
    expect(texts(home.look('k'))).toEqual(['monday', 'tuesday'])
    expect(withoutTwins(home.look('k')!.versions)).toHaveLength(2)
  })
})

test('of a key that is written without end under ever new Idempotency-Keys the last ones are remembered, and homes agree', () => {
  const tag = { id: '7777777777777777', fingerprint: '11111111', basis: 0, replaces: false }
  const homes = three(RULES)
  const [r0, r1, r2] = homes
  let context = DotSet.empty()
  for (let i = 1; i <= 2 * DEAD_TAGS_MAX; i++) {
    const id = i.toString(16).padStart(16, '0')
    const written = put(version(A, i, `v${i}`, { stamp: hybridFromMs(i), tag: { ...tag, id } }), context)
    // One home sees every third write only.
    for (const home of i % 3 === 0 ? homes : [r0, r1]) home.receive('k', written)
    context = context.union(DotSet.of({ life: A, counter: i }))
  }
  const remembered = (home: Home): number[] => home.look('k')!.deadTags.map(({ dot }) => dot.counter)
  for (const home of homes) expect(remembered(home).length).toBeLessThanOrEqual(DEAD_TAGS_MAX)
  expect(remembered(r0)[0]).toBe(DEAD_TAGS_MAX)
  const union = mergeViews(r0.look('k')!, r2.look('k')!, 'siblings')
  expect(union.deadTags).toEqual(mergeViews(r2.look('k')!, r1.look('k')!, 'siblings').deadTags)
  expect(union.deadTags).toHaveLength(DEAD_TAGS_MAX)
  expect(texts(union)).toEqual([`v${2 * DEAD_TAGS_MAX}`])
})
