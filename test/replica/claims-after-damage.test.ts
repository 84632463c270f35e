// Small directories with damage, each of another kind, after which a record must not claim to have superseded what it has only lost.

import { describe, expect, test } from 'vitest'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { decodeRecord } from '../../src/core/causality/record.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { CrashDisk } from '../storage/crash-disk.ts'
import { openStorage } from '../storage/fixture.ts'
import { bring, claims, logEnd, named, REPAIR, replicaOn, rotten, turns } from './home-on-disk.ts'
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
