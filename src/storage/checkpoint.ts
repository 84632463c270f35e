// Writes a range of the state into one file while changes go on, so that recovery and disk use are bounded. Decides the order of steps;
// knows nothing of the log's inside. Invariant: a checkpoint gets its name only when it is complete and synced, and when every
// change that it may contain is synced in the log; replaying the log from its batch on then gives exactly the state of its units.

import { crc32 } from 'node:zlib'
import type { Dot } from '../core/causality/dot.ts'
import { type Clock, sleep } from '../ports/clock.ts'
import type { Disk, DiskFile } from '../ports/disk.ts'
import {
  type CheckpointCounts,
  encodeCatalogEntry,
  encodeClockEntry,
  encodeFooterEntry,
  encodeHintEntry,
  encodeRecordEntry,
  type Lsn,
} from './entries.ts'
import { checkpointName, encodeHeader, type StorageKeys, TEMPORARY } from './file-header.ts'
import { FRAME_HEADER_BYTES, FrameBuilder, saltChecksum } from './frames.ts'
import type { StorageState } from './storage-state.ts'
import { type Coverage, FACTS, unitOf } from './units.ts'

const BLOCK_BYTES_EXPECTED = 128 << 10
/** Synced in parts, so that the log's own syncs never wait long for it. */
const SYNC_BYTES = 1 << 20

export interface CheckpointWork {
  readonly disk: Disk
  readonly clock: Clock
  readonly keys: StorageKeys
  readonly state: StorageState
  readonly number: number
  readonly coverage: Coverage
  readonly lastLsn: () => Lsn
  /** Makes all changes up to now durable. */
  readonly syncLog: () => Promise<void>
  /** Called after so many bytes: resolves when more may be written. */
  readonly pace: (bytes: number) => Promise<void>
  /** What is encoded in one go, without giving others a turn. */
  readonly blockBytes: () => number
  /** True: give up (the storage is closing). */
  readonly abandoned: () => boolean
}

/** Publishes `checkpoint-<number>` and returns its size; null when it was abandoned. Rejects with the disk's error. */
export async function writeCheckpoint(work: CheckpointWork): Promise<number | null> {
  const name = checkpointName(work.number)
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

const NO_DOTS: readonly Dot[] = []

/** False: abandoned. Whatever is told from the state is told as it is at that moment, and encoded before anybody else has a turn. */
async function writeBlocks(work: CheckpointWork, file: DiskFile): Promise<boolean> {
  const { state, keys, number } = work
  const { from, to, lsn } = work.coverage
  await file.append([encodeHeader({ kind: 'checkpoint', ...keys, ...work.coverage, number, repeats: false })])
  const blocks = new Blocks(work, file)
  const { frame } = blocks
  if (from === FACTS) {
    for (const [name, bytes] of state.catalog) {
      encodeCatalogEntry(frame, name, bytes)
      if (blocks.isFullAfter('catalog') && !(await blocks.flush())) return false
    }
    for (const hint of state.hints.all()) {
      encodeHintEntry(frame, hint)
      if (blocks.isFullAfter('hints') && !(await blocks.flush())) return false
    }
  }
  for (const partition of state.partitions()) {
    if (unitOf(partition) < from || unitOf(partition) >= to) continue
    for (const { bucket, key, bytes } of state.memtable.scan(partition, null)) {
      encodeRecordEntry(frame, partition, bucket, key, bytes, NO_DOTS)
      if (blocks.isFullAfter('records') && !(await blocks.flush())) return false
    }
    // After its records: the clock then covers every dot that is among them.
    const clock = state.clockOf(partition)
    if (clock.isEmpty) continue
    encodeClockEntry(frame, partition, clock, true)
    if (blocks.isFullAfter('clocks') && !(await blocks.flush())) return false
  }
  if (frame.count > 0 && !(await blocks.flush())) return false
  frame.restart(lsn)
  encodeFooterEntry(frame, { ...blocks.counts, chain: blocks.chain, through: work.lastLsn() })
  frame.count++
  return blocks.flush()
}

class Blocks {
  readonly counts: { -readonly [K in keyof CheckpointCounts]: number } = { records: 0, clocks: 0, catalog: 0, hints: 0 }
  readonly frame: FrameBuilder
  readonly #work: CheckpointWork
  readonly #file: DiskFile
  readonly #saltCrc: number
  #sequence = 0
  #unsynced = 0
  #blockBytes: number
  chain: number = 0

  constructor(work: CheckpointWork, file: DiskFile) {
    this.#work = work
    this.#file = file
    this.#saltCrc = saltChecksum(work.keys)
    this.#blockBytes = work.blockBytes()
    this.frame = new FrameBuilder(work.coverage.lsn, BLOCK_BYTES_EXPECTED, true)
  }

  /** Counts the entry that was just encoded. */
  isFullAfter(kind: keyof CheckpointCounts): boolean {
    this.counts[kind]++
    this.frame.count++
    return this.frame.bytes >= this.#blockBytes
  }

  /** False: the checkpoint is to be given up. */
  async flush(): Promise<boolean> {
    const { frame } = this
    const number = this.#sequence++
    const inTurns = frame.sealInTurns('block', this.#saltCrc, number, () => sleep(this.#work.clock, 0))
    const chunks = inTurns === null ? frame.seal('block', this.#saltCrc, number) : await inTurns
    this.chain = crc32((chunks[0] as Uint8Array).subarray(32, FRAME_HEADER_BYTES), this.chain)
    const { bytes } = frame
    await this.#file.append(chunks)
    frame.restart(this.#work.coverage.lsn)
    this.#unsynced += bytes
    if (this.#unsynced >= SYNC_BYTES) {
      this.#unsynced = 0
      await this.#file.sync()
    }
    await this.#work.pace(bytes)
    this.#blockBytes = this.#work.blockBytes()
    return !this.#work.abandoned()
  }
}
