import { describe, expect, test } from 'vitest'
import { partitionId } from '../../../src/core/ring/partition.ts'
import { applyChange, emptyPlacement, foldPlacement, foundingChanges } from '../../../src/core/ring/placement.ts'
import type { Placement } from '../../../src/core/ring/placement.ts'
import { Ring } from '../../../src/core/ring/ring.ts'

const REPLICATIONS = [1, 2, 3, 5, 8, 15]
const SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 20, 30]

const namesOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `node-${i}`)

/** The placement after each join. */
function history(members: number, partitions: number): Placement[] {
  let placement = emptyPlacement(partitions)
  return foundingChanges(namesOf(members)).map((change) => (placement = applyChange(placement, change)))
}

function loads(placement: Placement, n: number): number[] {
  const loads = placement.members.map(() => 0)
  for (const order of placement.orders) for (const member of order.subarray(0, n)) loads[member]! += 1
  return loads
}

describe.each([1024, 64, 16])('placement on Q = %i', (partitions) => {
  const steps = history(30, partitions)

  test('orders all members in every partition', () => {
    for (const { orders, members } of steps) {
      expect(orders).toHaveLength(partitions)
      for (const order of orders) expect(new Set(order).size).toBe(members.length)
    }
  })

  test.each(SIZES)('gives %i members even loads for every n', (size) => {
    const placement = steps[size - 1]!
    for (const n of REPLICATIONS.filter((n) => n <= size)) {
      const attainable = Math.ceil((n * partitions) / size)
      expect(Math.max(...loads(placement, n)), `n=${n}`).toBeLessThanOrEqual(
        Math.max(1.02 * attainable, attainable + 1),
      )
      expect(Math.min(...loads(placement, n)), `n=${n}`).toBeGreaterThanOrEqual(Math.floor((n * partitions) / size) - 2)
    }
  })

  test('moves on a join exactly what the newcomer takes, for every n', () => {
    for (let k = 2; k <= steps.length; k++) {
      const [before, after] = [steps[k - 2]!, steps[k - 1]!]
      for (const n of REPLICATIONS.filter((n) => n < k)) {
        let moved = 0
        for (let p = 0; p < partitions; p++) {
          const then = new Set(before.orders[p]!.subarray(0, n))
          const arrived = [...after.orders[p]!.subarray(0, n)].filter((member) => !then.has(member))
          expect(arrived.every((member) => member === k - 1)).toBe(true)
          moved += arrived.length
        }
        expect(moved).toBe(Math.floor((n * partitions) / k))
      }
    }
  })

  test('keeps the order of those who were there', () => {
    for (let k = 2; k <= steps.length; k++) {
      for (let p = 0; p < partitions; p++) {
        expect(steps[k - 1]!.orders[p]!.filter((member) => member !== k - 1)).toEqual(steps[k - 2]!.orders[p]!)
      }
    }
  })
})

test('a dead member’s load spreads over all others', () => {
  for (const size of [4, 5, 8, 12]) {
    const { orders } = foldPlacement(foundingChanges(namesOf(size)), 1024)
    for (let dead = 0; dead < size; dead++) {
      const extra = Array.from({ length: size }, () => 0)
      for (const order of orders) if (order.subarray(0, 3).includes(dead)) extra[order[3]!]! += 1
      const mean = (3 * 1024) / size / (size - 1)
      const others = extra.filter((_, member) => member !== dead)
      expect(Math.max(...others)).toBeLessThan(mean * 1.8)
      expect(Math.min(...others)).toBeGreaterThan(mean * 0.3)
    }
  }
})

test('founders are placed by their names, whatever the order in which they were given', () => {
  expect(foundingChanges(['c', 'a', 'b'])).toEqual(foundingChanges(['b', 'c', 'a']))
  expect(() => foldPlacement(foundingChanges(['a', 'a']), 16)).toThrow('twice')
})

test('placement is part of the format: the same on every node and in every version', () => {
  const { orders } = foldPlacement(foundingChanges(namesOf(5)), 1024)
  let hash = 0
  for (const order of orders) for (const member of order) hash = (Math.imul(hash, 31) + member) >>> 0
  expect(hash).toBe(1_186_774_118)
})

test('30 members on 1024 partitions are placed within a second or so', () => {
  const started = performance.now()
  foldPlacement(foundingChanges(namesOf(30)), 1024)
  expect(performance.now() - started).toBeLessThan(3000)
})

describe('a ring', () => {
  const ring = Ring.ofFounders(['e', 'd', 'c', 'b', 'a'], 1024)

  test('splits the preference list into homes and fallbacks', () => {
    const id = ring.partitionIdOf('bucket', 'key', 3)
    const partition = Math.floor(id / 16)
    expect(ring.homes(id)).toHaveLength(3)
    expect([...ring.homes(id), ...ring.fallbacks(id)]).toEqual(ring.preferenceList(partition))
    expect(ring.preferenceList(partition).toSorted()).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(ring.homes(id)).toBe(ring.homes(id))
    expect(ring.members).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(ring.version).toBe(5)
  })

  test('has no more homes than members', () => {
    expect(ring.nInForce(7)).toBe(5)
    expect(ring.nInForce(3)).toBe(3)
    expect(ring.homes(partitionId(0, 7))).toHaveLength(5)
    expect(ring.fallbacks(partitionId(0, 7))).toEqual([])
  })

  test('tells what a member owns', () => {
    const owned = ring.ownedPartitions('c', 3)
    expect(Math.abs(owned.length - (3 * 1024) / 5)).toBeLessThanOrEqual(2)
    expect(ring.partitionsOf('c', 3)).toEqual(owned.map((partition) => partitionId(partition, 3)))
    for (let partition = 0; partition < 1024; partition++) {
      expect(ring.isHome(partitionId(partition, 3), 'c')).toBe(owned.includes(partition))
    }
    expect(ring.ownedPartitions('nobody', 3)).toEqual([])
  })

  test('refuses a Q that is no power of two', () => {
    expect(() => Ring.ofFounders(['a'], 1000)).toThrow('power of two')
    expect(() => ring.preferenceList(1024)).toThrow('partition 1024')
  })
})
