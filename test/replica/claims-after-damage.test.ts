// Small directories with damage, each of another kind, after which a record must not claim to have superseded what it has only lost.

import { describe, expect, test } from 'vitest'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { decodeRecord } from '../../src/core/causality/record.ts'
import { systemError } from '../../src/simulator/simulated-file.ts'
import { HEADER_BYTES } from '../../src/storage/file-header.ts'
import { FRAME_HEADER_BYTES } from '../../src/storage/frames.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { CrashDisk, type Image } from '../storage/crash-disk.ts'
import { openStorage } from '../storage/fixture.ts'
import { bring, claims, dotsOf, logEnd, logsOf, named, REPAIR, replicaOn, rotten, turns } from './home-on-disk.ts'
import { A, B, version, write } from './memory-home.ts'

const LOST = { life: A, counter: 1 }

describe('lost before the newest of several ranges was begun', () => {
  const limits = { segmentBytesMax: 1 << 20, checkpointBytesMin: 8000 }

  /** While the range of `k` is being written, A-2 comes, and then A-1, its sibling: this is where that is in the log. */
  async function written() {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, limits)
    const replica = replicaOn(storage)
    const held = Promise.withResolvers<void>()
    let isHeld = false
    disk.delay = (operation, name) => {
      if (operation !== 'append' || name !== 'checkpoint-00000001.tmp' || isHeld) return Promise.resolve()
      isHeld = true
      return held.promise
    }
    // Both partitions are large enough for a range of their own.
    for (let i = 0; !isHeld; i++) {
      await bring(replica, named(`big ${i}`, i % 2), 1000 + i, 500)
      await turns(3)
    }
    await bring(replica, named('k'), 2)
    const { name, size: from } = logEnd(disk)
    await bring(replica, named('k'), 1)
    expect(logEnd(disk).size).toBeGreaterThan(from)
    held.resolve()
    await turns(200)
    expect(storage.stats.checkpoints).toBeGreaterThanOrEqual(2)
    await bring(replica, named('later'), 5)
    await turns(50)
    return { image: disk.image(), name, from }
  }

  test('a batch: the clock of the older range has come beyond it', async () => {
    const { image, name, from } = await written()
    const again = await openStorage(CrashDisk.of(rotten(image, name, from + 50)), limits)
    expect(again.recovery.damaged).toMatchObject([{ file: name }])
    await expectKept(again)
  })

  test('the end of the log: likewise', async () => {
    const { image, name, from } = await written()
    const cut = (image.get(name) as Uint8Array).slice(0, from)
    const again = await openStorage(CrashDisk.of(new Map(image).set(name, cut)), limits)
    expect(again.recovery.damaged).toMatchObject([{ file: name }])
    await expectKept(again)
  })

  test('the whole log: a checkpoint into which nothing else came while it was written is believed', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, limits)
    const replica = replicaOn(storage)
    const keys = [named('k', 0), named('k', 1)]
    const first = { life: B, counter: 1 }
    disk.delay = async (operation, name) => {
      if (operation === 'rename' && name === 'checkpoint-00000001.tmp') await bring(replica, named('between'), 3)
    }
    for (const name of keys) {
      await replica.write(name, write(version(first, 'first')), REPAIR)
      await replica.write(name, write(version({ life: B, counter: 2 }, 'second'), DotSet.of(first)), REPAIR)
    }
    for (let i = 0; storage.stats.checkpoints < 2; i++) {
      await bring(replica, named(`big ${i}`, i % 2), 1000 + i, 500)
      await turns(50)
    }
    const image = new Map([...disk.image()].filter(([name]) => !name.startsWith('log-')))
    const again = await openStorage(CrashDisk.of(image), limits)
    expect(again.recovery.damaged).not.toEqual([])
    await replicaOn(again).rebuildAfterDamage('epoch')
    for (const name of keys) expect(claims(again, name, first)).toBe(true)
  })

  async function expectKept(storage: Storage): Promise<void> {
    const replica = replicaOn(storage)
    await replica.rebuildAfterDamage('epoch')
    const { bytes } = storage.memtable.get(0, 'b', 'k') as { bytes: Buffer }
    expect(decodeRecord(bytes).versions.map(({ dot }) => dot.counter)).toEqual([2])
    expect(claims(storage, named('k'), LOST)).toBe(false)
    // The other home, where both were acknowledged, keeps both.
    const other = replicaOn(await openStorage(null))
    for (const counter of [2, 1]) await bring(other, named('k'), counter)
    const { view } = await replica.look(named('k'), true)
    if (view) other.mergeExchanged(named('k'), view, undefined, 'siblings')
    expect((await other.look(named('k'), true)).view?.versions.map(({ dot }) => dot.counter)).toEqual([1, 2])
  }
})

