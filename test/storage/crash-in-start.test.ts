// Starts that die, one after the other, at any of their operations. Until the manifest names its segment a start has added nothing: what
// it leaves behind is never damage, takes nothing along that the next start needs, and hides no damage that is there.

import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { HEADER_BYTES } from '../../src/storage/file-header.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { CrashDisk, type Image } from './crash-disk.ts'
import { contentOf, openStorage } from './fixture.ts'

const OPTIONS = { segmentBytesMax: 1 << 20, checkpointBytesMin: 2500 }
const [FIRST, SECOND] = ['log-00000001', 'log-00000002'] as const

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

async function write(storage: Storage, keys: readonly string[], bytes = 150): Promise<void> {
  for (const key of keys) await storage.synced(storage.putRecord(16, 'b', key, Buffer.alloc(bytes, key), []))
}

/** What the first run leaves behind, and what the next ones may find in it. */
interface Begun {
  readonly disk: CrashDisk
  readonly contents: readonly string[]
}

const RUNS: Readonly<Record<string, () => Promise<Begun>>> = {
  'after a log': async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, OPTIONS)
    await write(storage, ['a', 'b', 'c'])
    return { disk, contents: [contentOf(storage)] }
  },
  'after a checkpoint of everything': async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, OPTIONS)
    await write(storage, ['a', 'b'], 1500)
    await turns(5)
    expect(storage.stats.checkpoints).toBe(1)
    return { disk, contents: [contentOf(storage)] }
  },
  'after a failed sync': async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, OPTIONS)
    const before = contentOf(storage)
    const file = disk.names.get(FIRST)
    disk.fault = (operation) => {
      if (operation !== 'sync' || !file) return
      // What it was to write stays in the page cache, marked clean.
      file.failSync(file.capture())
      throw new Error('EIO')
    }
    await expect(write(storage, ['a'])).rejects.toThrow('can not be written')
    disk.fault = () => {}
    return { disk, contents: [before, contentOf(storage)] }
  },
}

/** Null: it died before this operation of its own. */
async function startThatDies(disk: CrashDisk, dieAt: number): Promise<Storage | null> {
  let opened: Storage | null = null
  disk.dieAt = disk.operations + dieAt
  void openStorage(disk, OPTIONS).then((storage) => (opened = storage))
  await turns(2)
  const storage = opened as Storage | null
  // It may still have something to do.
  disk.dieAt = 0
  await turns(1)
  disk.dieAt = Infinity
  return storage
}

const AFTERMATHS = [
  ['killed', 'killed'],
  ['killed', 'power cut'],
  ['power cut', 'power cut'],
] as const

describe.each(Object.entries(RUNS))('%s', (_, begin) => {
  test.each(AFTERMATHS)('one start dies (%s), then the next one (%s)', { timeout: 120_000 }, async (...hows) => {
    let deaths = 0
    for (let [first, isOver] = [1, false]; !isOver; first++) {
      for (let [second, isLast] = [1, false]; !isLast; second++) {
        const begun = await begin()
        let { disk, contents } = begun
        const where = `died at ${first} and ${second}`
        for (const [i, how] of hows.entries()) {
          const storage = await startThatDies(disk, i === 0 ? first : second)
          if (how === 'power cut') disk = disk.powerCut(new SeededRandom(`${i} ${where}`))
          if (i === 0) isOver = storage !== null
          else isLast = storage !== null
          if (storage === null) deaths++
          // From now on others may have seen it.
          else contents = [contentOf(storage)]
        }
        const storage = await openStorage(disk, OPTIONS)
        expect(storage.recovery.damaged, where).toEqual([])
        expect(contents, where).toContain(contentOf(storage))
      }
    }
    expect(deaths).toBeGreaterThan(300)
  })

  test('one start dies, and the next one finds no room', async () => {
    for (let [first, isOver] = [1, false]; !isOver; first++) {
      const { disk, contents } = await begin()
      isOver = (await startThatDies(disk, first)) !== null
      disk.capacity = 0
      await expect(openStorage(disk, OPTIONS)).rejects.toThrow('the disk is full')
      disk.capacity = Infinity
      const storage = await openStorage(disk, OPTIONS)
      expect(storage.recovery.damaged, `died at ${first}`).toEqual([])
      expect(contents, `died at ${first}`).toContain(contentOf(storage))
    }
  })
})

interface Unnamed {
  /** As it was before, and with a segment that the manifest does not name. */
  readonly before: Image
  readonly image: Image
  /** Where each batch begins in the first segment, and where the last one ends. */
  readonly ends: readonly number[]
}

async function dieUnnamed(disk: CrashDisk): Promise<CrashDisk> {
  disk.delay = (_, name) => (name === 'manifest.tmp' ? new Promise(() => {}) : Promise.resolve())
  void openStorage(disk)
  await turns(2)
  return CrashDisk.of(disk.image())
}

