// The last read against the definition, on thousands of small graphs of who had seen whom: every acknowledged value is there or under
// something that is, and nothing is there that something acknowledged had seen.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { expirySlackMs } from '../../../src/simulator/checkers/expiry.ts'
import { checkFinalRead } from '../../../src/simulator/checkers/final-state.ts'
import type { ObservedRead } from '../../../src/simulator/observed.ts'
import { everythingIn, hadSeen, shownBy } from './exhaustive-freshness.ts'
import { readOf } from './outcomes.ts'
import { Scene, seenOf, type Told } from './scene.ts'

const bits = fc.nat(63)

const writeArbitrary = fc.record({
  kind: fc.constantFrom<'put' | 'delete'>('put', 'put', 'put', 'put', 'delete'),
  fate: fc.constantFrom<'acknowledged' | 'unknown' | 'void'>('acknowledged', 'acknowledged', 'unknown', 'void'),
  /** Which earlier writes its client had seen. */
  on: bits,
  /** Has expired by the end. */
  isShortLived: fc.nat(7).map((n) => n === 0),
})

const graph = fc.record({
  writes: fc.array(writeArbitrary, { minLength: 1, maxLength: 6 }),
  /** Which writes the answer has come across; `honest`: and all that were acknowledged. */
  knows: bits,
  honest: fc.boolean(),
  /** It shows what it knows to be superseded. */
  careless: fc.nat(4).map((n) => n === 0),
})

const END_MS = 10_000

/** By the definition; the guarantees in the order of the alphabet. */
function judged(scene: Scene, read: ObservedRead): string[] {
  const { key } = scene
  const shown = shownBy(key, read)
  const included = everythingIn(key, read, expirySlackMs(scene.world))
  const acknowledged = key.writes.filter(({ fate }) => fate === 'acknowledged')
  const verdict: string[] = []
  for (const write of acknowledged) {
    // Acknowledged is what it had seen, too: but only values that were acknowledged themselves are owed.
    if (write.kind === 'delete' || write.ttlMs !== null || included.has(write)) continue
    verdict.push(key.writes.some((other) => hadSeen(other, write)) ? 'G1' : 'G2')
  }
  for (const write of shown) {
    if (acknowledged.some((by) => hadSeen(by, write))) verdict.push('G4')
    for (const other of shown) if (hadSeen(other, write)) verdict.push('G6')
  }
  return verdict.sort()
}

test('the last read is judged as the definition says', { timeout: 120_000 }, async () => {
  const counts = new Map<string, number>()
  let [graphs, good] = [0, 0]
  await fc.assert(
    fc.asyncProperty(graph, async ({ writes, knows, honest, careless }) => {
      const scene = await Scene.open({ nodes: 1 })
      await scene.world.cluster.time.runFor(END_MS)
      const told: Told[] = []
      for (const { on, isShortLived, kind, fate } of writes) {
        const below = told.filter((_, i) => (on >> i) % 2 === 1)
        const ttl = isShortLived && kind === 'put' ? { ttlMs: 1000 } : {}
        told.push(scene.write(`w${told.length}`, { kind, fate, on: below, ...ttl }))
      }
      const known = told.filter((one, i) => (knows >> i) % 2 === 1 || (honest && one.write.fate === 'acknowledged'))
      const shows = known.filter(
        (one) =>
          one.version.content !== null &&
          (careless || !known.some((other) => other !== one && other.seen.has(one.version.dot))),
      )
      const read = readOf(scene, { shows, seen: seenOf(...known), startedAt: END_MS, endedAt: END_MS })
      checkFinalRead(scene.world, scene.key, 'node-0', END_MS, read.outcome)
      const expected = judged(scene, read)
      expect(scene.guarantees.toSorted()).toEqual(expected)
      graphs++
      if (expected.length === 0) good++
      for (const guarantee of new Set(expected)) counts.set(guarantee, (counts.get(guarantee) ?? 0) + 1)
    }),
    { numRuns: 3000 },
  )
  expect(good / graphs).toBeGreaterThan(0.2)
  expect((graphs - good) / graphs).toBeGreaterThan(0.2)
  for (const guarantee of ['G1', 'G2', 'G4', 'G6'])
    expect(counts.get(guarantee) ?? 0, guarantee).toBeGreaterThan(graphs / 100)
})