describe('a damaged checkpoint to which the log does not lead', () => {
  test('its header, while the log that another range needs is missing: nothing says what it covered', async () => {
    const limits = { segmentBytesMax: 900, checkpointBytesMin: 12_000 }
    const disk = new CrashDisk()
    const storage = await openStorage(disk, limits)
    const replica = replicaOn(storage)
    // Two ranges: the facts with partition 0, and partition 1.
    await bring(replica, named('k'), 2)
    for (let i = 0; storage.stats.checkpoints < 2; i++) {
      await bring(replica, named(`big ${i}`, i % 2), 1000 + i, 700)
      await turns(20)
    }
    await turns(50)
    await bring(replica, named('k'), 1)
    const [first] = logsOf(disk) as [string]
    for (let i = 0; i < 2; i++) await bring(replica, named(`more ${i}`, 1), 3000 + i, 700)
    await storage.synced(replica.joinClock(0, dotsOf(1, 7)))
    await bring(replica, named('later'), 8)
    await turns(50)
    const image = disk.image()
    image.delete(first)

    for (const harmed of [image, rotten(image, 'checkpoint-00000002', 20)]) {
      const again = await openStorage(CrashDisk.of(harmed), limits)
      expect(again.recovery.damaged).toHaveLength(1)
      await replicaOn(again).rebuildAfterDamage('epoch')
      expect(again.memtable.has(0, 'b', 'k')).toBe(true)
      expect(claims(again, named('k'), LOST)).toBe(false)
    }
  })

  test('any block of it, over an older one that a power cut has brought back without its log', async () => {
    const limits = { segmentBytesMax: 1 << 20, checkpointBytesMin: 300_000 }
    const disk = new CrashDisk()
    const storage = await openStorage(disk, limits)
    const replica = replicaOn(storage)
    const keys = Array.from({ length: 12 }, (_, i) => named(`k${i}`))
    let fills = 0
    const overwrite = async (): Promise<void> => {
      const name = named(`big ${fills % 20}`)
      const { view } = await replica.look(name, true)
      const next = version({ life: B, counter: ++fills }, ''.padEnd(8000, '.'))
      await replica.write(name, write(next, view?.seen), REPAIR)
      await turns(5)
    }
    for (const [i, name] of keys.entries()) await bring(replica, name, 10 * i + 2)
    while (storage.stats.checkpoints === 0) await overwrite()
    await turns(50)
    for (const [i, name] of keys.entries()) await bring(replica, name, 10 * i + 1)
    const [older, newer] = ['checkpoint-00000001', 'checkpoint-00000002'] as const
    const before = disk.image().get(older) as Uint8Array
    // What is removed is gone, each name for itself, only when the directory is synced: all may be but the checkpoint.
    let left: Image | null = null
    disk.delay = (operation) => {
      if (operation !== 'syncDirectory' || !disk.names.has(newer) || disk.names.has(older)) return Promise.resolve()
      left ??= new Map([...disk.image(), [older, before]])
      return new Promise(() => {})
    }
    while (left === null) await overwrite()
    const image: Image = left
    expect((await openStorage(CrashDisk.of(image), limits)).recovery.damaged).toEqual([])

    const bytes = Buffer.from(image.get(newer) as Uint8Array)
    let blocks = 0
    for (let at = HEADER_BYTES; at < bytes.length; at += FRAME_HEADER_BYTES + bytes.readUInt32LE(at + 4)) {
      const again = await openStorage(CrashDisk.of(rotten(image, newer, at + FRAME_HEADER_BYTES)), limits)
      expect(again.recovery.damaged.every(({ file }) => file === newer)).toBe(true)
      expect(again.recovery.damaged).not.toEqual([])
      await replicaOn(again).rebuildAfterDamage('epoch')
      for (const [i, name] of keys.entries())
        expect(claims(again, name, { life: A, counter: 10 * i + 1 }), `block ${blocks}: ${name.key}`).toBe(false)
      blocks++
    }
    expect(blocks).toBeGreaterThan(2)
  })

  test('but what is intact of one to which it leads keeps its history', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, { checkpointBytesMin: 300_000 })
    const replica = replicaOn(storage)
    const first = { life: B, counter: 1 }
    await replica.write(named('k'), write(version(first, 'first')), REPAIR)
    await replica.write(named('k'), write(version({ life: B, counter: 2 }, 'second'), DotSet.of(first)), REPAIR)
    for (let i = 0; storage.stats.checkpoints === 0; i++) {
      await bring(replica, named(`big ${i}`), 1000 + i, 8000)
      await turns(5)
    }
    await turns(50)
    expect(logsOf(disk)).toHaveLength(1)
    const name = 'checkpoint-00000001'
    const bytes = Buffer.from(disk.image().get(name) as Uint8Array)
    let [blocks, told] = [0, 0]
    for (let at = HEADER_BYTES; at < bytes.length; at += FRAME_HEADER_BYTES + bytes.readUInt32LE(at + 4)) {
      const again = await openStorage(CrashDisk.of(rotten(disk.image(), name, at + FRAME_HEADER_BYTES)))
      await replicaOn(again).rebuildAfterDamage('epoch')
      blocks++
      if (claims(again, named('k'), first)) told++
    }
    // But for the block with the record, and that with the clock.
    expect(told).toBe(blocks - 2)
    expect(told).toBeGreaterThan(1)
  })
})

