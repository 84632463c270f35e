// Every way to harm a small directory, one at a time: the outcome is the exact state, an earlier state whose torn tail was cut, or
// reported damage. Never a wrong value, never silence, never a start that fails.

import { whole } from '../../src/core/bytes.ts'
import { describe, expect, it } from 'vitest'
import { HEADER_BYTES } from '../../src/storage/file-header.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { CrashDisk, type Image } from './crash-disk.ts'
import { contentOf, LIFE, openStorage, viewOf } from './fixture.ts'

const CHANGES: readonly ((storage: Storage) => number)[] = [
  (storage) => storage.putRecord(16, 'b', 'k1', Buffer.from('first'), [{ life: LIFE, counter: 1 }]),
  (storage) => storage.setCatalog('members', Buffer.from('table')),
  (storage) => storage.putRecord(35, 'b', 'k2', Buffer.from('second'), [{ life: LIFE, counter: 1 }]),
  (storage) => {
    const added = storage.hints.add('n2', { bucket: 'b', key: 'k1', partition: 16 }, 'siblings', viewOf(7))
    return added.held ? added.lsn : 0
  },
  (storage) => storage.putRecord(16, 'b', 'k1', Buffer.from('third'), [{ life: LIFE, counter: 2 }]),
  (storage) => storage.putRecord(35, 'b', 'k2', null, [{ life: LIFE, counter: 2 }]),
]

interface Made {
  readonly image: Image
  /** The contents after each change, the empty one first. */
  readonly contents: readonly string[]
  readonly identity: string
}

async function make(how: { close: boolean; segmentBytesMax?: number; checkpoint?: boolean }): Promise<Made> {
  const disk = new CrashDisk()
  const checkpointBytesMin = how.checkpoint ? 1000 : 1 << 30
  const storage = await openStorage(disk, { segmentBytesMax: how.segmentBytesMax ?? 1 << 20, checkpointBytesMin })
  const contents = [contentOf(storage)]
  for (const change of CHANGES) {
    await storage.synced(change(storage))
    contents.push(contentOf(storage))
  }
  if (how.checkpoint) {
    storage.setCatalog('filler', Buffer.alloc(1000))
    storage.setCatalog('filler', null)
    while (storage.stats.checkpoints === 0) await storage.synced(storage.lastLsn)
    await storage.synced(storage.putRecord(16, 'b', 'k9', Buffer.from('late'), [{ life: LIFE, counter: 3 }]))
    // Nothing may fall back behind the checkpoint.
    contents.splice(0, contents.length - 1)
    contents.push(contentOf(storage))
  }
  if (how.close) await storage.close()
  return { image: disk.image(), contents, identity: storage.identity }
}

/** Opens what is left and judges; returns what was decided. */
async function judge(made: Made, image: Image, exactOnly = false, deep = true): Promise<'exact' | 'cut' | 'damage'> {
  const disk = CrashDisk.of(image)
  const storage = await openStorage(disk, { seed: 9 })
  const content = contentOf(storage)
  const exact = content === made.contents.at(-1)
  const { damaged, tornBytes } = storage.recovery
  const outcome = damaged.length > 0 ? 'damage' : exact ? 'exact' : 'cut'
  if (outcome === 'cut') {
    expect(made.contents).toContain(content)
    expect(exactOnly, `silent loss; cut ${tornBytes} bytes`).toBe(false)
  }
  // Whatever was damaged: every record is one that was once written.
  for (const partition of storage.partitions()) {
    for (const { key, bytes } of storage.memtable.scan(partition, null)) {
      expect(['k1 first', 'k1 third', 'k2 second', 'k9 late']).toContain(`${key} ${whole(bytes).toString()}`)
    }
  }
  if (outcome !== 'damage') expect(storage.identity).toBe(made.identity)
  if (!deep) return outcome
  // The judgement stands after another crash, with and without later writes, until the damage is settled.
  await storage.synced(storage.putRecord(99, 'b', 'new', Buffer.from('new'), []))
  const again = await openStorage(disk.powerCut(), { seed: 10 })
  expect(again.recovery.damaged.length > 0).toBe(outcome === 'damage')
  expect(contentOf(again)).toBe(contentOf(storage))
  if (outcome === 'damage') {
    const untouched = CrashDisk.of(image)
    await openStorage(untouched, { seed: 11 })
    expect((await openStorage(untouched.powerCut(), { seed: 12 })).recovery.damaged.length).toBeGreaterThan(0)
    await again.quarantineDone()
    expect(contentOf(again)).toBe(contentOf(storage))
  }
  return outcome
}

