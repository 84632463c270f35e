// The cheap question of anti-entropy: do we two hold the same in the partitions that we share? One digest over all of them first, then
// one for each; an entry covers the partition clock and the Merkle root. Pure packing besides reading the two.
// Invariant: equal entries mean equal clocks and equal (key, dots) — but for hash collisions.
// An entry is of one moment, all of them together are not: they are made in several turns.

import { ByteReader, ByteWriter, MalformedBytes } from '../core/bytes.ts'
import type { DotSet } from '../core/causality/dot-set.ts'
import { hash64, hexOf } from '../core/hash64.ts'
import type { Directory } from '../core/membership/directory.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import type { Clock } from '../ports/clock.ts'
import type { PartitionIndexes } from '../replica/partition-index.ts'
import type { Storage } from '../storage/storage.ts'
import { treeMade, Turns, WORK } from './turns.ts'

/** Partition → 16 hex digits, in partition order. */
export type Entries = ReadonlyMap<PartitionId, string>

export interface ComparisonParts {
  readonly clock: Clock
  readonly storage: Storage
  readonly indexes: PartitionIndexes
}

/**
 * What this node would say to `peer`: every partition that both are homes of and that holds anything here. `onEntry` gets each as it
 * is made, with the live clock that it covers.
 */
export async function entriesFor(
  peer: string,
  directory: Directory,
  { clock: time, storage, indexes }: ComparisonParts,
  onEntry: (partition: PartitionId, clock: DotSet) => void = () => {},
): Promise<Entries> {
  const { ring, self } = directory
  const turns = new Turns(time)
  const shared = storage
    .partitions()
    .filter((partition) => ring.isHome(partition, self) && ring.isHome(partition, peer))
  const entries = new Map<PartitionId, string>()
  for (const partition of shared) {
    if (turns.isOver(WORK.partition)) await turns.next()
    await treeMade(indexes, partition, turns)
    const clock = storage.clockOf(partition)
    const root = indexes.tree(partition).rootHex
    if (clock.isEmpty && storage.memtable.count(partition) === 0) continue
    const writer = new ByteWriter(64)
    clock.encode(writer)
    entries.set(partition, hexOf(hash64(`${root}${writer.finish().toString('latin1')}`)))
    onEntry(partition, clock)
  }
  return entries
}

export function digestOf(entries: Entries): string {
  return hexOf(hash64([...entries].map(([partition, digest]) => `${partition}:${digest}`).join()))
}

const ENTRY_DIGEST_BYTES = 8

export function packEntries(entries: Entries): Buffer {
  const writer = new ByteWriter(1024)
  writer.varint(entries.size)
  let previous = 0
  for (const [partition, digest] of entries) {
    writer.varint(partition - previous)
    writer.hex(digest, ENTRY_DIGEST_BYTES)
    previous = partition
  }
  return writer.finish()
}

/** Throws `MalformedBytes`. */
export function unpackEntries(bytes: Uint8Array): Entries {
  const reader = new ByteReader(bytes)
  const count = reader.count(ENTRY_DIGEST_BYTES + 1)
  const entries = new Map<PartitionId, string>()
  let previous = 0
  for (let i = 0; i < count; i++) {
    const gap = reader.varint()
    if (i > 0 && gap === 0) throw new MalformedBytes('partitions out of order')
    previous = placeBehind(previous, gap)
    entries.set(previous, reader.hex(ENTRY_DIGEST_BYTES))
  }
  reader.end()
  return entries
}

function placeBehind(previous: PartitionId, gap: number): PartitionId {
  const partition = previous + gap
  if (!Number.isSafeInteger(partition)) throw new MalformedBytes('partition too large')
  return partition
}

export function packPartitions(partitions: readonly PartitionId[]): Buffer {
  const writer = new ByteWriter(256)
  writer.varint(partitions.length)
  let previous = 0
  for (const partition of partitions) {
    writer.varint(partition - previous)
    previous = partition
  }
  return writer.finish()
}

export function unpackPartitions(bytes: Uint8Array): PartitionId[] {
  const reader = new ByteReader(bytes)
  const count = reader.count(1)
  const partitions: PartitionId[] = []
  let previous = 0
  for (let i = 0; i < count; i++) partitions.push((previous = placeBehind(previous, reader.varint())))
  reader.end()
  return partitions
}

/** Partitions whose digests differ or that only one side has, in order. */
export function differing(mine: Entries, theirs: Entries): PartitionId[] {
  const result = new Set<PartitionId>()
  for (const [partition, digest] of mine) if (theirs.get(partition) !== digest) result.add(partition)
  for (const partition of theirs.keys()) if (!mine.has(partition)) result.add(partition)
  return [...result].sort((a, b) => a - b)
}