/** Damage, and a rebuild of which no checkpoint comes about: the disk has no room for one. */
async function rebuiltWithoutRoom(image: Image): Promise<CrashDisk> {
  const disk = CrashDisk.of(image)
  const storage = await openStorage(disk, ONE_SEGMENT)
  expect(storage.recovery.damaged).not.toEqual([])
  disk.fault = (operation, name) => {
    if (operation === 'append' && name.startsWith('checkpoint')) throw systemError('ENOSPC', name)
  }
  await expect(replicaOn(storage).rebuildAfterDamage('epoch')).rejects.toThrow('no room for a checkpoint')
  return disk
}

const ONE_SEGMENT = { segmentBytesMax: 1 << 30 }

describe('a rebuild that found no room for its checkpoints', () => {
  const keys = Array.from({ length: 8 }, (_, i) => named(`k${i}`))
  const lost = keys.map((_, i) => 10 * i + 1)

  /** The batch that brought siblings of what is in the keys is lost; what comes after it names them. */
  async function written(large: number): Promise<Image> {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, ONE_SEGMENT)
    const replica = replicaOn(storage)
    for (let i = 0; i < large; i++) await bring(replica, named(`big ${i}`), 1000 + i, 1 << 20)
    for (const [i, name] of keys.entries()) await bring(replica, name, 10 * i + 2)
    const { name, size } = logEnd(disk)
    await Promise.all(keys.map((key, i) => bring(replica, key, lost[i] as number)))
    await bring(replica, named('between'), 997)
    await storage.synced(replica.joinClock(0, dotsOf(998, ...lost)))
    return rotten(disk.image(), name, size + 50)
  }

  async function expectNoClaims(image: Image): Promise<void> {
    const storage = await openStorage(CrashDisk.of(image), ONE_SEGMENT)
    await replicaOn(storage).rebuildAfterDamage('epoch')
    for (const [i, key] of keys.entries()) {
      expect(storage.memtable.has(0, 'b', key.key)).toBe(true)
      expect(claims(storage, key, { life: A, counter: lost[i] as number }), key.key).toBe(false)
    }
  }

  test('and then any batch of it: what is left is not read by the clock before', async () => {
    const disk = await rebuiltWithoutRoom(await written(6))
    const image = disk.image()
    const rebuilt = logsOf(disk)[1] as string
    const bytes = Buffer.from(image.get(rebuilt) as Uint8Array)
    let batches = 0
    for (let at = HEADER_BYTES; at < bytes.length; at += FRAME_HEADER_BYTES + bytes.readUInt32LE(at + 4)) {
      batches++
      await expectNoClaims(rotten(image, rebuilt, at + FRAME_HEADER_BYTES))
    }
    // One that is repeated, and two of the rebuild.
    expect(batches).toBe(3)
  })

  test('and then all of it, but not what a later segment says of it: the next one is written behind that', async () => {
    const disk = await rebuiltWithoutRoom(await written(0))
    const [, rebuilt, later] = logsOf(disk) as [string, string, string]
    expect((disk.image().get(later) as Uint8Array).length).toBe(HEADER_BYTES)
    const left = disk.image()
    left.delete(rebuilt)
    await expectNoClaims((await rebuiltWithoutRoom(left)).image())
  })
})
