// A storage with checkpoints of many small ranges.

import type { Storage, StorageOptions } from '../../src/storage/storage.ts'
import { CrashDisk } from './crash-disk.ts'
import { LIFE, openStorage } from './fixture.ts'

export const PARTITIONS: readonly number[] = [0, 16, 17, 35, 51, 67, 83, 99, 4000, 65_535]
export const OPTIONS: Partial<StorageOptions> = { segmentBytesMax: 4000, checkpointBytesMin: 1500 }

/** Lets storages work on disks that answer at once. */
export async function settle(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await Promise.resolve()
}

export async function filled(
  options: Partial<StorageOptions> = OPTIONS,
): Promise<{ disk: CrashDisk; storage: Storage }> {
  const disk = new CrashDisk()
  const storage = await openStorage(disk, options)
  for (let i = 0; i < 120; i++) {
    const partition = PARTITIONS[i % PARTITIONS.length] as number
    await storage.synced(
      storage.putRecord(partition, 'b', `k${i % 7}`, Buffer.alloc(300, i), [{ life: LIFE, counter: i + 1 }]),
    )
  }
  return { disk, storage }
}

export function checkpointsOf(disk: CrashDisk): string[] {
  return [...disk.names.keys()].filter((name) => /^checkpoint-\d+$/.test(name)).sort()
}
