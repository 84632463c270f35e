// The storage of one node: state in memory, every change in the log, checkpoints beside it. Composes the room and decides when to
// checkpoint; knows nothing of merging or peers. Invariant: a change is visible at once and durable when `synced` of its lsn resolves;
// after one failed write or sync no change is accepted and none is ever called durable again.

import type { Split } from '../core/bytes.ts'
import type { Dot } from '../core/causality/dot.ts'
import type { DotSet } from '../core/causality/dot-set.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import { QuorateError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Disk } from '../ports/disk.ts'
import type { Random } from '../ports/random.ts'
import type { Logger } from '../telemetry/log.ts'
import { Checkpoints } from './checkpoints.ts'
import { DiskBudget } from './disk-budget.ts'
import {
  checkDots,
  encodeCatalogEntry,
  encodeClockEntry,
  encodeHintEntry,
  encodeHintRemovedEntry,
  encodeHintsDroppedEntry,
  encodeRecordEntry,
  type EntrySink,
  type Lsn,
} from './entries.ts'
import { newKeys } from './file-header.ts'
import { HintStore } from './hint-store.ts'
import { Log } from './log.ts'
import { MemoryBudget, type ProcessMemory } from './memory-budget.ts'
import type { Memtable } from './memtable.ts'
import { MeteredDisk } from './metered-disk.ts'
import { type Damage, recover } from './recovery.ts'
import { Room, type RoomFigures } from './room.ts'
import { StorageState } from './storage-state.ts'
import { statsOf, type StorageStats } from './storage-stats.ts'

export type { Lsn } from './entries.ts'

export interface StorageOptions {
  /** Null: memory only. Then every change counts as synced at once, and `durable` is false. */
  readonly disk: Disk | null
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** A segment of the log is closed at this size, or at a part of what the log may grow to. */
  readonly segmentBytesMax: number
  /** The log may grow to this size before checkpoints shorten it, or to a part of theirs. */
  readonly checkpointBytesMin: number
  /** So many bytes of what was overwritten may stay in memory, however little is live; none by default. */
  readonly deadBytesMin?: number
  readonly hintBytesMax: number
  /** Budget for the process's resident memory; where nobody tells that, for keys, records and hints alone. */
  readonly bytesMax: number
  /** Budget for the data directory; null, and by default: what the file system has. */
  readonly diskBytesMax?: number | null
  /** What the process takes; without it nobody tells. */
  readonly processMemory?: (() => ProcessMemory) | undefined
  /** Makes the process collect its garbage. */
  readonly collectGarbage?: (() => void) | undefined
}

export interface RecoveryReport {
  /** The directory held no storage: this one begins empty, under a new identity. */
  readonly isNew: boolean
  readonly wasClean: boolean
  /** Not empty: something that was synced is lost. Files are kept until `quarantineDone`. */
  readonly damaged: readonly Damage[]
  /** Of a last batch that was being written at the crash and never acknowledged; cut off. */
  readonly tornBytes: number
  readonly keys: number
  readonly hints: number
  readonly elapsedMs: number
}

/** Of a small disk the log may take this part before checkpoints shorten it, whatever `checkpointBytesMin` says. */
const LOG_SHARE_MAX = 1 / 16

export class Storage {
  /** UUID: another one after a wipe, the same on a copied disk. */
  readonly identity: string
  readonly recovery: RecoveryReport
  readonly #options: StorageOptions
  readonly #state: StorageState
  readonly #listeners: ((error: Error) => void)[] = []
  /** Both null in memory only. */
  #log: Log | null = null
  #checkpoints: Checkpoints | null = null
  #memoryLsn: Lsn = 0
  #closing: Promise<void> | null = null
  readonly #room: Room