async function unnamed(): Promise<Unnamed> {
  const disk = new CrashDisk()
  const storage = await openStorage(disk)
  const ends = [HEADER_BYTES]
  for (const key of ['a', 'b', 'c']) {
    await write(storage, [key])
    ends.push(disk.names.get(FIRST)?.size ?? 0)
  }
  const before = disk.image()
  const { names } = await dieUnnamed(disk)
  expect([...names.keys()].sort()).toEqual([FIRST, SECOND, 'manifest'])
  return { before, image: disk.image(), ends }
}

function cut(image: Image, name: string, size: number): Image {
  return new Map(image).set(name, (image.get(name) as Uint8Array).slice(0, size))
}

async function found(image: Image): Promise<{ readonly keys: string; readonly damage: readonly string[] }> {
  const { memtable, recovery } = await openStorage(CrashDisk.of(image))
  return {
    keys: [...memtable.scan(16, null)]
      .map(({ key }) => key)
      .sort()
      .join(''),
    damage: recovery.damaged.map(({ what }) => what),
  }
}

describe('a segment that is not named', () => {
  test('tells the last batch where the one before has lost it', async () => {
    const { image, ends } = await unnamed()
    for (let size = ends[2] as number; size <= (ends[3] as number); size++)
      expect(await found(cut(image, FIRST, size))).toEqual({ keys: 'abc', damage: [] })
  })

  test('does not vouch for the batch that it was to repeat: a torn one was never told to be durable', async () => {
    const { image, ends } = await unnamed()
    const bytes = (image.get(SECOND) as Uint8Array).length
    for (let size = 0; size < bytes; size++)
      for (const kept of [ends[2] as number, (ends[3] as number) - 1])
        expect(await found(cut(cut(image, FIRST, kept), SECOND, size))).toEqual({ keys: 'ab', damage: [] })
  })

  test('vouches for those before it', async () => {
    const { image, ends } = await unnamed()
    const torn = cut(cut(image, FIRST, ends[1] as number), SECOND, HEADER_BYTES)
    expect(await found(torn)).toEqual({ keys: 'a', damage: ['batches 2 to 2 are missing'] })
    const hole = new Map(image).set(FIRST, Uint8Array.from(image.get(FIRST) as Uint8Array).fill(0, ends[1], ends[2]))
    expect(await found(hole)).toEqual({ keys: 'ac', damage: ['batches 2 to 2 are missing'] })
  })

  test('which a running log began repeats nothing, and vouches for all before it', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, { segmentBytesMax: 400 })
    disk.delay = (_, name) =>
      name === 'manifest.tmp' && disk.names.has(SECOND) ? new Promise(() => {}) : Promise.resolve()
    await write(storage, ['a', 'b'])
    storage.putRecord(16, 'b', 'c', Buffer.alloc(150), [])
    await turns(2)
    const image = disk.image()
    expect(await found(image)).toEqual({ keys: 'ab', damage: [] })
    const { length } = image.get(FIRST) as Uint8Array
    const rotten = new Map(image).set(FIRST, Uint8Array.from(image.get(FIRST) as Uint8Array).fill(0, length - 20))
    expect(await found(rotten)).toEqual({ keys: 'a', damage: ['batches 2 to 2 are missing'] })
    expect(await found(cut(image, FIRST, length - 20))).toEqual({ keys: 'a', damage: ['batches 2 to 2 are missing'] })
  })

  test('that is named vouches for all before it', async () => {
    const { before, ends } = await unnamed()
    const disk = CrashDisk.of(before)
    await openStorage(disk)
    const torn = cut(cut(disk.image(), FIRST, ends[2] as number), SECOND, HEADER_BYTES)
    expect(await found(torn)).toEqual({ keys: 'ab', damage: ['batches 3 to 3 are missing'] })
  })

  test('does not stand in for the one that is named and missing', async () => {
    const { before } = await unnamed()
    const without = new Map(before)
    without.delete(FIRST)
    let disk = CrashDisk.of(without)
    expect((await found(without)).damage).toEqual(['the newest segment is missing'])
    for (let start = 0; start < 3; start++) {
      disk = await dieUnnamed(disk)
      expect((await found(disk.image())).damage, `${start + 1} died`).not.toEqual([])
    }
  })

  test('is gone after the next start, from the disk and from its figures', async () => {
    const { image } = await unnamed()
    const disk = CrashDisk.of(image)
    const storage = await openStorage(disk)
    const logs = [...disk.names].filter(([name]) => name.startsWith('log-'))
    expect(logs.map(([name]) => name)).toEqual([FIRST, 'log-00000003'])
    expect(storage.stats).toMatchObject({ segments: 2, logBytes: logs.reduce((sum, [, { size }]) => sum + size, 0) })
  })
})
