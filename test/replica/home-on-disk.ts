// One home over a disk that can be harmed, and what its records claim after that.

import type { Dot } from '../../src/core/causality/dot.ts'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { HybridClock } from '../../src/core/causality/hybrid-clock.ts'
import { decodeRecord, EMPTY_RECORD, knows } from '../../src/core/causality/record.ts'
import { holds } from '../../src/core/causality/view.ts'
import { Filling } from '../../src/replica/filling.ts'
import { PartitionIndexes } from '../../src/replica/partition-index.ts'
import { type KeyName, Replica, type WriteOptions } from '../../src/replica/replica.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { A, STILL_CLOCK, version, write } from './memory-home.ts'
import type { CrashDisk, Image } from '../storage/crash-disk.ts'

/** As repair brings it: durable, without limits. */
export const REPAIR: WriteOptions = { intent: 'repair', conflict: 'siblings', durable: true, tellContext: false }

export function replicaOn(storage: Storage): Replica {
  return new Replica({
    ...{ storage, clock: STILL_CLOCK, hybrid: new HybridClock(), filling: new Filling(storage) },
    indexes: new PartitionIndexes(storage.memtable, () => 2),
    limits: { siblingsMax: 100, siblingBytesMax: 1 << 20, clockBoundMs: 500 },
  })
}

export function named(key: string, partition = 0): KeyName {
  return { partition, bucket: 'b', key }
}

/** A sibling of all that is there: dot A-`counter`, a value of so many bytes, and no context. Resolves when it is acknowledged. */
export async function bring(replica: Replica, name: KeyName, counter: number, bytes = 20): Promise<void> {
  await replica.write(name, write(version({ life: A, counter }, `v${counter}`.padEnd(bytes, '.'))), REPAIR)
}

/** Whether it says of a version that it has seen it, and does not hold it: then others drop it. */
export function claims(storage: Storage, { partition, bucket, key }: KeyName, dot: Dot): boolean {
  const entry = storage.memtable.get(partition, bucket, key)
  const record = entry ? decodeRecord(entry.bytes) : EMPTY_RECORD
  return !holds(record.versions, dot) && knows(record, storage.clockOf(partition), dot)
}

export function dotsOf(...counters: number[]): DotSet {
  return DotSet.of(...counters.map((counter) => ({ life: A, counter })))
}

/** Lets a storage on a disk that answers at once do what it has begun. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

export function logsOf(disk: CrashDisk): string[] {
  return [...disk.names.keys()].filter((name) => /^log-\d+$/.test(name)).sort()
}

/** Of the last segment. */
export function logEnd(disk: CrashDisk): { readonly name: string; readonly size: number } {
  const name = logsOf(disk).at(-1) as string
  return { name, size: (disk.image().get(name) as Uint8Array).length }
}

/** One byte of a file is another one. */
export function rotten(image: Image, name: string, at: number): Map<string, Uint8Array> {
  const bytes = Uint8Array.from(image.get(name) as Uint8Array)
  bytes[at] = (bytes[at] as number) ^ 0x55
  return new Map(image).set(name, bytes)
}
