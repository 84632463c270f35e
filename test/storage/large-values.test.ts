// Large values between memory and log: what an entry refers to until it is written must not change meanwhile, whatever else is written.

import { describe, expect, it } from 'vitest'
import { Split, whole } from '../../src/core/bytes.ts'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { decodeRecord, type KeyRecord, splitRecord } from '../../src/core/causality/record.ts'
import type { Version } from '../../src/core/causality/version.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { CrashDisk } from './crash-disk.ts'
import { contentOf, LIFE, openStorage, OTHER_LIFE } from './fixture.ts'

const KEYS = 12
const BYTES = 200_000
const OPTIONS = { segmentBytesMax: 64 << 20 }

function version(life: string, counter: number, bytes: Buffer | null): Version {
  const content = bytes && { contentType: 'text/plain', meta: [], bytes }
  return { dot: { life, counter }, stamp: 1000 + counter, deadlineMs: null, tag: null, content }
}

const record = (...versions: Version[]): KeyRecord => ({ versions, past: DotSet.empty(), span: null, deadTags: [] })

/** Small ones, enough for segments of full size; then large values, each with a deletion behind it, so that they lie inside a record. */
async function filled(disk: CrashDisk): Promise<Storage> {
  const storage = await openStorage(disk, OPTIONS)
  for (let i = 0; i < 9000; i++)
    storage.putRecord(16, 'b', `f${i}`, splitRecord(record(version(LIFE, i + 1, Buffer.alloc(1500, 1)))), [])
  for (let i = 0; i < KEYS; i++) {
    const value = version(OTHER_LIFE, i + 1, Buffer.alloc(BYTES, 65 + i))
    storage.putRecord(16, 'b', `k${i}`, splitRecord(record(value, version(LIFE, 20_000 + i, null))), [])
  }
  await storage.synced(storage.lastLsn)
  return storage
}

/** As a replica does it: the deletions go, and the values become the ends of their records. */
function collect(storage: Storage): void {
  for (let i = 0; i < KEYS; i++) {
    const held = decodeRecord(storage.memtable.peek(16, 'b', `k${i}`)?.bytes ?? Buffer.alloc(0))
    const next = splitRecord({ ...held, versions: held.versions.slice(0, 1) })
    expect(next).toBeInstanceOf(Split)
    storage.putRecord(16, 'b', `k${i}`, next, [])
  }
}

/** Writes over all memory that was given back. */
function bustle(storage: Storage): void {
  for (let i = 0; i < 20_000; i++) {
    const value = version(LIFE, 30_000 + i, Buffer.alloc(100 + (i % 7) * 4, 2))
    storage.putRecord(16, 'b', `g${i % 3000}`, splitRecord(record(value)), [])
  }
}

function wrongIn(storage: Storage): string[] {
  const wrong: string[] = []
  for (let i = 0; i < KEYS; i++) {
    const { bytes } = storage.memtable.get(16, 'b', `k${i}`) ?? { bytes: Buffer.alloc(0) }
    const value = decodeRecord(bytes).versions[0]?.content?.bytes ?? Buffer.alloc(0)
    if (!Buffer.alloc(BYTES, 65 + i).equals(value)) wrong.push(`k${i}`)
  }
  return wrong
}

describe('large values', () => {
  it('are in the log as they were, whatever is written in the same batch', async () => {
    const disk = new CrashDisk()
    const storage = await filled(disk)
    collect(storage)
    bustle(storage)
    await storage.synced(storage.lastLsn)
    expect(wrongIn(storage)).toEqual([])
    const again = await openStorage(disk.powerCut())
    expect(again.recovery).toMatchObject({ damaged: [], tornBytes: 0 })
    expect(wrongIn(again)).toEqual([])
  })

  it('are in the log as they were, however long the disk takes', async () => {
    const disk = new CrashDisk()
    const storage = await filled(disk)
    const gate = Promise.withResolvers<void>()
    let held = 0
    disk.delay = (operation) => (operation === 'append' && held++ === 0 ? gate.promise : Promise.resolve())
    collect(storage)
    const innocent = storage.putRecord(16, 'b', 'innocent', splitRecord(record(version(LIFE, 1, Buffer.from('x')))), [])
    await expect.poll(() => held).toBeGreaterThan(0)
    bustle(storage)
    gate.resolve()
    await storage.synced(innocent)
    const again = await openStorage(disk.powerCut())
    expect(again.recovery.damaged).toEqual([])
    expect(again.memtable.has(16, 'b', 'innocent')).toBe(true)
    expect(wrongIn(again)).toEqual([])
  })

  it('survive an end and a failure while a batch is being checked in turns', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, { segmentBytesMax: 64 << 20, checkpointBytesMin: 1 << 20 })
    const put = (to: Storage, i: number, counter: number): number =>
      to.putRecord(16, 'b', `k${i}`, splitRecord(record(version(LIFE, counter, Buffer.alloc(5 << 20, counter)))), [])
    for (let i = 0; i < 4; i++) put(storage, i, i + 1)
    await Promise.resolve()
    storage.putRecord(16, 'b', 'k0', null, [])
    const content = contentOf(storage)
    await storage.close()
    const again = await openStorage(disk)
    expect([contentOf(again), again.recovery.damaged]).toEqual([content, []])
    const last = put(again, 9, 99)
    disk.fault = (operation) => {
      if (operation === 'append' || operation === 'sync') throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    await expect(again.synced(last)).rejects.toMatchObject({ code: 'storage-failed' })
    await again.close()
    disk.fault = () => {}
    const third = await openStorage(disk.powerCut())
    expect([contentOf(third), third.recovery.damaged]).toEqual([content, []])
    expect(whole(third.memtable.get(16, 'b', 'k3')?.bytes ?? Buffer.alloc(0)).length).toBeGreaterThan(5 << 20)
  })
})
