// What a record may say of its past after a part of the log was lost: not what the lost part brought.

import { describe, expect, test } from 'vitest'
import { type Dot, formatDot } from '../../src/core/causality/dot.ts'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { decodeRecord } from '../../src/core/causality/record.ts'
import { writeView } from '../../src/core/causality/view.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { ClocksAtLoss } from '../../src/storage/clocks-at-loss.ts'
import { CrashDisk } from '../storage/crash-disk.ts'
import { openStorage } from '../storage/fixture.ts'
import { claims, dotsOf as dots, named, REPAIR, replicaOn } from './home-on-disk.ts'
import { A, B, version } from './memory-home.ts'

describe('the clock by which a past is told', () => {
  test('is that of now for what was written after the last loss', () => {
    const losses = new ClocksAtLoss()
    expect(losses.clockFor(1, 5, dots(1, 2))).toEqual(dots(1, 2))
    losses.note(10, () => new Map([[1, dots(1)]]))
    expect(losses.clockFor(1, 10, dots(1, 2))).toEqual(dots(1, 2))
  })

  test('is that of the first loss after it was written, or none', () => {
    const losses = new ClocksAtLoss()
    losses.note(10, () => new Map([[1, dots(1)]]))
    losses.note(20, () => new Map([[1, dots(1, 2)]]))
    expect(losses.clockFor(1, 9, dots(1, 2, 3))).toEqual(dots(1))
    expect(losses.clockFor(1, 15, dots(1, 2, 3))).toEqual(dots(1, 2))
    expect(losses.clockFor(2, 9, dots(1, 2, 3)).isEmpty).toBe(true)
    losses.clear()
    expect(losses.clockFor(1, 9, dots(1, 2, 3))).toEqual(dots(1, 2, 3))
  })

  test('is none where there were very many', () => {
    const losses = new ClocksAtLoss()
    for (let i = 1; i <= 100; i++) losses.note(10 * i, () => new Map([[1, dots(i)]]))
    expect(losses.clockFor(1, 5, dots(500))).toEqual(dots(1))
    expect(losses.clockFor(1, 995, dots(500)).isEmpty).toBe(true)
    expect(losses.clockFor(1, 1000, dots(500))).toEqual(dots(500))
  })
})

// Found by seed 82697: the record from before the lost batch, read by the clock from after it, had superseded what that batch brought,
// and took it from the others.
test.each(['a', 'b', 'c', 'd', 'e', 'f'])(
  'no byte that changes makes a replica claim to have seen, and not to hold, what it held (%s)',
  async (seed) => {
    const { image, held } = await written(seed)
    let damaged = 0
    for (const [name, bytes] of image) {
      for (let at = 0; at < bytes.length; at += 3) {
        const harmed = Buffer.from(bytes)
        harmed.writeUInt8(harmed.readUInt8(at) ^ 0x55, at)
        const storage = await openStorage(CrashDisk.of(new Map([...image, [name, harmed]])), LIMITS)
        if (storage.recovery.damaged.length === 0 || storage.recovery.isNew) continue
        damaged++
        await replicaOn(storage).rebuildAfterDamage('epoch')
        for (const { partition, key, dots: live } of held) {
          for (const dot of live)
            if (claims(storage, named(key, partition), dot))
              expect.fail(`${name} changed at ${at}: ${key} has seen ${formatDot(dot)}`)
        }
      }
    }
    expect(damaged).toBeGreaterThan(100)
  },
)

const LIMITS = { segmentBytesMax: 900, checkpointBytesMin: 1500 }

interface Held {
  readonly partition: number
  readonly key: string
  readonly dots: readonly Dot[]
}

/** Siblings that come in any order, with clocks of others joined in between, as it is while a replica is filled. */
async function written(seed: string): Promise<{ image: ReadonlyMap<string, Uint8Array>; held: readonly Held[] }> {
  const disk = new CrashDisk()
  const storage = await openStorage(disk, LIMITS)
  const replica = replicaOn(storage)
  const random = new SeededRandom(seed)
  const keys = ['x', 'y', 'z'].map((key, partition) => ({ partition: partition % 2, bucket: 'b', key }))
  const counters = random.shuffle(Array.from({ length: 60 }, (_, i) => i + 1))
  for (const [i, counter] of counters.entries()) {
    const name = random.pick(keys)
    const seen = random.chance(0.3) ? (await replica.look(name, true)).view?.seen : undefined
    await replica.write(
      name,
      writeView(version({ life: A, counter }, `value ${counter}`), seen ?? DotSet.empty(), []),
      REPAIR,
    )
    if (i % 4 === 3) {
      const clock = storage.clockOf(name.partition).clone()
      await storage.synced(replica.joinClock(name.partition, clock.union(DotSet.of({ life: B, counter: i }))))
    }
  }
  await storage.synced(storage.lastLsn)
  const held = keys.map(({ partition, key }) => {
    const entry = storage.memtable.get(partition, 'b', key)
    return { partition, key, dots: entry ? decodeRecord(entry.bytes).versions.map(({ dot }) => dot) : [] }
  })
  return { image: disk.image(), held }
}