  private constructor(
    options: StorageOptions,
    identity: string,
    state: StorageState,
    recovery: RecoveryReport,
    memory: MemoryBudget,
    disk: DiskBudget | null,
  ) {
    this.#options = options
    this.#room = new Room({
      ...{ clock: options.clock, logger: options.logger, memory, disk },
      isExhausted: () => state.memtable.isExhausted,
      log: () => this.#log ?? NO_LOG,
      isStarved: () => this.#checkpoints?.starved === true,
      // What is stale may be cleared away although nothing is written.
      onLooked: () => this.#checkpoints?.consider(),
    })
    this.identity = identity
    this.#state = state
    this.recovery = recovery
    const logged = (encode: (sink: EntrySink) => void): Lsn => {
      const sink = this.#sink()
      if (sink) encode(sink)
      return this.#added()
    }
    const nextLsn = (): Lsn => this.lastLsn + 1
    state.hints.attach({
      get nextLsn() {
        return nextLsn()
      },
      hint: (hint) => logged((sink) => encodeHintEntry(sink, hint)),
      hintRemoved: (target, address) => logged((sink) => encodeHintRemovedEntry(sink, target, address)),
      hintsDropped: (target) => logged((sink) => encodeHintsDroppedEntry(sink, target)),
    })
  }

  /** Recovers what is there. Rejects with `storage-failed`, `storage-full` or `config`; damage is no failure, it is reported. */
  static async open(options: StorageOptions): Promise<Storage> {
    const { clock, random, logger } = options
    const from = clock.monotonic()
    const newState = (): StorageState =>
      new StorageState(new HintStore(options.hintBytesMax, () => clock.now()), options.deadBytesMin)
    if (options.disk === null) {
      const nothing = { isNew: true, wasClean: true, damaged: [], tornBytes: 0, keys: 0, hints: 0, elapsedMs: 0 }
      const state = newState()
      const inMemory = new Storage(
        options,
        newKeys(random).identity,
        state,
        nothing,
        memoryBudget(options, state),
        null,
      )
      inMemory.#room.begin()
      return inMemory
    }
    const disk = new MeteredDisk(options.disk)
    const recovered = await recover({ disk, clock, random, logger, newState })
    const { state, keys, isNew, wasClean, damaged, tornBytes } = recovered
    const report = {
      isNew,
      wasClean,
      damaged,
      tornBytes,
      keys: state.memtable.totalKeys,
      hints: state.hints.count,
      elapsedMs: clock.monotonic() - from,
    }
    const budget: DiskBudget = new DiskBudget({
      ...{ disk, clock, bytesMax: options.diskBytesMax ?? null },
      rangeBytes: () => storage.#checkpoints?.rangeBytes ?? 0,
      pendingBytes: () => storage.#pendingBytes,
    })
    const memory = memoryBudget(options, state)
    const storage: Storage = new Storage(options, keys.identity, state, report, memory, budget)
    try {
      await disk.measureRest()
      storage.#log = await Log.start({
        disk,
        clock,
        keys,
        segmentBytes: () => storage.#checkpoints?.segmentBytes ?? options.segmentBytesMax,
        start: recovered.start,
        repeat: recovered.repeat,
        onSynced: (bytes) => {
          storage.#checkpoints?.synced(bytes)
          storage.#room.look()
        },
        onFailed: (error) => storage.#failed(error),
        onOutOfRoom: () => storage.#room.look(),
      })
    } catch (error) {
      throw asStorageError(error)
    }
    await budget.ask()
    storage.#checkpoints = new Checkpoints({
      disk,
      clock,
      keys,
      state,
      logger,
      log: storage.#log,
      files: recovered.files,
      damagedFiles: recovered.toSetAside,
      segmentBytesMax: options.segmentBytesMax,
      checkpointBytesMin: Math.min(options.checkpointBytesMin, budget.size * LOG_SHARE_MAX),
      isShortOfRoom: () => budget.isFullAt(clock.monotonic()),
      onRoom: () => storage.#room.look(),
    })
    storage.#checkpoints.consider()
    storage.#room.begin()
    return storage
  }

  get durable(): boolean {
    return this.#options.disk !== null
  }

  get memtable(): Memtable {
    return this.#state.memtable
  }

  get hints(): HintStore {
    return this.#state.hints
  }

  /** The live clock (empty for an unknown partition), never to be changed by the caller; another object after `replaceClock`. */
  clockOf(partition: PartitionId): DotSet {
    return this.#state.clockOf(partition)
  }

  /** With a clock or records, ascending. */
  partitions(): PartitionId[] {
    return this.#state.partitions()
  }

  /** After damage: the clock by which the past of a record is told that was last written with this change: `clock`, that of now, or less. */
  clockFor(partition: PartitionId, lsn: Lsn, clock: DotSet): DotSet {
    return this.#state.clockFor(partition, lsn, clock)
  }

  /**
   * Stores a record (null: removes it) and adds `received` to the partition's clock, as one change. The record's bytes belong to the
   * storage from now on. Throws `storage-failed`, `closed` or `storage-full` (no more can be addressed), and then nothing has changed.
   */
  putRecord(
    partition: PartitionId,
    bucket: string,
    key: string,
    record: Buffer | Split | null,
    received: readonly Dot[],
  ): Lsn {
    if (record !== null && this.#state.memtable.isExhausted)
      throw new QuorateError('storage-full', 'memory has no more addresses')
    checkDots(received)
    const sink = this.#sink()
    // Memory first: it may have to be allocated, and what could not be is not in the log either.
    const kept = this.#state.putRecord(partition, bucket, key, record, received, this.lastLsn + 1)
    // The log refers to what is large until it is written, and in memory that alone does not change.
    if (sink) encodeRecordEntry(sink, partition, bucket, key, kept, received)
    return this.#added()
  }

  joinClock(partition: PartitionId, clock: DotSet): Lsn {
    const sink = this.#sink()
    if (sink) encodeClockEntry(sink, partition, clock, false)
    const lsn = this.#added()
    this.#state.joinClock(partition, clock)
    return lsn
  }

  /** Only after damage: otherwise clocks never shrink. */
  replaceClock(partition: PartitionId, clock: DotSet): Lsn {
    const sink = this.#sink()
    if (sink) encodeClockEntry(sink, partition, clock, true)
    const lsn = this.#added()
    this.#state.replaceClock(partition, clock)
    return lsn
  }

  /** The next change is the first of a batch. Damage takes batches as a whole: what must be read together belongs in one. */
  get beginsBatch(): boolean {
    return this.#log?.beginsBatch ?? false
  }

  catalog(name: string): Uint8Array | undefined {
    return this.#state.catalog.get(name)
  }

  /** In order. */
  catalogNames(prefix: string): string[] {
    return [...this.#state.catalog.keys()].filter((name) => name.startsWith(prefix)).sort()
  }

  /** Small durable facts: members, settings, marks. Null removes. */
  setCatalog(name: string, bytes: Uint8Array | null): Lsn {
    const kept = bytes && Buffer.from(bytes)
    const sink = this.#sink()
    if (sink) encodeCatalogEntry(sink, name, kept)
    const lsn = this.#added()
    this.#state.setCatalog(name, kept)
    return lsn
  }

  get lastLsn(): Lsn {
    return this.#log ? this.#log.lastLsn : this.#memoryLsn
  }

  get syncedLsn(): Lsn {
    return this.#log ? this.#log.syncedLsn : this.#memoryLsn
  }

  /** What `synced` would resolve for at once: to be asked where a promise for each change costs too much. */
  isSynced(lsn: Lsn): boolean {
    return this.#log === null || (this.#log.failed === null && lsn <= this.#log.syncedLsn)
  }

  /** Resolves when the change is durable. Once a write or sync has failed: rejects with `storage-failed`, for ever. */
  synced(lsn: Lsn): Promise<void> {
    return this.#log ? this.#log.synced(lsn) : Promise.resolve()
  }

  /** Runs once, when a write or sync has failed (at once, when it has already): the node must stop serving. */
  onFailed(listener: (error: Error) => void): void {
    if (this.#log?.failed) listener(this.#log.failed)
    else this.#listeners.push(listener)
  }

  /** No room for more data: a budget is used up, or the disk has no room or does not keep up. */
  get isFull(): boolean {
    return this.#room.look()
  }

  /** What there is room in, and how much. */
  get room(): RoomFigures {
    return this.#room.figures
  }

  get #pendingBytes(): number {
    return this.#log?.pendingBytes ?? 0
  }

  get stats(): StorageStats {
    return statsOf(this.#state, this.#log, this.#checkpoints)
  }

  /**
   * What damage touched is rebuilt or marked as filling: writes checkpoints that take the place of all older files, then sets the
   * damaged ones aside as `quarantine-*`. Until then every start reports the damage again.
   */
  async quarantineDone(): Promise<void> {
    await this.#checkpoints?.settleDamage()
    this.#state.forgetLosses()
  }

  /** Syncs everything and marks the log as closed. A storage that has failed is only let go. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#room.stop()
    await this.#checkpoints?.stop()
    if (this.#log && !this.#log.failed) await this.#log.close()
  }

  /** Where to encode the next entry; null in memory only. */
  #sink(): EntrySink | null {
    if (this.#log) return this.#log.sink
    if (this.#closing) throw new QuorateError('closed', 'the storage is closed')
    return null
  }

  #added(): Lsn {
    return this.#log ? this.#log.added() : ++this.#memoryLsn
  }

  #failed(error: QuorateError): void {
    this.#checkpoints?.failed()
    this.#options.logger.error({ err: error }, 'the storage failed and stops')
    for (const listener of this.#listeners.splice(0)) listener(error)
  }
}

const NO_LOG = { pendingBytes: 0, isOutOfRoom: false }

function memoryBudget(options: StorageOptions, { memtable, hints }: StorageState): MemoryBudget {
  const { bytesMax, clock, logger, processMemory = null, collectGarbage = null } = options
  // Of all that is resident what is not the memtable's is overhead, hints among it. Without that figure what is live must do.
  const dataBytes = processMemory ? (): number => memtable.memoryBytes : (): number => memtable.totalBytes + hints.bytes
  const budget = new MemoryBudget({ bytesMax, dataBytes, processMemory, collect: collectGarbage })
  budget.isFullAt(clock.monotonic())
  if (budget.isTooSmall)
    logger.warn(
      { ...budget.figures, dataBytesMax: budget.floorBytes },
      'the budget for memory is too small for the process itself: data may have a little all the same, beyond the budget',
    )
  return budget
}

function asStorageError(error: unknown): QuorateError {
  if (error instanceof QuorateError) return error
  const full = error instanceof Error && 'code' in error && error.code === 'ENOSPC'
  const why = error instanceof Error ? error.message : String(error)
  const what = full ? 'the disk is full, free space and start again' : 'the log can not be opened'
  return new QuorateError(full ? 'storage-full' : 'storage-failed', `${what}: ${why}`, { cause: error })
}
