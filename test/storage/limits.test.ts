// What a storage does without room: on a small disk, with a small budget, and where the disk refuses any one append.

import { describe, expect, test } from 'vitest'
import { CrashDisk } from './crash-disk.ts'
import { contentOf, openStorage } from './fixture.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { systemError } from '../../src/simulator/simulated-file.ts'
import { type Line, remember } from '../lines.ts'

/** Time that only these tests move; what is due runs at once then. */
class HandClock implements Clock {
  #now = 1_767_225_600_000
  #due: { at: number; callback: () => void }[] = []

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  after(delayMs: number, callback: () => void): { cancel: () => void } {
    const timer = { at: this.#now + delayMs, callback }
    this.#due.push(timer)
    return { cancel: () => void (this.#due = this.#due.filter((other) => other !== timer)) }
  }

  /** Lets everything that is under way come to rest after each step. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      this.#now += 100
      const due = this.#due.filter(({ at }) => at <= this.#now)
      this.#due = this.#due.filter(({ at }) => at > this.#now)
      for (const { callback } of due) callback()
      await rest()
    }
  }
}

async function rest(): Promise<void> {
  for (let i = 0; i < 300; i++) await Promise.resolve()
}

const KIB = 1024
const SMALL = { segmentBytesMax: 64 * KIB, checkpointBytesMin: 32 * KIB }

function put(storage: Storage, key: number, bytes = 4 * KIB): Promise<void> {
  return storage.synced(storage.putRecord(16 + (key % 8), 'b', `k${key}`, Buffer.alloc(bytes, key), []))
}

function remove(storage: Storage, key: number): Promise<void> {
  return storage.synced(storage.putRecord(16 + (key % 8), 'b', `k${key}`, null, []))
}

describe.each([
  ['a budget', 'diskBytesMax'],
  ['the file system', 'capacity'],
])('the limit of %s', (_what, kind) => {
  test('is kept with a reserve; deletions go on, and there is room again after them', async () => {
    const BYTES = 1 << 20
    const disk = new CrashDisk()
    const clock = new HandClock()
    const lines: Line[] = []
    if (kind === 'capacity') disk.capacity = BYTES
    const limit = kind === 'capacity' ? {} : { diskBytesMax: BYTES }
    const storage = await openStorage(disk, { ...SMALL, ...limit, clock, logger: remember(lines) })
    let count = 0
    for (; !storage.isFull; count++) {
      await put(storage, count)
      await clock.pass(100)
      expect(disk.used).toBeLessThan(BYTES)
    }
    expect(count).toBeGreaterThan(60)
    expect(storage.room).toMatchObject({ full: true, fullReason: 'disk' })
    expect(disk.used).toBeGreaterThan(0.5 * BYTES)
    for (let key = 0; key < count; key += 2) {
      await remove(storage, key)
      expect(disk.used).toBeLessThan(BYTES)
    }
    await clock.pass(10_000)
    expect(storage.isFull).toBe(false)
    const told = lines.map(({ message }) => message.split(':')[0]).filter((message) => message?.includes('storage'))
    expect(told).toEqual(['the storage is full', 'the storage has room again'])
    const content = contentOf(storage)
    await storage.close()
    const again = await openStorage(disk, SMALL)
    expect(contentOf(again)).toBe(content)
    await again.close()
  })
})

describe('a disk that refuses an append', () => {
  test('whichever it is: nothing that was synced is lost, and it goes on when there is room', async () => {
    let refused = 0
    for (let at = 1; at < 120; at++) {
      const disk = new CrashDisk()
      const clock = new HandClock()
      const storage = await openStorage(disk, { segmentBytesMax: 6 * KIB, checkpointBytesMin: 8 * KIB, clock })
      let appends = 0
      let isFull = false
      disk.fault = (operation, name) => {
        if (operation !== 'append' || (++appends !== at && !isFull)) return
        isFull = true
        refused++
        throw systemError('ENOSPC', name)
      }
      const synced = new Set<number>()
      for (let key = 0; key < 24; key++) {
        void put(storage, key, 700).then(() => synced.add(key))
        await clock.pass(100)
      }
      // Reads go on, and what is told to be synced is.
      for (let key = 0; key < 24; key++) expect(storage.memtable.has(16 + (key % 8), 'b', `k${key}`)).toBe(true)
      const afterCut = await openStorage(disk.powerCut(), SMALL)
      expect(afterCut.recovery.damaged).toEqual([])
      for (const key of synced) expect(afterCut.memtable.has(16 + (key % 8), 'b', `k${key}`)).toBe(true)
      if (isFull) expect(storage.isFull).toBe(true)
      isFull = false
      appends = Infinity
      await clock.pass(40_000)
      expect(storage.isFull).toBe(false)
      expect(synced.size).toBe(24)
      await put(storage, 99)
      await storage.close()
      const again = await openStorage(disk, SMALL)
      expect(again.recovery).toMatchObject({ wasClean: true, damaged: [], keys: 25 })
      await again.close()
    }
    expect(refused).toBeGreaterThan(100)
  })

  test('says why, and ends when it is told to', async () => {
    const disk = new CrashDisk()
    const clock = new HandClock()
    const lines: Line[] = []
    const storage = await openStorage(disk, { clock, logger: remember(lines) })
    await put(storage, 1)
    disk.capacity = disk.used
    const lost = put(storage, 2)
    lost.catch(() => {})
    await clock.pass(2000)
    expect(storage.room.lacks).toMatchObject({ log: true, disk: true })
    expect(lines.map(({ level }) => level)).toEqual(['warn'])
    const closed = storage.close()
    await expect(lost).rejects.toMatchObject({ code: 'storage-failed' })
    await expect(closed).rejects.toMatchObject({ code: 'storage-failed' })
    const again = await openStorage(CrashDisk.of(disk.image()), {})
    expect(again.recovery).toMatchObject({ damaged: [], keys: 1 })
  })
})
