// Checkpoints of many small ranges: random changes, crashes, and what they cost in space.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { CrashDisk } from './crash-disk.ts'
import { contentOf, LIFE, openStorage, viewOf } from './fixture.ts'
import { checkpointsOf, filled, OPTIONS, PARTITIONS, settle } from './ranges.ts'

type Step = readonly [kind: number, partition: number, key: number, size: number]

const STEP: fc.Arbitrary<Step> = fc.tuple(
  fc.nat(15),
  fc.constantFrom(...PARTITIONS),
  fc.nat(5),
  fc.constantFrom(1, 40, 300, 5000),
)

function apply(storage: Storage, [kind, partition, index, size]: Step, counter: number): void {
  const key = `k${index}`
  const dot = { life: LIFE, counter }
  if (kind < 8) storage.putRecord(partition, 'b', key, Buffer.alloc(size, counter), [dot])
  else if (kind < 11) storage.putRecord(partition, 'b', key, null, [])
  else if (kind === 11) storage.joinClock(partition, DotSet.of(dot))
  else if (kind === 12) storage.replaceClock(partition, DotSet.of(dot))
  else if (kind === 13) storage.setCatalog(key, size > 100 ? null : Buffer.alloc(size, counter))
  else if (kind === 14) storage.hints.add('n2', { bucket: 'b', key, partition }, 'siblings', viewOf(counter))
  else for (const hint of storage.hints.next('n2', 1)) storage.hints.remove(hint)
}

interface Lived {
  readonly disk: CrashDisk
  readonly contents: string[]
  /** Index of the content that was durable. */
  readonly synced: number
}

async function live(disk: CrashDisk, steps: readonly Step[], dieAt: number, close: boolean): Promise<Lived> {
  const contents: string[] = []
  let synced = 0
  let isAlive = true
  disk.dieAt = dieAt
  const run = async (): Promise<void> => {
    const storage = await openStorage(disk, OPTIONS)
    expect(storage.recovery.damaged).toEqual([])
    contents.push(contentOf(storage))
    for (const [i, step] of steps.entries()) {
      const before = storage.lastLsn
      apply(storage, step, i + 1)
      if (storage.lastLsn === before) continue
      contents.push(contentOf(storage))
      const index = contents.length - 1
      if (step[2] % 2 === 0) await storage.synced(storage.lastLsn).then(() => isAlive && (synced = index))
    }
    await storage.synced(storage.lastLsn).then(() => isAlive && (synced = contents.length - 1))
    if (close) await storage.close()
  }
  const failures: unknown[] = []
  void run().catch((error: unknown) => failures.push(error))
  await settle(4000)
  expect(failures).toEqual([])
  isAlive = false
  return { disk, contents, synced }
}

describe('ranges', () => {
  it('give back what was durable, wherever the process dies', async () => {
    let files = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(STEP, { minLength: 5, maxLength: 60 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 5, max: 400 }),
        fc.option(fc.nat()),
        async (lives, dieAt, seed) => {
          let disk = new CrashDisk()
          for (const [i, steps] of lives.entries()) {
            const isLast = i === lives.length - 1
            const lived = await live(disk, steps, isLast ? dieAt : Infinity, i % 2 === 0)
            files = Math.max(files, checkpointsOf(lived.disk).length)
            const random = new SeededRandom(seed ?? 1)
            disk = seed === null ? CrashDisk.of(lived.disk.image()) : lived.disk.powerCut(random)
            if (!isLast || lived.contents.length === 0) continue
            const again = await openStorage(disk)
            expect(again.recovery.damaged).toEqual([])
            expect(lived.contents.lastIndexOf(contentOf(again))).toBeGreaterThanOrEqual(lived.synced)
          }
        },
      ),
      { numRuns: 120 },
    )
    expect(files).toBeGreaterThan(4)
  }, 120_000)

  it('are replaced one by one, and the log with them', async () => {
    const { disk, storage } = await filled()
    await settle(4000)
    expect(checkpointsOf(disk).length).toBeGreaterThan(5)
    expect(storage.stats.logBytes).toBeLessThan(12_000)
    const before = checkpointsOf(disk)
    await storage.synced(storage.putRecord(16, 'b', 'k', Buffer.alloc(6000), []))
    await settle(4000)
    expect(checkpointsOf(disk).filter((name) => before.includes(name)).length).toBeLessThan(before.length)
    const again = await openStorage(disk.powerCut())
    expect(again.recovery.damaged).toEqual([])
    expect(contentOf(again)).toBe(contentOf(storage))
  })

  it('keep the disk within twice the live data under steady overwriting, and what was removed goes', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, { segmentBytesMax: 1 << 20, checkpointBytesMin: 16_000 })
    const random = new SeededRandom(3)
    const KEYS = 2000
    const counters = new Map<number, number>()
    const put = (index: number): void => {
      const key = `k${String(index).padStart(10, '0')}`
      const counter = (counters.get(index % 64) ?? 0) + 1
      counters.set(index % 64, counter)
      const dot = { life: LIFE, counter }
      storage.putRecord(16 * (index % 64) + 3, 'bucket', key, Buffer.alloc(123, counter), [dot])
    }
    const used = (): number => [...disk.names.values()].reduce((sum, file) => sum + file.size, 0)
    for (let i = 0; i < KEYS; i++) put(i)
    await storage.synced(storage.lastLsn)
    let most = 0
    for (let round = 0; round < 2000; round++) {
      for (let i = 0; i < 20; i++) put(random.integer(0, KEYS))
      await storage.synced(storage.lastLsn)
      await settle(30)
      if (round > 200) most = Math.max(most, used())
    }
    expect(most / (KEYS * 111)).toBeLessThan(2)
    await settle(4000)
    for (let i = 0; i < KEYS; i++)
      storage.putRecord(16 * (i % 64) + 3, 'bucket', `k${String(i).padStart(10, '0')}`, null, [])
    await storage.synced(storage.lastLsn)
    await settle(20_000)
    expect(used()).toBeLessThan(40_000)
  })
})
