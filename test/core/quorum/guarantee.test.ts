import { describe, expect, test } from 'vitest'
import { readGuarantee, strictHomesNeeded, writeGuarantee } from '../../../src/core/quorum/guarantee.ts'
import { quorumInForce, resolveQuorum } from '../../../src/core/quorum/level.ts'

const upTo = (limit: number): number[] => Array.from({ length: limit }, (_, i) => i + 1)

describe('two operations that both say strict', () => {
  // Two sets of sizes x and y among N homes are sure to meet if and only if x + y > N; so the smallest strict sizes
  // decide.
  const cases = upTo(9).flatMap((n) => upTo(n).flatMap((r) => upTo(n).map((w) => ({ n, r, w }))))

  test('meet, for every N ≤ 9, every bucket and every request', () => {
    for (const { n, r: bucketR, w: bucketW } of cases) {
      const writesOn: number[] = []
      const readsOn: number[] = []
      const readsCount: number[] = []
      for (const requestW of upTo(n)) {
        for (let homesHolding = requestW; homesHolding <= n; homesHolding++) {
          const facts = { n, requestW, bucketR, bucketW, homesHolding, standIns: 0 }
          if (writeGuarantee(facts) === 'strict') writesOn.push(homesHolding)
        }
      }
      for (const requestR of upTo(n)) {
        for (let homesCounted = requestR; homesCounted <= n; homesCounted++) {
          for (const homesHolding of upTo(n)) {
            const facts = { n, requestR, bucketW, homesCounted, homesHolding, standIns: 0 }
            if (readGuarantee(facts) !== 'strict') continue
            readsOn.push(homesHolding)
            readsCount.push(homesCounted)
          }
        }
      }
      const fewestCounted = Math.min(...readsCount)
      expect(
        Math.min(...writesOn) + fewestCounted,
        `write then read, n=${n} r=${bucketR} w=${bucketW}`,
      ).toBeGreaterThan(n)
      expect(Math.min(...readsOn) + fewestCounted, `read then read, n=${n} r=${bucketR} w=${bucketW}`).toBeGreaterThan(
        n,
      )
      // Not by never saying it.
      expect(Math.min(...writesOn)).toBeLessThanOrEqual(n)
      expect(Math.min(...readsOn)).toBeLessThanOrEqual(n)
    }
  })
})

describe('what a receipt says', () => {
  const write = { n: 3, requestW: 2, bucketR: 2, bucketW: 2, homesHolding: 2, standIns: 0 }
  const read = { n: 3, requestR: 2, bucketW: 2, homesCounted: 2, homesHolding: 2, standIns: 0 }

  test('of a write', () => {
    expect(writeGuarantee(write)).toBe('strict')
    expect(writeGuarantee({ ...write, standIns: 1, homesHolding: 1 })).toBe('sloppy')
    expect(writeGuarantee({ ...write, requestW: 1, homesHolding: 1 })).toBe('eventual')
    // Heard by three homes, but W=1 promised no more than one.
    expect(writeGuarantee({ ...write, requestW: 1, homesHolding: 3 })).toBe('eventual')
    expect(writeGuarantee({ ...write, bucketR: 1 })).toBe('eventual')
    expect(writeGuarantee({ ...write, bucketR: 1, requestW: 3, homesHolding: 3 })).toBe('strict')
    // A read at R=1 may say strict where the bucket's W is all: W=2 does not satisfy it.
    expect(writeGuarantee({ ...write, bucketW: 3 })).toBe('eventual')
  })

  test('of a read', () => {
    expect(readGuarantee(read)).toBe('strict')
    expect(readGuarantee({ ...read, standIns: 1 })).toBe('sloppy')
    expect(readGuarantee({ ...read, requestR: 1, homesCounted: 1 })).toBe('eventual')
    // Without the write-back, the newest version is on one home only.
    expect(readGuarantee({ ...read, homesHolding: 1 })).toBe('eventual')
    expect(readGuarantee({ ...read, requestR: 3, homesCounted: 2 })).toBe('eventual')
    // R=3 with W=1: N−R+1 = 1 home holds it, and every strict read asks all three.
    expect(readGuarantee({ ...read, requestR: 3, bucketW: 1, homesCounted: 3, homesHolding: 1 })).toBe('strict')
  })

  test('on how many homes', () => {
    expect(strictHomesNeeded(3, 2, 2)).toBe(2)
    expect(strictHomesNeeded(3, 1, 3)).toBe(3)
    expect(strictHomesNeeded(5, 5, 1)).toBe(1)
    expect(strictHomesNeeded(5, 2, 2)).toBe(4)
  })
})

describe('levels', () => {
  test('resolve against N in force', () => {
    expect(upTo(6).map((n) => resolveQuorum('quorum', n))).toEqual([1, 2, 2, 3, 3, 4])
    expect(resolveQuorum('one', 3)).toBe(1)
    expect(resolveQuorum('all', 3)).toBe(3)
    expect(resolveQuorum(3, 3)).toBe(3)
    for (const bad of [0, 4, -1, 1.5, Number.NaN]) expect(resolveQuorum(bad, 3)).toBe('bad-quorum')
  })

  test('of a bucket shrink with a small cluster instead of failing', () => {
    expect(quorumInForce(2, 1)).toBe(1)
    expect(quorumInForce(2, 3)).toBe(2)
    expect(quorumInForce('quorum', 2)).toBe(2)
  })
})
