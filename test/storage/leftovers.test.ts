// Files that a crash leaves behind, at whatever step of whatever checkpoint: after a start and one round through all ranges none is there that
// the next start could do without.

import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { CrashDisk, type Image } from './crash-disk.ts'
import { contentOf, LIFE, openStorage } from './fixture.ts'

const PARTITIONS = [0, 16, 17, 35, 51, 67, 83, 99, 4000, 65_535]
const OPTIONS = { segmentBytesMax: 4000, checkpointBytesMin: 1500 }
const AFTERMATHS = ['killed', 'least', 'some', 'others'] as const

let counter = 0

async function overwrite(storage: Storage, from: number, count: number): Promise<void> {
  for (let i = from; i < from + count; i++) {
    const dot = { life: LIFE, counter: ++counter }
    const partition = PARTITIONS[i % PARTITIONS.length] as number
    await storage.synced(storage.putRecord(partition, 'b', `k${i % 3}`, Buffer.alloc(200, i), [dot]))
  }
}

/** Until nothing is done any more. */
async function quiet(disk: CrashDisk): Promise<void> {
  for (let before = -1; before !== disk.operations && disk.operations < disk.dieAt;) {
    before = disk.operations
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Every range is written again at least once. */
async function round(storage: Storage, disk: CrashDisk): Promise<void> {
  const before = checkpointsOf(disk.image())
  for (let i = 0; before.some((name) => disk.names.has(name)); i++) {
    if (i > 50) throw new Error('some range is never written again')
    await overwrite(storage, 10 * i, 10)
    await quiet(disk)
  }
}

function checkpointsOf(image: Image): string[] {
  return [...image.keys()].filter((name) => name.startsWith('checkpoint-'))
}

/** What can go without that anybody notices. */
async function spareIn(image: Image, content: string): Promise<string[]> {
  const spare: string[] = []
  for (const name of image.keys()) {
    const without = new Map(image)
    without.delete(name)
    const storage = await openStorage(CrashDisk.of(without), OPTIONS)
    if (storage.recovery.damaged.length === 0 && contentOf(storage) === content && name !== 'manifest') spare.push(name)
  }
  return spare
}

async function leftOver(image: Image): Promise<string[]> {
  const disk = CrashDisk.of(image)
  const storage = await openStorage(disk, OPTIONS)
  expect(storage.recovery.damaged).toEqual([])
  await round(storage, disk)
  const left = disk.image()
  const odd = [...left.keys()].filter((name) => !/^(manifest|log-\d{8}|checkpoint-\d{8})$/.test(name))
  return [...odd, ...(await spareIn(left, contentOf(storage)))]
}

async function begun(): Promise<Image> {
  const disk = new CrashDisk()
  const storage = await openStorage(disk, OPTIONS)
  await overwrite(storage, 0, 90)
  await quiet(disk)
  return disk.image()
}

async function work(disk: CrashDisk, close: boolean): Promise<void> {
  const storage = await openStorage(disk, OPTIONS)
  await overwrite(storage, 7, 45)
  await quiet(disk)
  if (close) await storage.close()
}

describe('left over', () => {
  test('is nothing of a run without a crash, and each file is needed', async () => {
    const image = await begun()
    expect(checkpointsOf(image).length).toBeGreaterThan(5)
    expect(await leftOver(image)).toEqual([])
    // The judge is worth its name: what has been replaced is spare.
    const disk = CrashDisk.of(image)
    const storage = await openStorage(disk, OPTIONS)
    await round(storage, disk)
    const [old = ''] = checkpointsOf(image)
    const after = new Map(disk.image()).set(old, image.get(old) ?? new Uint8Array(0))
    expect(await spareIn(after, contentOf(storage))).toEqual([old])
  })

  test.each(AFTERMATHS)('is nothing after a crash at any operation: %s', { timeout: 120_000 }, async (how) => {
    const image = await begun()
    const whole = CrashDisk.of(image)
    await work(whole, true)
    expect(whole.operations).toBeGreaterThan(300)
    const found: string[] = []
    const seen = { unfinished: 0, twice: 0 }
    for (let dieAt = 1; dieAt <= whole.operations; dieAt += how === 'killed' ? 1 : 3) {
      const disk = CrashDisk.of(image)
      disk.dieAt = dieAt
      void work(disk, true)
      await quiet(disk)
      const random = new SeededRandom(`${how} ${dieAt}`)
      const crashed = how === 'killed' ? disk.image() : disk.powerCut(how === 'least' ? undefined : random).image()
      const names = checkpointsOf(crashed)
      if (names.some((name) => name.endsWith('.tmp'))) seen.unfinished++
      else if (names.length > checkpointsOf(image).length) seen.twice++
      for (const name of await leftOver(crashed)) found.push(`operation ${dieAt}: ${name}`)
    }
    expect(found).toEqual([])
    expect(seen.twice, 'crashes between a new name and what it replaces').toBeGreaterThan(0)
    if (how === 'killed') expect(seen.unfinished).toBeGreaterThan(10)
  })
})
