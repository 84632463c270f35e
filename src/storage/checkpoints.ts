// Decides when the next range is written, and which; one at a time. Knows nothing of what is in it, nor which files it replaces.
// Invariant: no checkpoint is taken while damage is not settled (it would hide the loss), and none is begun that could free nothing.

import { QuorateError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Disk } from '../ports/disk.ts'
import type { Logger } from '../telemetry/log.ts'
import { writeCheckpoint } from './checkpoint.ts'
import { CheckpointFiles } from './checkpoint-files.ts'
import { CheckpointPace } from './checkpoint-pace.ts'
import type { StorageKeys } from './file-header.ts'
import type { StoredFile } from './inventory.ts'
import type { Log } from './log.ts'
import type { StorageState } from './storage-state.ts'
import { type Coverage, FACTS, type Layer, NOTHING, type Unit, UNITS_END, unitOf } from './units.ts'

/** The log may grow to this part of the checkpoints' size. Less of it means more writing: each of its bytes costs 1/share of checkpoint. */
const LOG_SHARE = 0.4
/** What is no longer needed of the log is freed in pieces of this part of its length. */
const SEGMENT_SHARE = 1 / 8
/** A range is this part of the live data, within bounds: so much is there twice while it is replaced. */
const RANGE = { share: 1 / 32, bytesLeast: 256 << 10, bytesMost: 16 << 20 }
/** Checkpoints that are so much larger than what is live hold what was removed since: few bytes of log can remove many. */
const STALE_SHARE = 1.5
/** Where the disk is short of room, so much beyond what is live is enough to clear away. */
const STALE_SHARE_SHORT = 1.1
/** About what an entry costs beside its key, bucket and record, at most. */
const ENTRY_BYTES = 16

/** Every start begins a segment; so many more than the log's size explains are cleared away by checkpoints. */
const SPARE_SEGMENTS_MAX = 64

/** Without room for a checkpoint it is tried again after the first, then after twice as long, up to the second. Milliseconds. */
const STARVED_RETRY_MS = { least: 1000, most: 30_000 }

export interface CheckpointsOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly keys: StorageKeys
  readonly state: StorageState
  readonly log: Log
  readonly logger: Logger
  /** What recovery found. */
  readonly files: readonly StoredFile[]
  readonly damagedFiles: ReadonlySet<string>
  readonly segmentBytesMax: number
  readonly checkpointBytesMin: number
  /** The disk is used up but for a reserve. */
  readonly isShortOfRoom: () => boolean
  /** Called when `starved` may have changed. */
  readonly onRoom: () => void
}

export class Checkpoints {
  readonly #options: CheckpointsOptions
  readonly #files: CheckpointFiles
  readonly #pace: CheckpointPace
  #running: Promise<void> | null = null
  #stopping = false
  #starved = false
  #retryBytes = 0
  #retryMs = STARVED_RETRY_MS.least
  #published = 0
  /** Of clocks and catalog, as of the last checkpoint: to count them costs a look at every partition. */
  #besideBytes: number

  constructor(options: CheckpointsOptions) {
    const { disk, log, files, damagedFiles: damaged } = options
    this.#options = options
    this.#files = new CheckpointFiles({ disk, log, files, damaged })
    this.#pace = new CheckpointPace(log)
    this.#besideBytes = options.state.bytesBesideRecords
  }

  get published(): number {
    return this.#published
  }

  /** The disk had no room for the last attempt; the log will need as much before long. */
  get starved(): boolean {
    return this.#starved
  }

  /** Of all that are there. */
  get bytes(): number {
    return this.#files.checkpointBytes
  }

  get logBytes(): number {
    return this.#files.logBytes
  }

  get segments(): number {
    return this.#files.segments
  }

  /** A segment of the log is closed at this size. */
  get segmentBytes(): number {
    return Math.min(this.#options.segmentBytesMax, this.#logBytesMax * SEGMENT_SHARE)
  }

  get #liveBytes(): number {
    const { memtable, hints } = this.#options.state
    return memtable.totalBytes + memtable.totalKeys * ENTRY_BYTES + hints.bytes + this.#besideBytes
  }

  /** Both sizes: checkpoints are small before the first round, and too large after many removals. */
  get #logBytesMax(): number {
    return Math.max(this.#options.checkpointBytesMin, LOG_SHARE * Math.min(this.bytes, this.#liveBytes))
  }

