// Random operations, a crash at a random operation of the disk, and whatever a power cut leaves: again and again on one directory.
// The state that is found is one that existed, not older than what was called durable, and no damage is invented.

import { describe, expect, it } from 'vitest'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { CrashDisk } from './crash-disk.ts'
import { contentOf, LIFE, openStorage, OTHER_LIFE, viewOf } from './fixture.ts'

function change(storage: Storage, random: SeededRandom): void {
  const partition = random.pick([16, 35, 51])
  const key = `k${random.integer(0, 12)}`
  const dot = { life: random.pick([LIFE, OTHER_LIFE]), counter: random.integer(1, 60) }
  const address = { bucket: 'b', key, partition }
  const target = random.pick(['n1', 'n2', 'n3'])
  const kind = random.integer(0, 20)
  if (kind < 9)
    storage.putRecord(partition, 'b', key, Buffer.alloc(random.pick([1, 30, 700, 6000]), random.integer(0, 255)), [dot])
  else if (kind < 12) storage.putRecord(partition, 'b', key, null, random.chance(0.5) ? [dot] : [])
  else if (kind < 13) storage.joinClock(partition, DotSet.of(dot, { life: LIFE, counter: dot.counter + 1 }))
  else if (kind < 14) storage.replaceClock(partition, DotSet.of(dot))
  else if (kind < 16) storage.setCatalog(key, random.chance(0.7) ? random.bytes(9) : null)
  else if (kind < 18) storage.hints.add(target, address, 'siblings', viewOf(dot.counter, [], dot.life))
  else if (kind < 19) for (const hint of storage.hints.next(target, 1)) storage.hints.remove(hint)
  else storage.hints.dropTarget(target)
}

/** Lets the storage work until it has nothing left to do or its process is dead. */
async function settle(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await Promise.resolve()
}

async function history(seed: number): Promise<{ crashes: number; checkpoints: number; torn: number }> {
  const random = new SeededRandom(seed)
  let disk = new CrashDisk()
  let possible = [contentOf(await openStorage(null))]
  let synced = 0
  let identity: string | null = null
  const totals = { crashes: 0, checkpoints: 0, torn: 0 }
  const options = {
    segmentBytesMax: random.pick([300, 3000, 50_000]),
    checkpointBytesMin: random.pick([1000, 20_000, 1 << 30]),
  }
  for (let run = 0; run < 12; run++) {
    disk.dieAt = random.chance(0.8) ? random.integer(1, random.pick([12, 60, 400])) : Infinity
    let opened: Storage | null = null
    let alive = true
    void openStorage(disk, { ...options, seed: random.uint32() }).then((storage) => {
      opened = storage
    })
    await settle(4000)
    const storage = opened as Storage | null
    if (storage) {
      expect(storage.recovery.damaged, `seed ${seed}, run ${run}`).toEqual([])
      if (identity !== null) expect(storage.identity).toBe(identity)
      identity = storage.identity
      const content = contentOf(storage)
      const found = possible.lastIndexOf(content)
      expect(found, `seed ${seed}, run ${run}: a state that never was, or less than was synced`).toBeGreaterThanOrEqual(
        synced,
      )
      possible = [content]
      synced = 0
      totals.torn += storage.recovery.tornBytes > 0 ? 1 : 0
      for (let i = random.integer(0, 80); i > 0; i--) {
        const before = storage.lastLsn
        change(storage, random)
        if (storage.lastLsn === before) continue
        possible.push(contentOf(storage))
        const index = possible.length - 1
        if (random.chance(0.5))
          void storage.synced(storage.lastLsn).then(() => alive && (synced = Math.max(synced, index)))
        if (random.chance(0.4)) await settle(random.integer(1, 60))
      }
      if (random.chance(0.3)) {
        void storage.close().then(() => alive && (synced = possible.length - 1))
        await settle(4000)
      } else await settle(random.pick([400, random.integer(0, 7), random.integer(0, 7)]))
      totals.checkpoints += storage.stats.checkpoints
    }
    alive = false
    disk.dieAt = 0
    // A killed process leaves all it wrote; a power cut what chance leaves.
    disk = random.chance(0.3) ? CrashDisk.of(disk.image()) : disk.powerCut(random.chance(0.8) ? random : undefined)
    totals.crashes++
  }
  return totals
}

describe('crashes', () => {
  it('lose nothing that was synced and invent nothing', async () => {
    const totals = { crashes: 0, checkpoints: 0, torn: 0 }
    for (let seed = 1; seed <= 80; seed++) {
      const done = await history(seed)
      totals.crashes += done.crashes
      totals.checkpoints += done.checkpoints
      totals.torn += done.torn
    }
    expect(totals.checkpoints).toBeGreaterThan(60)
    expect(totals.torn).toBeGreaterThan(0)
  }, 120_000)

  it.each(['killed', 'power cut, all lost', 'power cut 1', 'power cut 2', 'power cut 3'])(
    'at any operation of a small history: %s',
    async (how) => {
      for (let dieAt = 1; dieAt < 400; dieAt++) {
        const disk = new CrashDisk()
        disk.dieAt = dieAt
        const contents = [contentOf(await openStorage(null))]
        let synced = 0
        let done = false
        const run = async (): Promise<void> => {
          const random = new SeededRandom('small')
          for (let start = 0; start < 3; start++) {
            const storage = await openStorage(disk, { segmentBytesMax: 2000, checkpointBytesMin: 3000 })
            for (let i = 0; i < 12; i++) {
              change(storage, random)
              contents.push(contentOf(storage))
              const index = contents.length - 1
              if (i % 2 === 1) await storage.synced(storage.lastLsn).then(() => (synced = index))
            }
            await storage.close()
          }
          done = true
        }
        void run()
        await settle(3000)
        const chance = how.endsWith('lost') ? undefined : new SeededRandom(`${how} at ${dieAt}`)
        const left = how === 'killed' ? CrashDisk.of(disk.image()) : disk.powerCut(chance)
        const storage = await openStorage(left)
        expect(storage.recovery.damaged, `died at ${dieAt}`).toEqual([])
        expect(contents.lastIndexOf(contentOf(storage)), `died at ${dieAt}`).toBeGreaterThanOrEqual(synced)
        expect([...left.names.keys()].filter((name) => name.endsWith('.tmp'))).toEqual([])
        if (done) return
      }
      expect.unreachable('the history never ended')
    },
    60_000,
  )

  it('a sync that failed may have left its batch in the page cache only: it is written again', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk)
    await storage.synced(storage.putRecord(16, 'b', 'k', Buffer.from('one'), []))
    const file = disk.names.get('log-00000001')
    disk.fault = (operation) => {
      if (operation !== 'sync' || !file) return
      file.failSync(file.capture())
      throw new Error('EIO')
    }
    await expect(storage.synced(storage.putRecord(16, 'b', 'k', Buffer.from('two'), []))).rejects.toThrow(
      'can not be written',
    )
    disk.fault = () => {}
    const second = await openStorage(disk)
    const content = contentOf(second)
    expect(content).toContain(Buffer.from('two').toString('hex'))
    await second.synced(second.putRecord(16, 'b', 'other', Buffer.from('x'), []))
    const third = await openStorage(disk.powerCut())
    expect(third.recovery.damaged).toEqual([])
    expect(contentOf(third)).toBe(contentOf(second))
  })
})
