import { whole } from '../../src/core/bytes.ts'
import { describe, expect, it } from 'vitest'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { systemError } from '../../src/simulator/simulated-file.ts'
import { FORMAT_VERSION, HEADER_BYTES } from '../../src/storage/file-header.ts'
import { type Line, remember } from '../lines.ts'
import { CrashDisk } from './crash-disk.ts'
import { contentOf, LIFE, openStorage, OTHER_LIFE, viewOf } from './fixture.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const dot = (counter: number): { life: string; counter: number } => ({ life: LIFE, counter })

describe('storage', () => {
  it('gives back after a clean shutdown what it was given', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk)
    expect(storage.recovery).toMatchObject({ isNew: true, damaged: [], tornBytes: 0, keys: 0 })
    storage.putRecord(16, 'b', 'k', Buffer.from('one'), [dot(1)])
    storage.putRecord(16, 'b', 'big', Buffer.alloc(100_000, 7), [dot(2), { life: OTHER_LIFE, counter: 5 }])
    storage.putRecord(35, 'b', 'gone', Buffer.from('x'), [dot(1)])
    storage.putRecord(35, 'b', 'gone', null, [])
    storage.putRecord(35, '', 'clé\0🔑', Buffer.alloc(0), [])
    storage.joinClock(51, DotSet.of(dot(4), dot(5)))
    storage.replaceClock(67, DotSet.of(dot(9)))
    storage.setCatalog('members', Buffer.from('table'))
    storage.setCatalog('filling/1', Buffer.alloc(0))
    storage.setCatalog('dropped', Buffer.from('x'))
    storage.setCatalog('dropped', null)
    storage.hints.add('n2', { bucket: 'b', key: 'k', partition: 16 }, 'siblings', viewOf(1))
    storage.hints.add('n2', { bucket: 'b', key: 'k', partition: 16 }, 'siblings', viewOf(2, [1]))
    storage.hints.add('n3', { bucket: 'b', key: 'k', partition: 16 }, 'lww', viewOf(1))
    const content = contentOf(storage)
    await storage.close()

    const again = await openStorage(disk)
    expect(contentOf(again)).toBe(content)
    expect(again.identity).toBe(storage.identity)
    expect(again.recovery).toMatchObject({ isNew: false, wasClean: true, damaged: [], tornBytes: 0, keys: 3, hints: 2 })
    const big = again.memtable.get(16, 'b', 'big')?.bytes ?? Buffer.alloc(0)
    expect(whole(big).equals(Buffer.alloc(100_000, 7))).toBe(true)
    await again.close()
  })

  it('keeps after a crash exactly what was synced, under the same identity', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk)
    await storage.synced(storage.putRecord(16, 'b', 'k', Buffer.from('one'), [dot(1)]))
    const content = contentOf(storage)
    const again = await openStorage(disk.powerCut())
    expect(contentOf(again)).toBe(content)
    expect(again.identity).toBe(storage.identity)
    expect(again.recovery).toMatchObject({ isNew: false, wasClean: false, damaged: [], tornBytes: 0 })
  })

  it('has its identity on the disk before it is open', async () => {
    const disk = new CrashDisk()
    const { identity } = await openStorage(disk)
    expect((await openStorage(disk.powerCut(), { seed: 2 })).identity).toBe(identity)
    expect((await openStorage(new CrashDisk(), { seed: 2 })).identity).not.toBe(identity)
  })

  it('counts changes of memory only as synced, but not as durable', async () => {
    const storage = await openStorage(null)
    const lsn = storage.putRecord(16, 'b', 'k', Buffer.from('one'), [dot(1)])
    expect([storage.durable, storage.lastLsn, storage.syncedLsn]).toEqual([false, lsn, lsn])
    await storage.synced(lsn)
    storage.hints.add('n2', { bucket: 'b', key: 'k', partition: 16 }, 'siblings', viewOf(1))
    expect(storage.hints.count).toBe(1)
    await storage.close()
    expect(() => storage.putRecord(16, 'b', 'k', null, [])).toThrow('closed')
  })

  it('lets a burst share a sync and does not delay a lone write', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk)
    const before = disk.counts.sync ?? 0
    await storage.synced(storage.putRecord(16, 'b', 'k', Buffer.from('lone'), []))
    expect((disk.counts.sync ?? 0) - before).toBe(1)
    const waits: Promise<void>[] = []
    for (let i = 0; i < 1000; i++)
      waits.push(storage.synced(storage.putRecord(16, 'b', `k${i}`, Buffer.from('burst'), [])))
    await Promise.all(waits)
    expect((disk.counts.sync ?? 0) - before).toBe(2)
    expect(storage.stats).toMatchObject({ batches: 2, entries: 1001, batchEntriesMax: 1000, pendingBytes: 0 })
    expect(storage.syncedLsn).toBe(storage.lastLsn)
  })

  it('gathers under load: as many as in the last batch, or until a little time is over', async () => {
    let now = 0
    const due: (() => void)[] = []
    const clock: Clock = {
      now: () => now,
      monotonic: () => now,
      after: (_delayMs, callback) => {
        due.push(callback)
        return { cancel: () => void due.splice(due.indexOf(callback), 1) }
      },
    }
    const storage = await openStorage(new CrashDisk(), { clock })
    const put = (): number => storage.putRecord(16, 'b', 'k', Buffer.from('x'), [])
    const burst = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) put()
      await storage.synced(storage.lastLsn)
    }
    await burst()
    expect(storage.stats).toMatchObject({ batches: 1, entries: 10 })

    for (let i = 0; i < 9; i++) {
      put()
      await turn()
    }
    expect(storage.stats.batches).toBe(1)
    await storage.synced(put())
    expect(storage.stats).toMatchObject({ batches: 2, entries: 20 })
    expect(due).toEqual([])

    const fewer = storage.synced(put())
    await turn()
    expect([storage.stats.batches, due.length]).toEqual([2, 1])
    due[0]?.()
    await fewer
    expect(storage.stats).toMatchObject({ batches: 3, entries: 21 })
    expect(due).toEqual([])

    // Neither after few, nor after a while, nor at the end does anything wait.
    await storage.synced(put())
    await burst()
    now += 10
    await storage.synced(put())
    await burst()
    put()
    const closed = storage.close()
    await turn()
    due[0]?.()
    await closed
  })

  it('finds all that was synced before the room that was made ahead of the log', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk)
    await storage.synced(storage.putRecord(16, 'b', 'k', Buffer.from('one'), [dot(1)]))
    const content = contentOf(storage)
    for (const torn of [0, 5]) {
      const image = disk.powerCut().image()
      const log = image.get('log-00000001') as Uint8Array
      image.set('log-00000001', Buffer.concat([log, Buffer.alloc(torn, 1), Buffer.alloc(5000)]))
      const copy = CrashDisk.of(image)
      const again = await openStorage(copy)
      expect(contentOf(again)).toBe(content)
      expect(again.recovery).toMatchObject({ wasClean: false, damaged: [], tornBytes: torn })
      expect(copy.image().get('log-00000001')).toEqual(log)
    }
  })

  it('writes the next batch only after the one before was synced', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk)
    let inFlight = 0
    let batches = 0
    disk.fault = (operation) => {
      if (operation === 'append') {
        expect(inFlight).toBe(0)
        inFlight++
        batches++
        if (batches < 5) storage.putRecord(16, 'b', `next ${batches}`, Buffer.from('x'), [])
      }
      if (operation === 'sync') inFlight--
    }
    storage.putRecord(16, 'b', 'first', Buffer.from('x'), [])
    while (storage.syncedLsn < storage.lastLsn) await storage.synced(storage.lastLsn)
    expect(batches).toBe(5)
  })

  it.each(['append', 'sync'] as const)('stops for ever when an %s fails once', async (operation) => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk)
    const failures: Error[] = []
    storage.onFailed((error) => failures.push(error))
    const synced = storage.putRecord(16, 'b', 'k', Buffer.from('before'), [dot(1)])
    await storage.synced(synced)
    let failed = 0
    disk.fault = (now) => {
      if (now !== operation || failed > 0) return
      failed++
      throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    const lost = storage.putRecord(16, 'b', 'k', Buffer.from('lost'), [dot(2)])
    await expect(storage.synced(lost)).rejects.toMatchObject({ code: 'storage-failed' })
    const operations = disk.operations
    expect(() => storage.putRecord(16, 'b', 'k', Buffer.from('after'), [])).toThrow('can not be written')
    await expect(storage.synced(lost)).rejects.toMatchObject({ code: 'storage-failed' })
    await storage.close()
    expect(disk.operations).toBe(operations)
    expect(failures).toHaveLength(1)
  })

  it('leaves nothing behind of an entry that can not be encoded', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk)
    expect(() => storage.putRecord(16, 'b', 'k', Buffer.from('x'), [{ life: 'short', counter: 1 }])).toThrow(RangeError)
    expect(() => storage.putRecord(16, 'b', 'k', Buffer.from('x'), [dot(0)])).toThrow(RangeError)
    storage.putRecord(16, 'b', 'good', Buffer.from('x'), [dot(1)])
    const content = contentOf(storage)
    await storage.close()
    expect(contentOf(await openStorage(disk))).toBe(content)
  })

  it('is full at its budget until some of it is free again', async () => {
    const storage = await openStorage(null, { bytesMax: 1000 })
    storage.putRecord(16, 'b', 'k1', Buffer.alloc(900), [])
    expect(storage.isFull).toBe(false)
    storage.putRecord(16, 'b', 'k2', Buffer.alloc(100), [])
    expect(storage.isFull).toBe(true)
    storage.putRecord(16, 'b', 'k2', Buffer.alloc(70), [])
    expect(storage.isFull).toBe(true)
    storage.putRecord(16, 'b', 'k2', null, [])
    expect(storage.isFull).toBe(false)
  })

  it('says once that it is full, and once that there is room again', async () => {
    for (const disk of [null, new CrashDisk()]) {
      const lines: Line[] = []
      const storage = await openStorage(disk, { bytesMax: 1000, logger: remember(lines) })
      const told = (): string[] => lines.map(({ level, message }) => `${level} ${message.split(':')[0]}`)
      for (const key of ['k1', 'k2', 'k3', 'k4']) {
        await storage.synced(storage.putRecord(16, 'b', key, Buffer.alloc(400), []))
        // Who writes asks; where there is a log, each sync asks too.
        if (disk === null) expect(storage.isFull).toBe(key > 'k2')
      }
      expect(told()).toEqual(['warn the storage is full'])
      expect(lines[0]?.fields).toMatchObject({ why: 'the budget for memory is used up', memory: { bytesMax: 1000 } })
      for (const key of ['k1', 'k2', 'k3', 'k4']) await storage.synced(storage.putRecord(16, 'b', key, null, []))
      if (disk === null) expect(storage.isFull).toBe(false)
      expect(told()).toEqual(['warn the storage is full', 'info the storage has room again'])
      await storage.close()
    }
  })

  it('closes what it opened when it cannot begin its log', async () => {
    for (const [operation, file] of [
      ['append', /^log-/],
      ['append', /^manifest/],
      ['sync', /^manifest/],
      ['syncDirectory', /^$/],
    ] as const) {
      const disk = new CrashDisk()
      disk.fault = (at, name) => {
        if (at === operation && file.test(name)) throw systemError('ENOSPC', name)
      }
      await expect(openStorage(disk), `${operation} ${file}`).rejects.toMatchObject({ code: 'storage-full' })
      expect(disk.counts.close, `${operation} ${file}`).toBe(disk.counts.open)
    }
  })

  it.each([
    ['a later', FORMAT_VERSION + 1, HEADER_BYTES],
    ['an earlier', 3, 64],
  ])('refuses a directory that %s version wrote', async (_which, version, bytes) => {
    const disk = new CrashDisk()
    await (await openStorage(disk)).close()
    const { crc32 } = await import('node:zlib')
    const image = disk.image()
    const header = Buffer.from(image.get('log-00000001') as Uint8Array)
    header.writeUInt32LE(version, 8)
    header.writeUInt32LE(crc32(header.subarray(0, bytes - 4)), bytes - 4)
    image.set('log-00000001', header)
    await expect(openStorage(CrashDisk.of(image))).rejects.toMatchObject({ code: 'config' })
  })
})
