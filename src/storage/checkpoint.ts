// Writes the whole state into one file while changes go on, so that recovery and disk use are bounded. Decides the order of steps;
// knows nothing of the log's inside. Invariant: a checkpoint gets its name only when it is complete and synced, and when every
// change that it may contain is synced in the log; replaying the log from its segment on then gives exactly the state.

import { crc32 } from 'node:zlib'
import type { Disk, DiskFile } from '../ports/disk.ts'
import {
  encodeCatalogEntry,
  encodeClockEntry,
  encodeFooterEntry,
  encodeHintEntry,
  encodeRecordEntry,
  type EntrySink,
} from './entries.ts'
import { checkpointName, encodeHeader, type StorageKeys, TEMPORARY } from './file-header.ts'
import { FRAME_HEADER_BYTES, FrameBuilder, saltChecksum } from './frames.ts'
import type { LogStart } from './segments.ts'
import type { StorageState } from './storage-state.ts'

/** What is encoded in one go, without giving others a turn. */
const BLOCK_BYTES = 64 << 10
/** Synced in parts, so that the log's own syncs never wait long for it. */
const SYNC_BYTES = 1 << 20

export interface CheckpointWork {
  readonly disk: Disk
  readonly keys: StorageKeys
  readonly state: StorageState
  /** The segment that was just begun: this and all later ones are replayed over the checkpoint. */
  readonly start: LogStart
  /** Makes all changes up to now durable. */
  readonly syncLog: () => Promise<void>
  /** True: give up (the storage is closing). */
  readonly abandoned: () => boolean
}

/** Publishes `checkpoint-<segment>` and returns its size; null when it was abandoned. Rejects with the disk's error. */
export async function writeCheckpoint(work: CheckpointWork): Promise<number | null> {
  const name = checkpointName(work.start.segment)
  const temporary = name + TEMPORARY
  const file = await work.disk.open(temporary, 'create')
  let complete = false
  try {
    complete = await writeBlocks(work, file)
    if (complete) {
      // It may contain changes that the log has not synced yet; published before them it would show what never happened.
      await work.syncLog()
      await file.sync()
    }
  } catch (error) {
    await file.close().catch(() => {})
    await work.disk.remove(temporary).catch(() => {})
    throw error
  }
  const bytes = file.size
  await file.close()
  if (!complete) {
    await work.disk.remove(temporary)
    return null
  }
  await work.disk.rename(temporary, name)
  await work.disk.syncDirectory()
  return bytes
}

async function writeBlocks(work: CheckpointWork, file: DiskFile): Promise<boolean> {
  const { state, start } = work
  const saltCrc = saltChecksum(work.keys)
  await file.append([encodeHeader({ kind: 'checkpoint', ...work.keys, ...start })])
  let sequence = 0
  let chain = 0
  let unsynced = 0
  const block = new FrameBuilder(start.lsn, BLOCK_BYTES * 2)
  const flush = async (): Promise<void> => {
    const chunks = block.seal('block', saltCrc, sequence++)
    chain = crc32((chunks[0] as Uint8Array).subarray(32, FRAME_HEADER_BYTES), chain)
    unsynced += block.bytes
    await file.append(chunks)
    block.restart(start.lsn)
    if (unsynced < SYNC_BYTES) return
    await file.sync()
    unsynced = 0
  }
  const counts = { records: 0, clocks: 0, catalog: 0, hints: 0 }
  for (const step of entriesOf(state)) {
    counts[step.of]++
    step.encode(block)
    block.count++
    if (block.bytes < BLOCK_BYTES) continue
    await flush()
    if (work.abandoned()) return false
  }
  if (block.count > 0) await flush()
  encodeFooterEntry(block, { ...counts, chain })
  block.count++
  await flush()
  return !work.abandoned()
}

interface Step {
  readonly of: 'records' | 'clocks' | 'catalog' | 'hints'
  readonly encode: (sink: EntrySink) => void
}

/** Lazily: each step is taken from the state as it is at that moment. */
function* entriesOf(state: StorageState): Iterable<Step> {
  for (const [name, bytes] of state.catalog)
    yield { of: 'catalog', encode: (sink) => encodeCatalogEntry(sink, name, bytes) }
  for (const partition of state.partitions()) {
    for (const { bucket, key, bytes } of state.memtable.scan(partition, null)) {
      yield { of: 'records', encode: (sink) => encodeRecordEntry(sink, partition, bucket, key, bytes, []) }
    }
    // After its records: the clock then covers every dot that is among them.
    const clock = state.clockOf(partition)
    if (!clock.isEmpty) yield { of: 'clocks', encode: (sink) => encodeClockEntry(sink, partition, clock, true) }
  }
  for (const hint of state.hints.all()) yield { of: 'hints', encode: (sink) => encodeHintEntry(sink, hint) }
}
