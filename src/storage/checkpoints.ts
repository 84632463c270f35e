// Decides when a checkpoint is due, takes one at a time, and removes what it replaces. Knows nothing of what is in it.
// Invariant: no checkpoint is taken while damage is not settled (it would hide the loss), and no file goes before the checkpoint that
// replaces it is durable under its name.

import { QuorateError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Disk } from '../ports/disk.ts'
import type { Logger } from '../telemetry/log.ts'
import { writeCheckpoint } from './checkpoint.ts'
import { checkpointName, QUARANTINE, segmentName, type StorageKeys } from './file-header.ts'
import type { Log } from './log.ts'
import type { StoredFile } from './recovery.ts'
import type { StorageState } from './storage-state.ts'

/** Every start begins a segment; so many more than the log's size explains are cleared away by a checkpoint. */
const SPARE_SEGMENTS_MAX = 64

/** Without room for a checkpoint it is tried again after the first, then after twice as long, up to the second. Milliseconds. */
const STARVED_RETRY_MS = { least: 1000, most: 30_000 }

interface OldFile extends Pick<StoredFile, 'kind' | 'name' | 'segment' | 'bytes'> {}

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
  /** Called when `starved` may have changed. */
  readonly onRoom: () => void
}

export class Checkpoints {
  readonly #options: CheckpointsOptions
  #old: readonly OldFile[]
  #damagedFiles: ReadonlySet<string>
  #running: Promise<void> | null = null
  #stopping = false
  #starved = false
  #retryBytes = 0
  #retryMs = STARVED_RETRY_MS.least
  #published = 0

  constructor(options: CheckpointsOptions) {
    this.#options = options
    this.#old = options.files
    this.#damagedFiles = options.damagedFiles
  }

  get published(): number {
    return this.#published
  }

  /** The disk had no room for the last attempt; the log will need as much before long. */
  get starved(): boolean {
    return this.#starved
  }

  /** Of the current checkpoint. */
  get bytes(): number {
    return this.#old.findLast((file) => file.kind === 'checkpoint')?.bytes ?? 0
  }

  get logBytes(): number {
    let bytes = 0
    for (const file of this.#old) if (file.kind === 'segment') bytes += file.bytes
    for (const size of this.#options.log.segments.values()) bytes += size
    return bytes
  }

  get segments(): number {
    return this.#old.filter((file) => file.kind === 'segment').length + this.#options.log.segments.size
  }

  /** Called after every sync: begins a checkpoint when the log has outgrown the data. */
  consider(): void {
    if (this.#running || this.#stopping || this.#damagedFiles.size > 0 || this.#options.log.failed) return
    const { state, checkpointBytesMin, segmentBytesMax } = this.#options
    const live = state.memtable.totalBytes + state.hints.bytes
    const logBytes = this.logBytes
    const due = logBytes > Math.max(checkpointBytesMin, live, this.#retryBytes)
    if (!due && this.segments <= SPARE_SEGMENTS_MAX + (2 * logBytes) / segmentBytesMax) return
    this.#begin()
  }

  #begin(): void {
    // Every failure is dealt with where it happens; the promise is kept for whoever has to wait.
    this.#running = this.#take()
      .then(
        () => {},
        () => {},
      )
      .finally(() => {
        this.#running = null
      })
  }

  /** Takes the checkpoint that replaces damaged files. Rejects with `storage-full` or `storage-failed`. */
  async settleDamage(): Promise<void> {
    if (this.#damagedFiles.size === 0) return
    if (this.#running) return this.#running
    const taken = this.#take()
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
    await this.#running
  }

  async #take(): Promise<void> {
    const { disk, keys, state, log, logger } = this.#options
    try {
      const start = await log.rotate()
      const bytes = await writeCheckpoint({
        disk,
        keys,
        state,
        start,
        syncLog: () => log.synced(log.lastLsn),
        abandoned: () => this.#stopping || log.failed !== null,
      })
      if (bytes === null) throw new QuorateError('closed', 'the storage is closing')
      await this.#replace(start.segment)
      this.#old = [{ kind: 'checkpoint', name: checkpointName(start.segment), segment: start.segment, bytes }]
      this.#damagedFiles = new Set()
      this.#starved = false
      this.#retryBytes = 0
      this.#retryMs = STARVED_RETRY_MS.least
      this.#published++
      this.#options.onRoom()
      logger.debug({ segment: start.segment, bytes, keys: state.memtable.totalKeys }, 'wrote a checkpoint')
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

  async #replace(segment: number): Promise<void> {
    const { disk, log } = this.#options
    const own = [...log.segments.keys()].map((number) => ({ name: segmentName(number), segment: number }))
    const outdated = [...this.#old, ...own].filter(
      (file) => file.segment < segment || this.#damagedFiles.has(file.name),
    )
    const names = new Set(await disk.list())
    for (const { name } of outdated) {
      if (!names.has(name)) continue
      if (!this.#damagedFiles.has(name)) await disk.remove(name)
      else await disk.rename(name, freeName(`${QUARANTINE}${name}`, names))
    }
    await disk.syncDirectory()
    log.forgetBelow(segment)
  }
}

/** An earlier one of the same name is kept too. */
function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted
  for (let i = 2; taken.has(name); i++) name = `${wanted}.${i}`
  taken.add(name)
  return name
}
