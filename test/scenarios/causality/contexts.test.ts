// Stories T1–T6: what a context must say, and what it must not. Each is told twice: with the rules, and with a rule that looks simpler.

import { describe, expect, test } from 'vitest'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { type Home, homesNamed, put, readFrom, RULES, type Rules, texts, version } from '../../core/causality/home.ts'
import * as naive from '../../core/causality/variants.ts'

const A = 'aaaaaaaaaaaaaaaa'
const B = 'bbbbbbbbbbbbbbbb'

function three(rules: Rules): [Home, Home, Home] {
  const [r0, r1, r2] = homesNamed(['r0', 'r1', 'r2'], rules)
  return [r0!, r1!, r2!]
}

describe('T1 a context names what was superseded, not only what is visible', () => {
  const story = (rules: Rules): string[] => {
    const [r0, r1, r2] = three(rules)
    const first = put(version(A, 1, 'd0'))
    r0.receive('k', first)
    r1.receive('k', first)
    r2.receive('k', put(version(A, 2, 'd1'), DotSet.of({ life: A, counter: 1 })))
    const seen = readFrom([r2], 'k').seen
    r0.receive('k', put(version(A, 3, 'd3'), seen))
    return texts(r0.look('k'))
  }
  test('d3 supersedes d0, which its reader knew through d1', () => expect(story(RULES)).toEqual(['d3']))
  test('else d0 shows beside d3', () => expect(story(naive.visibleDotsOnly)).toEqual(['d0', 'd3']))
})

describe('T2 a record remembers the past that its clock lacks', () => {
  const story = (rules: Rules): string[] => {
    const [r0, r1] = three(rules)
    const late = put(version(A, 1, 'd0'))
    r0.receive('k', late)
    const seen = readFrom([r0], 'k').seen
    r1.receive('k', put(version(A, 2, 'd1'), seen))
    r1.receive('k', late)
    return texts(r1.look('k'))
  }
  test('a late d0 is refused by the home of its successor', () => expect(story(RULES)).toEqual(['d1']))
  test('else it is back', () => expect(story(naive.pastForgotten)).toEqual(['d0', 'd1']))
})

describe('T3 a clock knows its gaps', () => {
  const story = (rules: Rules): string[] => {
    const [r0, r1] = three(rules)
    r1.receive('k', put(version(A, 1, 'a1')))
    r0.receive('k', put(version(A, 2, 'a2')))
    r1.repair('k', readFrom([r0], 'k'))
    return texts(r1.look('k'))
  }
  test('a1, which nobody saw, stays beside a2', () => expect(story(RULES)).toEqual(['a1', 'a2']))
  test('else "up to 2" kills it', () => expect(story(naive.plainVectors)).toEqual(['a2']))
})

describe("T4 a client's context never enters the clock", () => {
  const story = (rules: Rules): string[] => {
    const [r0, r1] = three(rules)
    const d0 = put(version(A, 1, 'd0'))
    r0.receive('key 0', d0)
    const base = r0.clock
    r1.receive('key 1', put(version(A, 2, 'd1'), base))
    r1.receive('key 0', d0)
    return texts(r1.look('key 0'))
  }
  test('a dot of another key, named in a context, is taken in when it comes', () =>
    expect(story(RULES)).toEqual(['d0']))
  test('else it counts as received, and is lost', () => expect(story(naive.contextIntoClock)).toEqual([]))
})

describe('T5 a record is repaired whole', () => {
  const story = (rules: Rules): string[] => {
    const [r0, r1, r2] = three(rules)
    const d0 = put(version(A, 1, 'd0'))
    r1.receive('k', d0)
    r2.receive('k', d0)
    r0.receive('k', put(version(A, 2, 'd1')))
    r0.receive('k', put(version(A, 3, 'd2'), DotSet.of({ life: A, counter: 1 })))
    // Read at R=1; the reader repairs r2, and the link breaks after the first piece.
    const [piece] = rules.pieces(r0.look('k')!)
    r2.receive('k', piece!)
    r2.receive('k', piece!)
    return texts(readFrom([r1, r2], 'k'))
  }
  test('d0, or its successor, is in a strict read', () => expect(story(RULES)).toEqual(['d1', 'd2']))
  test('else the siblings that did not travel are gone', () => expect(story(naive.siblingAlone)).toEqual(['d1']))
})

describe("T6 a put's answer claims only what its client saw", () => {
  const story = (rules: Rules): string[] => {
    const [, r1] = three(rules)
    r1.receive('k', put(version(B, 1, 'unseen')))
    const mine = version(A, 1, 'mine')
    r1.receive('k', put(mine))
    const told = rules.answer(DotSet.empty(), mine, r1, 'k')
    r1.receive('k', put(version(A, 2, 'mine again'), told))
    return texts(r1.look('k'))
  }
  test('the next put of the same client leaves the unseen sibling alone', () =>
    expect(story(RULES)).toEqual(['mine again', 'unseen']))
  test('else it drops it', () => expect(story(naive.wholeContextInAnswer)).toEqual(['mine again']))
  test('and a home that holds exactly the new version keeps chains of puts short', () => {
    const [r0] = three(RULES)
    const first = version(A, 1, '1')
    r0.receive('k', put(first))
    const second = version(A, 2, '2')
    const asked = DotSet.of(first.dot)
    r0.receive('k', put(second, asked))
    expect(RULES.answer(asked, second, r0, 'k').equals(DotSet.of(first.dot, second.dot))).toBe(true)
  })
})
