// Clocks and the catalog are in checkpoints, but are no records: where they are more than the rest, checkpoints must still have an end.
import { expect, it } from 'vitest'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { CrashDisk } from '../storage/crash-disk.ts'
import { LIFE, openStorage } from './fixture.ts'

it('many lives in the clocks do not make every write a checkpoint', async () => {
  const disk = new CrashDisk()
  const min = 64 << 10
  const storage = await openStorage(disk, { segmentBytesMax: 1 << 20, checkpointBytesMin: min })
  // 64 partitions, 200 lives each: 140 KB of clocks. (Real: 1024 partitions and some 1,500 runs of processes for the default of 16 MiB.)
  for (let p = 0; p < 64; p++) {
    const clock = DotSet.empty()
    for (let l = 0; l < 200; l++) clock.add({ life: (l * 7919 + 1).toString(16).padStart(16, '0'), counter: 1 + l })
    storage.joinClock(p * 16 + 3, clock)
  }
  await storage.synced(storage.lastLsn)
  for (let i = 0; i < 3000; i++) await Promise.resolve()
  const before = storage.stats
  let written = 0
  for (let i = 0; i < 200; i++) {
    await storage.synced(storage.putRecord(3, 'b', 'k', Buffer.alloc(100, i), [{ life: LIFE, counter: i + 1 }]))
    for (let n = 0; n < 300; n++) await Promise.resolve()
    written += 150
  }
  const { checkpoints } = storage.stats
  // 30 kB of log: not one checkpoint is due.
  expect(checkpoints - before.checkpoints).toBeLessThanOrEqual(1)
})
