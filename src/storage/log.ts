// The write side of the log: entries gather into a batch, one batch at a time is appended durably, then the next takes all that came
// meanwhile, under load a little more: a lone write waits for nobody, a burst shares its syncs. Knows nothing of what entries mean.
// Invariant: batch k+1 is written only after batch k was synced (recovery tells damage from a torn tail by it); after a failed write
// or sync nothing is ever written again (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).

import { QuorateError } from '../errors.ts'
import { type Clock, sleep } from '../ports/clock.ts'
import type { Disk } from '../ports/disk.ts'
import { encodeCleanShutdownEntry, type EntrySink, type Lsn } from './entries.ts'
import type { StorageKeys } from './file-header.ts'
import { FrameBuilder, saltChecksum } from './frames.ts'
import { Gathering } from './gathering.ts'
import { writeManifest } from './manifest.ts'
import { isNoSpace, NoRoom } from './no-room.ts'
import { createSegment, type LogStart, type OwnSegment, Segments } from './segments.ts'

/** A batch is closed to more entries beyond this; one entry may be larger. */
const BATCH_BYTES_MAX = 4 << 20
/** A batch's memory is used again by a later one, unless it has grown beyond this. */
const SPARE_BYTES_MAX = 1 << 20

export interface LogOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly keys: StorageKeys
  /** A segment is closed at this size. */
  readonly segmentBytes: () => number
  readonly start: LogStart
  /**
   * The last batch before, as it was read back, or null. A sync that failed may have left it in the page cache only, marked clean;
   * so it is written again, under its old sequence, before anything new.
   */
  readonly repeat: Uint8Array | null
  /** Called after every sync, of so many bytes. */
  readonly onSynced: (bytes: number) => void
  readonly onFailed: (error: QuorateError) => void
  /** The disk has no room; it is tried again until it has, or until `close`. */
  readonly onOutOfRoom: () => void
}

export interface LogStats {
  readonly batches: number
  readonly entries: number
  readonly batchEntriesMax: number
  readonly bytesWritten: number
  readonly syncMsTotal: number
  readonly syncMsMax: number
}

interface Batch {
  readonly frame: FrameBuilder
  waiters: {
    readonly promise: Promise<void>
    readonly resolve: () => void
    readonly reject: (error: Error) => void
  } | null
}

/** A batch that found no room is tried again after this. */
const ROOM_RETRY_MS = 500

const DONE: Promise<void> = Promise.resolve()