  /** Called after every sync, of so many bytes. */
  synced(bytes: number): void {
    if (this.#running) this.#pace.synced(bytes, this.logBytes / this.#logBytesMax - 1)
    else this.consider()
  }

  /** Begins a checkpoint when the log has outgrown the data. */
  consider(): void {
    if (this.#running || this.#stopping || this.#files.isDamaged || this.#options.log.failed) return
    if (this.#isDue && this.#frees) this.#begin()
  }

  get #isDue(): boolean {
    const { logBytes, bytes } = this
    if (this.#starved) return logBytes > this.#retryBytes
    if (logBytes > this.#logBytesMax) return true
    if (bytes > STALE_SHARE * this.#liveBytes + this.#options.checkpointBytesMin) return true
    const tidyBytes = STALE_SHARE_SHORT * this.#liveBytes + 2 * this.segmentBytes
    if (logBytes + bytes > tidyBytes && this.#options.isShortOfRoom()) return true
    return this.segments > SPARE_SEGMENTS_MAX + (2 * logBytes) / this.segmentBytes
  }

  /** Whether anything has changed since the oldest range was written. */
  get #frees(): boolean {
    const { log } = this.#options
    return this.#oldest().by.lsn <= log.lastLsn || this.segments > log.segments.size
  }

  #oldest(): Layer<Coverage> {
    return this.#files.layers.reduce((oldest, layer) => (layer.by.lsn < oldest.by.lsn ? layer : oldest))
  }

  #begin(): void {
    // Every failure is dealt with where it happens; the promise is kept for whoever has to wait. Damage: settling it found no room.
    this.#running = this.#guarded(() => (this.#files.isDamaged ? this.#takeAll() : this.#takeOldest()))
      .catch(() => {})
      .finally(() => {
        this.#running = null
        this.consider()
      })
  }

  /** Takes the checkpoints that replace damaged files. Rejects with `storage-full` or `storage-failed`. */
  async settleDamage(): Promise<void> {
    if (!this.#files.isDamaged) return
    if (this.#running) return this.#running
    const taken = this.#guarded(() => this.#takeAll())
    this.#running = taken
      .catch(() => {})
      .finally(() => {
        this.#running = null
      })
    await taken
  }

  /** Gives up a checkpoint that is being written, and begins no more. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#pace.wake()
    await this.#running
  }

  /** The log has failed: whoever waits for it waits for nothing. */
  failed(): void {
    this.#pace.wake()
  }

  async #takeOldest(): Promise<void> {
    const { log } = this.#options
    // What is in the segment that is being written can't be freed.
    if (log.currentBytes > this.segmentBytes) await log.rotate()
    await this.#take(this.#oldest().from)
    await this.#files.clear()
  }

  async #takeAll(): Promise<void> {
    // The damaged ones are left behind as a whole.
    await this.#options.log.rotate()
    this.#files.discardAll()
    for (
      let from = FACTS;
      from < UNITS_END;
      from = this.#files.layers.find(({ by }) => by === NOTHING)?.from ?? UNITS_END
    )
      await this.#take(from)
    await this.#files.clear()
    this.#files.settled()
  }

  async #take(from: Unit): Promise<void> {
    const { disk, keys, state, log, logger } = this.#options
    const number = this.#files.takeNumber()
    const coverage = { from, to: this.#endOf(from), ...log.position }
    const bytes = await writeCheckpoint({
      ...{ disk, clock: this.#options.clock, keys, state, number, coverage },
      lastLsn: () => log.lastLsn,
      syncLog: () => log.synced(log.lastLsn),
      pace: (written) => this.#pace.spent(written, () => this.#isOver),
      blockBytes: () => this.#pace.blockBytes,
      abandoned: () => this.#isOver,
    })
    if (bytes === null) throw new QuorateError('closed', 'the storage is closing')
    this.#files.published(number, coverage, bytes)
    this.#published++
    this.#besideBytes = this.#options.state.bytesBesideRecords
    logger.debug({ number, bytes, ...coverage, keys: state.memtable.totalKeys }, 'wrote a checkpoint')
  }

  get #isOver(): boolean {
    return this.#stopping || this.#options.log.failed !== null
  }

  /** Of a range; one large partition may have more. */
  get rangeBytes(): number {
    const bytesLeast = Math.min(RANGE.bytesLeast, this.#options.checkpointBytesMin / 4)
    return Math.min(RANGE.bytesMost, Math.max(bytesLeast, this.#liveBytes * RANGE.share))
  }

  /** Where a range ends: behind the partition with which it is large enough. What would be left at the end is taken along. */
  #endOf(from: Unit): Unit {
    const { memtable, hints } = this.#options.state
    const wanted = this.rangeBytes
    let bytes = from === FACTS ? hints.bytes : 0
    let to: Unit | null = bytes >= wanted ? FACTS + 1 : null
    let rest = 0
    for (const partition of memtable.partitions()) {
      if (unitOf(partition) < from) continue
      const size = memtable.bytesOf(partition) + memtable.count(partition) * ENTRY_BYTES
      if (to !== null) rest += size
      else if ((bytes += size) >= wanted) to = unitOf(partition) + 1
    }
    return to === null || rest < wanted / 2 ? UNITS_END : to
  }

  async #guarded(take: () => Promise<void>): Promise<void> {
    const { log, logger } = this.#options
    try {
      await take()
      this.#starved = false
      this.#retryBytes = 0
      this.#retryMs = STARVED_RETRY_MS.least
      this.#options.onRoom()
    } catch (error) {
      if (error instanceof QuorateError) throw error
      // The log itself still has room: only what it would have freed stays.
      if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
        this.#starved = true
        this.#options.onRoom()
        this.#tryAgain()
        this.#retryBytes = this.logBytes + this.#options.checkpointBytesMin
        logger.warn({ err: error }, 'no room for a checkpoint')
        throw new QuorateError('storage-full', 'no room for a checkpoint', { cause: error })
      }
      throw log.fail(error)
    }
  }

  /** While there is no room nothing is written, so nothing else would ever look whether there is room again. */
  #tryAgain(): void {
    const delayMs = this.#retryMs
    this.#retryMs = Math.min(2 * delayMs, STARVED_RETRY_MS.most)
    this.#options.clock.after(delayMs, () => {
      if (this.#stopping || !this.#starved || this.#options.log.failed) return
      if (this.#running) this.#tryAgain()
      else this.#begin()
    })
  }
}
