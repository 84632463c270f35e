import { describe, expect, it } from 'vitest'
import { CrashDisk } from './crash-disk.ts'
import { contentOf, LIFE, openStorage, viewOf } from './fixture.ts'

describe('checkpoints', () => {
  it('bound the log while writes go on, and lose none of them', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, { segmentBytesMax: 20_000, checkpointBytesMin: 50_000 })
    for (let i = 0; i < 3000; i++) {
      const lsn = storage.putRecord(16 + (i % 3) * 16, 'b', `k${i % 40}`, Buffer.alloc(300, i), [
        { life: LIFE, counter: i + 1 },
      ])
      if (i % 7 === 0)
        storage.hints.add('n2', { bucket: 'b', key: `k${i % 40}`, partition: 16 }, 'siblings', viewOf(i + 1))
      if (i % 11 === 0) storage.putRecord(16, 'b', `k${(i + 3) % 40}`, null, [])
      if (i % 5 === 0) await storage.synced(lsn)
    }
    await storage.synced(storage.lastLsn)
    expect(storage.stats.checkpoints).toBeGreaterThan(5)
    expect(storage.stats.logBytes).toBeLessThan(300_000)
    // 36 kB in three partitions, in ranges of at least 12.5 kB, one of them perhaps twice.
    expect([...disk.names.keys()].filter((name) => name.startsWith('checkpoint-')).length).toBeLessThanOrEqual(4)
    const content = contentOf(storage)
    for (const left of [disk.powerCut(), CrashDisk.of(disk.image())]) {
      const again = await openStorage(left)
      expect(again.recovery.damaged).toEqual([])
      expect(contentOf(again)).toBe(content)
      // What an interrupted checkpoint left behind is gone.
      const names = [...left.names.keys()]
      expect(names.filter((name) => name.startsWith('checkpoint-')).length).toBeLessThanOrEqual(3)
      expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([])
    }
  })

  it('publishes nothing that the log has not synced', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, { checkpointBytesMin: 1000 })
    const names = (): string[] => [...disk.names.keys()].filter((name) => name.startsWith('checkpoint-'))
    const blocked = Promise.withResolvers<void>()
    let begun = false
    disk.delay = (operation, name) => {
      // A write that the checkpoint will contain, while the log's disk is slow.
      if (operation === 'append' && name.startsWith('checkpoint') && !begun) {
        begun = true
        storage.putRecord(16, 'b', 'late', Buffer.alloc(10), [])
      }
      return begun && operation === 'sync' && name.startsWith('log') ? blocked.promise : Promise.resolve()
    }
    await storage.synced(storage.putRecord(16, 'b', 'k', Buffer.alloc(2000), []))
    for (let i = 0; i < 1000; i++) await Promise.resolve()
    expect(names()).toEqual(['checkpoint-00000001.tmp'])
    blocked.resolve()
    await storage.synced(storage.lastLsn)
    for (let i = 0; i < 1000; i++) await Promise.resolve()
    expect(names()).toEqual(['checkpoint-00000001'])
  })

  it('gives up for lack of space without failing the log, and says that it is full', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, { checkpointBytesMin: 1000 })
    let room = false
    disk.fault = (operation, name) => {
      if (!room && operation === 'append' && name.startsWith('checkpoint'))
        throw Object.assign(new Error('full'), { code: 'ENOSPC' })
    }
    const put = (): Promise<void> => storage.synced(storage.putRecord(16, 'b', 'k', Buffer.alloc(500), []))
    for (let i = 0; i < 8; i++) await put()
    expect(storage.isFull).toBe(true)
    room = true
    for (let i = 0; i < 100 && storage.isFull; i++) await put()
    expect(storage.isFull).toBe(false)
    expect(storage.stats.checkpoints).toBeGreaterThan(0)
  })

  it('clears away the segments that many starts leave', async () => {
    const disk = new CrashDisk()
    for (let i = 0; i < 80; i++) {
      const storage = await openStorage(disk)
      await storage.close()
    }
    const storage = await openStorage(disk)
    expect(storage.recovery).toMatchObject({ isNew: false, damaged: [], wasClean: true })
    for (let i = 0; i < 1000 && storage.stats.segments > 1; i++) await Promise.resolve()
    expect(disk.names.size).toBeLessThan(6)
    expect(storage.stats.segments).toBe(1)
  })

  it('is abandoned when the storage closes', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk, { checkpointBytesMin: 1000 })
    for (let i = 0; i < 2000; i++) storage.putRecord(16, 'b', `k${i}`, Buffer.alloc(500), [])
    await storage.synced(storage.lastLsn)
    const content = contentOf(storage)
    await storage.close()
    const again = await openStorage(disk)
    expect(again.recovery).toMatchObject({ wasClean: true, damaged: [], tornBytes: 0 })
    expect(contentOf(again)).toBe(content)
  })
})
