// Damage among checkpoints of many small ranges: what another file or the log makes good, what is reported, and how it is settled.

import { whole } from '../../src/core/bytes.ts'
import { describe, expect, it } from 'vitest'
import { systemError } from '../../src/simulator/simulated-file.ts'
import { HEADER_BYTES } from '../../src/storage/file-header.ts'
import { CrashDisk } from './crash-disk.ts'
import { CLOCK, contentOf, openStorage } from './fixture.ts'
import { checkpointsOf, filled, OPTIONS, PARTITIONS, settle } from './ranges.ts'

describe('damage among ranges', () => {
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
          expect(values).toContain(`${key} ${whole(bytes)[0]}`)
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

  it('are made good from the log, as far as it reaches, where one is harmed', async () => {
    const { disk, storage } = await filled()
    await settle(4000)
    for (let i = 0; i < 12; i++) {
      await storage.synced(storage.putRecord(PARTITIONS[i % 10] as number, 'b', `late${i}`, Buffer.alloc(90, i), []))
      await settle(300)
    }
    const image = disk.image()
    let regained = 0
    for (const name of checkpointsOf(disk)) {
      const without = new Map(image)
      without.delete(name)
      const bytes = Uint8Array.from(image.get(name) as Uint8Array)
      bytes[HEADER_BYTES + 60] = (bytes[HEADER_BYTES + 60] as number) ^ 1
      const logOnly = await openStorage(CrashDisk.of(without))
      const harmed = await openStorage(CrashDisk.of(new Map(image).set(name, bytes)))
      expect(harmed.recovery.damaged.length).toBeGreaterThan(0)
      for (const partition of logOnly.partitions()) {
        for (const { key, bytes: record } of logOnly.memtable.scan(partition, null)) {
          expect(harmed.memtable.get(partition, 'b', key)?.bytes).toEqual(record)
          if (key.startsWith('late')) regained++
        }
      }
    }
    expect(regained).toBeGreaterThan(20)
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
    // Many changes for few bytes of log: the newest checkpoint is far from those before.
    for (let i = 0; i < 400; i++) storage.putRecord(16, 'b', `k${i % 7}`, Buffer.alloc(1), [])
    await storage.synced(storage.lastLsn)
    disk.delay = (operation) => (operation === 'remove' ? new Promise(() => {}) : Promise.resolve())
    await settle(4000)
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
      await settle(i % 4 === 0 ? 400 : 9)
      const image = disk.image()
      const newest = [...image.keys()].filter((name) => name.startsWith('log-')).at(-1) as string
      const cut = new Map(image).set(newest, (image.get(newest) as Uint8Array).slice(0, HEADER_BYTES))
      const again = await openStorage(CrashDisk.of(cut))
      if (again.recovery.damaged.length === 0) expect(contents).toContain(contentOf(again))
      else if (again.recovery.damaged.some(({ what }) => what.startsWith('batches up to'))) told++
    }
    expect(told).toBeGreaterThan(5)
  })

  it('know of changes that came while they were written', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, { checkpointBytesMin: 1000 })
    let late = 0
    disk.delay = (operation, name) => {
      if (operation === 'append' && name.startsWith('checkpoint') && late === 0)
        late = storage.putRecord(16, 'b', 'late', Buffer.alloc(10), [])
      return Promise.resolve()
    }
    await storage.synced(storage.putRecord(16, 'b', 'k', Buffer.alloc(2000), []))
    await settle(4000)
    const image = disk.image()
    expect([...image.keys()].sort()).toEqual(['checkpoint-00000001', 'log-00000002', 'manifest'])
    const cut = (image.get('log-00000002') as Uint8Array).slice(0, HEADER_BYTES)
    const again = await openStorage(CrashDisk.of(new Map(image).set('log-00000002', cut)))
    expect(again.recovery.damaged).toMatchObject([{ what: `changes up to ${late} are missing at the end` }])
  })
})
