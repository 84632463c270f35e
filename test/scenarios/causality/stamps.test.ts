// Stories T14, T15 (last writer wins) and T17 (expiry): what a time may decide, and what it must never undo.

import { describe, expect, test } from 'vitest'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { HybridClock, hybridFromMs, msFromHybrid } from '../../../src/core/causality/hybrid-clock.ts'
import { isLive } from '../../../src/core/causality/version.ts'
import { mergeViews, type View } from '../../../src/core/causality/view.ts'
import { put, texts, version } from '../../core/causality/home.ts'

const A = 'aaaaaaaaaaaaaaaa'
const B = 'bbbbbbbbbbbbbbbb'
const lww = (...views: View[]): string[] => texts(views.reduce((a, b) => mergeViews(a, b, 'lww')))

describe('T14 a dot has one stamp, taken with it', () => {
  const first = put(version(A, 1, 'd', { stamp: 1 }))
  const successor = put(version(B, 1, 'saw d', { stamp: 5 }), DotSet.of({ life: A, counter: 1 }))
  test('a retry that carries the stamp of its dot stays superseded', () => {
    expect(lww(first, successor, first)).toEqual(['saw d'])
  })
  test('else a retry with a new stamp beats the write that had seen it', () => {
    const restamped = put(version(A, 1, 'd', { stamp: 9 }))
    expect(lww(first, successor, restamped)).toEqual(['d'])
  })
})

describe('T15 a stamp is later than any that its context saw', () => {
  const d = put(version(A, 1, 'd', { stamp: 5 }))
  // A home where d was superseded and what superseded it collected since.
  const forgotten: View = { versions: [], seen: DotSet.of({ life: A, counter: 1 }), deadTags: [] }
  const successor = (stamp: number): View => put(version(B, 1, 'saw d', { stamp }), DotSet.of({ life: A, counter: 1 }))
  test('then merging does not depend on the order', () => {
    const stamp = new HybridClock().tick(0, 5)
    expect(stamp).toBe(6)
    for (const order of permutations([d, forgotten, successor(stamp)])) expect(lww(...order)).toEqual(['saw d'])
  })
  test('else it does, and d may beat the write that had seen it', () => {
    const results = permutations([d, forgotten, successor(3)]).map((order) => lww(...order).join())
    expect(new Set(results)).toEqual(new Set(['', 'd', 'saw d']))
  })
})

function permutations<T>([first, ...rest]: readonly T[]): T[][] {
  if (first === undefined) return [[]]
  return permutations(rest).flatMap((order) =>
    order.map((_, i) => order.toSpliced(i, 0, first)).concat([[...order, first]]),
  )
}

describe('T17 what was called expired stays so', () => {
  const BOUND_MS = 500
  const value = version(A, 1, 'v', { deadlineMs: 1000 })
  // Two coordinators, one fast by 200 ms; three homes with the true time. The fast one asks r0 and r1, then the slow one r1 and r2.
  const story = (requestsCarryTime: boolean): boolean[] => {
    const homes = [new HybridClock(), new HybridClock(), new HybridClock()]
    const judge = (
      coordinator: HybridClock,
      coordinatorMs: number,
      trueMs: number,
      asked: readonly number[],
    ): boolean => {
      for (const home of asked) {
        const clock = homes[home]!
        if (requestsCarryTime) expect(clock.observe(coordinator.read(coordinatorMs), trueMs, BOUND_MS)).toBe(true)
        coordinator.observe(clock.read(trueMs), coordinatorMs, BOUND_MS)
      }
      return isLive(value, msFromHybrid(coordinator.read(coordinatorMs)))
    }
    const [fast, slow] = [new HybridClock(), new HybridClock()]
    return [judge(fast, 1100, 900, [0, 1]), judge(slow, 950, 950, [1, 2])]
  }
  test('the question itself tells the homes the time, and they tell the next reader', () =>
    expect(story(true)).toEqual([false, false]))
  test('else, with times merged from replies alone, it is live again', () =>
    expect(story(false)).toEqual([false, true]))
  test('a clock beyond the bound is not believed', () => {
    const home = new HybridClock()
    expect(home.observe(hybridFromMs(900 + BOUND_MS) + 1, 900, BOUND_MS)).toBe(false)
    expect(msFromHybrid(home.read(900))).toBe(900)
  })
})