function flipped(image: Image, name: string, position: number, mask = 0x10): Image {
  const copy = new Map(image)
  const bytes = Uint8Array.from(image.get(name) as Uint8Array)
  bytes[position] = (bytes[position] as number) ^ mask
  return copy.set(name, bytes)
}

function truncated(image: Image, name: string, size: number): Image {
  return new Map(image).set(name, (image.get(name) as Uint8Array).slice(0, size))
}

describe('damage', () => {
  it.each([
    { name: 'one segment, crashed', close: false },
    { name: 'one segment, closed', close: true },
    { name: 'many segments, crashed', close: false, segmentBytesMax: 100 },
    { name: 'many segments, closed', close: true, segmentBytesMax: 100 },
    { name: 'a checkpoint, crashed', close: false, checkpoint: true },
    { name: 'a checkpoint, closed', close: true, checkpoint: true },
  ])(
    'survives every flipped byte and every truncation: $name',
    async (how) => {
      const made = await make(how)
      const segments = [...made.image.keys()].filter((name) => name.startsWith('log-'))
      const newest = segments.at(-1)
      expect(await judge(made, made.image)).toBe('exact')
      for (const [file, bytes] of made.image) {
        for (let position = 0; position < bytes.length; position++) {
          // Only the end of a log that was not closed may be taken for a torn tail.
          await judge(made, flipped(made.image, file, position), how.close || file !== newest, position % 5 === 0)
          await judge(made, truncated(made.image, file, position), how.close || file !== newest, position % 5 === 0)
        }
      }
    },
    180_000,
  )

  it('takes the same damage for a torn tail at the end and for damage before it', async () => {
    const made = await make({ close: false })
    const log = 'log-00000001'
    const size = (made.image.get(log) as Uint8Array).length
    expect(await judge(made, flipped(made.image, log, size - 1))).toBe('cut')
    expect(await judge(made, flipped(made.image, log, HEADER_BYTES + 40))).toBe('damage')
    const closed = await make({ close: true })
    const last = (closed.image.get(log) as Uint8Array).length
    expect(await judge(closed, truncated(closed.image, log, last - 40), true)).toBe('damage')
  })

  it('notices every missing file, every swapped and every copied segment', async () => {
    for (const close of [false, true]) {
      const made = await make({ close, segmentBytesMax: 100 })
      const segments = [...made.image.keys()].filter((name) => name.startsWith('log-'))
      expect(segments.length).toBeGreaterThan(4)
      for (const a of segments) {
        const without = new Map(made.image)
        without.delete(a)
        expect(await judge(made, without)).toBe('damage')
        for (const b of segments) {
          if (a === b) continue
          const swapped = new Map(made.image)
            .set(a, made.image.get(b) as Uint8Array)
            .set(b, made.image.get(a) as Uint8Array)
          expect(await judge(made, swapped)).toBe('damage')
          expect(await judge(made, new Map(made.image).set(a, made.image.get(b) as Uint8Array))).toBe('damage')
        }
      }
      const without = new Map(made.image)
      without.delete('manifest')
      expect(await judge(made, without, true)).toBe('exact')
    }
    const made = await make({ close: false, checkpoint: true })
    const checkpoint = [...made.image.keys()].find((name) => name.startsWith('checkpoint-')) as string
    const without = new Map(made.image)
    without.delete(checkpoint)
    expect(await judge(made, without)).toBe('damage')
  })

  it('takes nothing from another storage', async () => {
    const made = await make({ close: false })
    const disk = new CrashDisk()
    const other = await openStorage(disk, { seed: 77 })
    await other.synced(other.putRecord(16, 'b', 'foreign', Buffer.from('foreign'), []))
    expect(
      await judge(made, new Map(made.image).set('log-00000001', disk.image().get('log-00000001') as Uint8Array)),
    ).toBe('damage')
    const image = new Map(made.image)
    const foreign = disk.image().get('log-00000001') as Uint8Array
    image.set('log-00000001', Buffer.concat([image.get('log-00000001') as Uint8Array, foreign]))
    const storage = await openStorage(CrashDisk.of(image))
    expect(contentOf(storage)).toBe(made.contents.at(-1))
  })

  it('reads a part that the disk refuses once, and reports one that it refuses for ever', async () => {
    const made = await make({ close: false })
    const once = CrashDisk.of(made.image)
    let failed = false
    once.fault = (operation, name) => {
      if (operation !== 'read' || !name.startsWith('log') || failed) return
      failed = true
      throw new Error('EIO')
    }
    const storage = await openStorage(once)
    expect(contentOf(storage)).toBe(made.contents.at(-1))
    expect(storage.recovery.damaged).toEqual([])
    const never = CrashDisk.of(made.image)
    never.fault = (operation, name) => {
      if (operation === 'read' && name === 'log-00000001') throw new Error('EIO')
    }
    const damaged = await openStorage(never)
    expect(damaged.recovery.damaged.length).toBeGreaterThan(0)
    expect(damaged.identity).toBe(made.identity)
    expect(never.image().get('log-00000001')).toEqual(made.image.get('log-00000001'))
  })

  it('keeps damaged files until they are settled, then sets them aside', async () => {
    const made = await make({ close: true, segmentBytesMax: 100 })
    const disk = CrashDisk.of(flipped(made.image, 'log-00000002', 100))
    const storage = await openStorage(disk, { checkpointBytesMin: 1 })
    expect(storage.recovery.damaged).toMatchObject([{ file: 'log-00000002', offset: HEADER_BYTES }])
    for (let i = 0; i < 20; i++) await storage.synced(storage.putRecord(16, 'b', `k${i}`, Buffer.alloc(500), []))
    expect(storage.stats.checkpoints).toBe(0)
    expect([...disk.names.keys()]).toContain('log-00000002')
    const content = contentOf(storage)
    await storage.quarantineDone()
    expect(storage.stats.checkpoints).toBe(1)
    const names = [...disk.names.keys()]
    expect(names.some((name) => name.startsWith('quarantine-log-'))).toBe(true)
    expect(names).not.toContain('log-00000001')
    const again = await openStorage(disk.powerCut())
    expect(again.recovery.damaged).toEqual([])
    expect(contentOf(again)).toBe(content)
  })

  it('does not take bytes inside a value for a batch', async () => {
    const made = await make({ close: false })
    const disk = new CrashDisk()
    const storage = await openStorage(disk, { seed: 78 })
    const log = made.image.get('log-00000001') as Uint8Array
    // The value holds a whole log of a storage with other salt, and its own batch is torn.
    await storage.synced(storage.putRecord(16, 'b', 'bait', Buffer.from(log), []))
    const image = disk.image()
    const bytes = image.get('log-00000001') as Uint8Array
    const again = await openStorage(CrashDisk.of(truncated(image, 'log-00000001', bytes.length - 1)), { seed: 5 })
    expect(again.recovery.damaged).toEqual([])
    expect(again.recovery.tornBytes).toBeGreaterThan(0)
    expect(again.memtable.totalKeys).toBe(0)
  })
})
