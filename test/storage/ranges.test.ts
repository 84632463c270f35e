// Checkpoints of many small ranges: random changes, crashes and damage, and what they cost in space.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { systemError } from '../../src/simulator/simulated-file.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { HEADER_BYTES } from '../../src/storage/file-header.ts'
import type { Storage, StorageOptions } from '../../src/storage/storage.ts'
import { CrashDisk } from './crash-disk.ts'
import { CLOCK, contentOf, LIFE, openStorage, viewOf } from './fixture.ts'

const PARTITIONS = [0, 16, 17, 35, 51, 67, 83, 99, 4000, 65_535]
const OPTIONS = { segmentBytesMax: 4000, checkpointBytesMin: 1500 }

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

async function settle(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await Promise.resolve()
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

async function filled(options: Partial<StorageOptions> = OPTIONS): Promise<{ disk: CrashDisk; storage: Storage }> {
  const disk = new CrashDisk()
  const storage = await openStorage(disk, options)
  for (let i = 0; i < 120; i++) {
    const partition = PARTITIONS[i % PARTITIONS.length] as number
    await storage.synced(
      storage.putRecord(partition, 'b', `k${i % 7}`, Buffer.alloc(300, i), [{ life: LIFE, counter: i + 1 }]),
    )
  }
  return { disk, storage }
}

const checkpointsOf = (disk: CrashDisk): string[] =>
  [...disk.names.keys()].filter((name) => /^checkpoint-\d+$/.test(name)).sort()

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

  it('recover when the process dies between a new name and the removal of what it replaces; an older file stands in', async () => {
    const { disk, storage } = await filled()
    await settle(4000)
    const before = checkpointsOf(disk)
    // Whatever is removed: not this time.
    disk.fault = (operation) => {
      if (operation === 'remove') disk.dieAt = 0
    }
    disk.delay = (operation) => (operation === 'remove' ? new Promise(() => {}) : Promise.resolve())
    for (let i = 0; i < 40; i++) {
      await storage.synced(storage.putRecord(PARTITIONS[i % 10] as number, 'b', 'late', Buffer.alloc(200, i), []))
      await settle(50)
    }
    await settle(4000)
    const content = contentOf(storage)
    const image = disk.image()
    const added = checkpointsOf(disk).filter((name) => !before.includes(name))
    expect(added).toHaveLength(1)
    const [name] = added as [string]

    const left = CrashDisk.of(image)
    const again = await openStorage(left)
    expect(again.recovery.damaged).toEqual([])
    expect(contentOf(again)).toBe(content)

    // Damage in the new file, at every place: what it says is in the old one and in the log.
    const bytes = image.get(name) as Uint8Array
    for (let at = 0; at < bytes.length; at += 7) {
      const harmed = Uint8Array.from(bytes)
      harmed[at] = (harmed[at] as number) ^ 0x40
      const other = await openStorage(CrashDisk.of(new Map(image).set(name, harmed)))
      expect(new Set(other.recovery.damaged.map(({ file }) => file)), `at ${at}`).toEqual(new Set([name]))
      expect(contentOf(other), `at ${at}`).toBe(content)
    }
    const missing = new Map(image)
    missing.delete(name)
    expect(contentOf(await openStorage(CrashDisk.of(missing)))).toBe(content)
  })

  it('report what is missing, swapped or harmed, and never tell a value that never was', async () => {
    const { disk, storage } = await filled()
    await storage.close()
    const image = disk.image()
    const content = contentOf(storage)
    const names = checkpointsOf(disk)
    const values = new Set<string>()
    for (let i = 0; i < 120; i++) values.add(`k${i % 7} ${i}`)
    const judge = async (harmed: ReadonlyMap<string, Uint8Array>, deep: boolean): Promise<void> => {
      const left = CrashDisk.of(harmed)
      const found = await openStorage(left, { ...OPTIONS, seed: 5 })
      expect(found.recovery.damaged.length).toBeGreaterThan(0)
      for (const partition of found.partitions())
        for (const { key, bytes } of found.memtable.scan(partition, null))
          expect(values).toContain(`${key} ${bytes[0]}`)
      if (!deep) return
      await found.synced(found.putRecord(16, 'b', 'k1', Buffer.alloc(300, 11), []))
      const after = contentOf(found)
      const again = await openStorage(left.powerCut(), { ...OPTIONS, seed: 6 })
      expect(again.recovery.damaged.length).toBeGreaterThan(0)
      expect(contentOf(again)).toBe(after)
      await again.quarantineDone()
      expect([...left.names.keys()].length).toBeGreaterThan(0)
      expect(contentOf(again)).toBe(after)
    }
    for (const [i, name] of names.entries()) {
      const bytes = image.get(name) as Uint8Array
      const other = names[(i + 1) % names.length] as string
      const without = new Map(image)
      without.delete(name)
      await judge(without, true)
      await judge(new Map(image).set(name, image.get(other) as Uint8Array), true)
      await judge(new Map(image).set(name, image.get(other) as Uint8Array).set(other, bytes), true)
      for (let at = 0; at < bytes.length; at += at < HEADER_BYTES ? 5 : 151) {
        const harmed = Uint8Array.from(bytes)
        harmed[at] = (harmed[at] as number) ^ 1
        await judge(new Map(image).set(name, harmed), at % 2 === 0)
        await judge(new Map(image).set(name, bytes.slice(0, at)), at % 2 === 0)
      }
    }
    const unharmed = await openStorage(CrashDisk.of(image))
    expect(unharmed.recovery.damaged).toEqual([])
    expect(contentOf(unharmed)).toBe(content)
  }, 60_000)

  it('hold a settled directory together when the process dies while damage is being settled', async () => {
    const { disk, storage } = await filled()
    await storage.close()
    const content = contentOf(storage)
    const image = disk.image()
    const name = checkpointsOf(disk)[1] as string
    const bytes = Uint8Array.from(image.get(name) as Uint8Array)
    bytes[HEADER_BYTES + 60] = (bytes[HEADER_BYTES + 60] as number) ^ 1
    let settled = false
    for (let dieAfter = 1; !settled && dieAfter < 400; dieAfter += 3) {
      const left = CrashDisk.of(new Map(image).set(name, bytes))
      const found = await openStorage(left, OPTIONS)
      expect(found.recovery.damaged.length).toBeGreaterThan(0)
      const told = contentOf(found)
      left.dieAt = left.operations + dieAfter
      void found.quarantineDone().then(() => (settled = true))
      await settle(4000)
      const again = await openStorage(CrashDisk.of(left.image()), OPTIONS)
      expect(contentOf(again), `died after ${dieAfter}`).toBe(told)
      if (again.recovery.damaged.length === 0) continue
      await again.quarantineDone()
      expect(contentOf(again)).toBe(told)
    }
    expect(settled).toBe(true)
    expect(content.length).toBeGreaterThan(0)
  })

  it('settle damage once there is room again, and until then keep what there is', async () => {
    const { disk, storage } = await filled()
    await storage.close()
    const image = disk.image()
    const name = checkpointsOf(disk)[1] as string
    const bytes = Uint8Array.from(image.get(name) as Uint8Array)
    bytes[HEADER_BYTES + 60] = (bytes[HEADER_BYTES + 60] as number) ^ 1
    const left = CrashDisk.of(new Map(image).set(name, bytes))
    const due: (() => void)[] = []
    const clock = { ...CLOCK, after: (_ms: number, callback: () => void) => ({ cancel() {}, at: due.push(callback) }) }
    const found = await openStorage(left, { ...OPTIONS, clock })
    const content = contentOf(found)
    let appends = 0
    left.fault = (operation, file) => {
      if (operation === 'append' && file.startsWith('checkpoint') && ++appends > 9) throw systemError('ENOSPC', file)
    }
    await expect(found.quarantineDone()).rejects.toMatchObject({ code: 'storage-full' })
    expect(checkpointsOf(left).length).toBeGreaterThan(checkpointsOf(disk).length)
    for (const retried of due.splice(0)) retried()
    await settle(4000)
    const again = await openStorage(CrashDisk.of(left.image()))
    expect(again.recovery.damaged.length).toBeGreaterThan(0)
    expect(contentOf(again)).toBe(content)

    appends = -Infinity
    for (const retried of due.splice(0)) retried()
    await settle(4000)
    expect([...left.names.keys()]).toContain(`quarantine-${name}`)
    const settled = await openStorage(left.powerCut())
    expect(settled.recovery.damaged).toEqual([])
    expect(contentOf(settled)).toBe(content)
  })

  it('contain nothing that was written after them, though they could not be read and the log was lost', async () => {
    const { disk, storage } = await filled()
    await settle(4000)
    await storage.close()
    const image = disk.image()
    const newest = checkpointsOf(disk).at(-1) as string
    for (const name of image.keys()) if (name.startsWith('log-')) image.delete(name)
    const left = CrashDisk.of(image)
    left.fault = (operation, name) => {
      if (operation === 'read' && (name === newest || name === 'manifest')) throw new Error('EIO')
    }
    const found = await openStorage(left, OPTIONS)
    expect(found.recovery.damaged.length).toBeGreaterThan(0)
    for (const partition of PARTITIONS)
      await found.synced(found.putRecord(partition, 'b', 'since', Buffer.from('since'), []))
    left.fault = () => {}
    const again = await openStorage(left.powerCut(), OPTIONS)
    expect(again.recovery.damaged.length).toBeGreaterThan(0)
    for (const partition of PARTITIONS) expect(again.memtable.has(partition, 'b', 'since')).toBe(true)
  })

  it('know of a log that was cut between two batches what a crash would not tell, and never show a mixture', async () => {
    const { disk, storage } = await filled({ checkpointBytesMin: 8000 })
    const contents: string[] = [contentOf(storage)]
    let told = 0
    for (let i = 0; i < 200; i++) {
      await storage.synced(storage.putRecord(PARTITIONS[i % 10] as number, 'b', 'late', Buffer.alloc(60, i), []))
      contents.push(contentOf(storage))
      await settle(400)
      const image = disk.image()
      const newest = [...image.keys()].filter((name) => name.startsWith('log-')).at(-1) as string
      const cut = new Map(image).set(newest, (image.get(newest) as Uint8Array).slice(0, HEADER_BYTES))
      const again = await openStorage(CrashDisk.of(cut))
      if (again.recovery.damaged.length === 0) expect(contents).toContain(contentOf(again))
      else if (again.recovery.damaged.some(({ what }) => /^(changes|batches) up to/.test(what))) told++
    }
    expect(told).toBeGreaterThan(5)
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