export class Log {
  readonly #options: LogOptions
  readonly #saltCrc: number
  readonly #segments: Segments
  #nextBatch: number
  #nextLsn: Lsn
  #syncedLsn: Lsn
  #queue: Batch[] = []
  #inFlight: Batch | null = null
  #running = false
  #rotation: {
    readonly promise: Promise<LogStart>
    readonly resolve: (start: LogStart) => void
    readonly reject: (e: Error) => void
  } | null = null
  #failed: QuorateError | null = null
  #closed = false
  #closing = false
  #outOfRoom: PromiseWithResolvers<void> | null = null
  /** So much longer the segment may become, since there was no room for the next one. */
  #grace = 0
  /** Of a batch that is durable. */
  #spare: FrameBuilder | null = null
  readonly #gathering: Gathering
  #batches = 0
  #entries = 0
  #batchEntriesMax = 0
  #bytesWritten = 0
  #syncMsTotal = 0
  #syncMsMax = 0

  private constructor(options: LogOptions, segments: Segments) {
    this.#options = options
    this.#gathering = new Gathering(options.clock)
    this.#saltCrc = saltChecksum(options.keys)
    this.#segments = segments
    this.#nextBatch = options.start.batch
    this.#nextLsn = options.start.lsn
    this.#syncedLsn = options.start.lsn - 1
  }

  /** Creates the segment to start with; it is durable, and in the manifest, before this resolves. */
  static async start(options: LogOptions): Promise<Log> {
    const { disk, keys, start, repeat } = options
    const file = await createSegment(disk, keys, start, repeat)
    return new Log(options, new Segments(start, file))
  }

  get lastLsn(): Lsn {
    return this.#nextLsn - 1
  }

  get syncedLsn(): Lsn {
    return this.#syncedLsn
  }

  get failed(): QuorateError | null {
    return this.#failed
  }

  /** The disk has no room for the batch that it was given, or for the next segment. */
  get isOutOfRoom(): boolean {
    return this.#outOfRoom !== null
  }

  /** Of entries that are not synced yet. */
  get pendingBytes(): number {
    let bytes = this.#inFlight?.frame.bytes ?? 0
    for (let i = 0; i < this.#queue.length; i++) bytes += (this.#queue[i] as Batch).frame.bytes
    return bytes
  }

  /** By number, the segments that this run began; the last is being written. */
  get segments(): ReadonlyMap<number, OwnSegment> {
    return this.#segments.held
  }

  /** Of the segment that is being written. */
  get currentBytes(): number {
    return this.#segments.currentBytes
  }

  /** Whether something is being synced or will be, so that `onSynced` is called again. */
  get isBusy(): boolean {
    return this.#inFlight !== null || this.#queue.some(({ frame }) => frame.count > 0)
  }

  /** All changes up to now are below `lsn`; those from there on will be in `batch` or after it. */
  get position(): { readonly lsn: Lsn; readonly batch: number } {
    return { lsn: this.#nextLsn, batch: this.#nextBatch }
  }

  /** The segments below this number were removed. */
  forgetBelow(segment: number): void {
    this.#segments.forgetBelow(segment)
  }

  get stats(): LogStats {
    return {
      batches: this.#batches,
      entries: this.#entries,
      batchEntriesMax: this.#batchEntriesMax,
      bytesWritten: this.#bytesWritten,
      syncMsTotal: this.#syncMsTotal,
      syncMsMax: this.#syncMsMax,
    }
  }

  /** Where the next entry is encoded; `added` must follow at once. Throws `storage-failed` or `closed`. */
  get sink(): EntrySink {
    if (this.#failed) throw this.#failed
    if (this.#closed) throw new QuorateError('closed', 'the storage is closed')
    return this.#openBatch().frame
  }

  /** The next entry is the first of a batch: nothing that was said before need be there when it is read back. */
  get beginsBatch(): boolean {
    const last = this.#queue.at(-1)
    return !last || last.frame.count === 0 || last.frame.bytes >= BATCH_BYTES_MAX
  }

  #openBatch(): Batch {
    const last = this.#queue.at(-1)
    if (last && last.frame.bytes < BATCH_BYTES_MAX) return last
    const frame = this.#spare ?? new FrameBuilder(this.#nextLsn)
    this.#spare = null
    frame.restart(this.#nextLsn)
    const batch: Batch = { frame, waiters: null }
    this.#queue.push(batch)
    return batch
  }

  /** Numbers the entry that was just encoded. */
  added(): Lsn {
    const batch = this.#queue.at(-1) as Batch
    this.#gathering.holds(++batch.frame.count)
    if (!this.#running) {
      this.#running = true
      void this.#run()
    }
    return this.#nextLsn++
  }

  /** Resolves when the change is durable; rejects with `storage-failed` when it never will be known to be. */
  synced(lsn: Lsn): Promise<void> {
    if (this.#failed) return Promise.reject(this.#failed)
    if (lsn <= this.#syncedLsn) return DONE
    for (let i = this.#queue.length - 1; i >= 0; i--) {
      const batch = this.#queue[i] as Batch
      if (lsn >= batch.frame.firstLsn) return this.#waitFor(batch)
    }
    if (this.#inFlight) return this.#waitFor(this.#inFlight)
    return Promise.reject(new Error(`change ${lsn} was never made`))
  }

  #waitFor(batch: Batch): Promise<void> {
    batch.waiters ??= Promise.withResolvers<void>()
    return batch.waiters.promise
  }

  /** Begins a new segment between two batches. Resolves with where it starts: changes from `lsn` on are in it or after it. */
  rotate(): Promise<LogStart> {
    if (this.#failed) return Promise.reject(this.#failed)
    if (this.#closed) return Promise.reject(new QuorateError('closed', 'the storage is closed'))
    this.#rotation ??= Promise.withResolvers<LogStart>()
    if (!this.#running) {
      this.#running = true
      void this.#run()
    }
    return this.#rotation.promise
  }

  /** Syncs everything, then says in the log and the manifest that this was the end. */
  async close(): Promise<void> {
    if (this.#closed) return
    // Whoever ends does not wait for room.
    this.#closing = true
    this.#outOfRoom?.resolve()
    while (this.#syncedLsn < this.lastLsn) await this.synced(this.lastLsn)
    // A batch of its own: were it in the last batch of data, damage there would look like a torn tail.
    encodeCleanShutdownEntry(this.sink)
    const last = this.added()
    this.#closed = true
    await this.synced(last)
    try {
      await writeManifest(this.#options.disk, this.#options.keys, this.#segments.current, this.#nextBatch - 1)
      await this.#segments.close()
    } catch (error) {
      throw this.fail(error)
    }
  }

  async #run(): Promise<void> {
    try {
      // What is written in the same turn of the loop shares the first batch.
      await DONE
      for (;;) {
        const full = this.#queue.length > 0 && this.#segments.currentBytes >= this.#segmentBytes
        if (full || this.#rotation) await this.#nextSegment()
        else if (this.#isWorthAWait) await this.#gathering.wait()
        const batch = this.#queue.shift()
        if (batch && batch.frame.count > 0) await this.#write(batch)
        if (this.#queue.length === 0 && !this.#rotation) break
      }
      this.#running = false
    } catch (error) {
      this.fail(error)
    }
  }

  get #isWorthAWait(): boolean {
    const next = this.#queue[0]
    if (!next || this.#queue.length > 1 || this.#closed) return false
    return this.#gathering.isWorthAWait(next.frame.count)
  }

  async #write(batch: Batch): Promise<void> {
    this.#inFlight = batch
    const { frame } = batch
    const number = this.#nextBatch++
    const inTurns = frame.sealInTurns('batch', this.#saltCrc, number, () => sleep(this.#options.clock, 0))
    const chunks = inTurns === null ? frame.seal('batch', this.#saltCrc, number) : await inTurns
    if (this.#failed) throw this.#failed
    const { bytes } = frame
    const begun = this.#options.clock.monotonic()
    this.#gathering.begun(frame.count, begun)
    await this.#append(chunks)
    const syncMs = this.#options.clock.monotonic() - begun
    this.#segments.grew(bytes)
    this.#syncedLsn = frame.firstLsn + frame.count - 1
    this.#inFlight = null
    this.#batches++
    this.#entries += frame.count
    this.#bytesWritten += bytes
    this.#batchEntriesMax = Math.max(this.#batchEntriesMax, frame.count)
    this.#syncMsTotal += syncMs
    this.#syncMsMax = Math.max(this.#syncMsMax, syncMs)
    batch.waiters?.resolve()
    if (bytes <= SPARE_BYTES_MAX) {
      // What it refers to is let go now.
      frame.restart(0)
      this.#spare = frame
    }
    this.#options.onSynced(bytes)
  }

  /**
   * Tries again while the disk has no room. That is sound where another failure is not: the disk has cut the file back to where it was,
   * what lies before was synced by appends of its own, and the whole batch is written again and synced again before it counts. Nothing of
   * it was told to anybody, and a crash finds it torn or whole, as the last batch of any log.
   */
  async #append(chunks: readonly Uint8Array[]): Promise<void> {
    for (;;) {
      try {
        await this.#segments.append(chunks)
        this.#outOfRoom = null
        return
      } catch (error) {
        if (!isNoSpace(error) || this.#closing) throw error
        await this.#waitForRoom()
      }
    }
  }

  async #waitForRoom(): Promise<void> {
    const { clock, onOutOfRoom } = this.#options
    const isFirst = this.#outOfRoom === null
    const waiting = Promise.withResolvers<void>()
    this.#outOfRoom = waiting
    if (isFirst) onOutOfRoom()
    const timer = clock.after(ROOM_RETRY_MS, () => waiting.resolve())
    await waiting.promise
    timer.cancel()
  }

  async #nextSegment(): Promise<void> {
    const { disk, keys } = this.#options
    const rotation = this.#rotation
    // Entries may come in while the segment is made: it begins with the batches that are queued now.
    const start = { segment: this.#segments.current + 1, batch: this.#nextBatch, lsn: this.#syncedLsn + 1 }
    try {
      await this.#segments.turnTo(start, await createSegment(disk, keys, start, null))
      this.#grace = 0
      rotation?.resolve(start)
      if (this.#rotation === rotation) this.#rotation = null
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error
      rotation?.reject(error)
      if (this.#rotation === rotation) this.#rotation = null
      // The one that is there may become longer; a batch has a better chance than a file.
      this.#grace = this.#segments.currentBytes
    }
  }

  /** At this size the next one is due. */
  get #segmentBytes(): number {
    return this.#options.segmentBytes() + this.#grace
  }

  /** Something that belongs to the log could not be written: the end of all writing. */
  fail(error: unknown): QuorateError {
    if (this.#failed) return this.#failed
    const failure = new QuorateError('storage-failed', `the log can not be written: ${messageOf(error)}`, {
      cause: error,
    })
    this.#failed = failure
    for (const batch of [...(this.#inFlight ? [this.#inFlight] : []), ...this.#queue]) batch.waiters?.reject(failure)
    this.#rotation?.reject(failure)
    this.#queue = []
    this.#inFlight = null
    this.#options.onFailed(failure)
    return failure
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
