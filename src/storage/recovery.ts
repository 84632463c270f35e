// Reads a directory back into a state: the checkpoints, then the log after them. Decides which files count, what is a torn tail (cut off)
// and what is damage (reported, kept). Knows nothing of what entries mean.
// Invariant: what is missing before the log's end is never taken for its end, and no file goes that might still tell something.

import { QuorateError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Disk, DiskFile } from '../ports/disk.ts'
import type { Random } from '../ports/random.ts'
import type { Logger } from '../telemetry/log.ts'
import { type Loaded, loadCheckpoints, Uncontained } from './checkpoint-loader.ts'
import { type FileHeader, HEADER_BYTES, MANIFEST, newKeys, segmentName, type StorageKeys } from './file-header.ts'
import { saltChecksum, sealFrame } from './frames.ts'
import {
  highestOf,
  isForeign,
  letGo,
  markDamaged,
  ownOnly,
  placesOf,
  type StoredFile,
  takeInventory,
  type TellDamage,
} from './inventory.ts'
import type { Lsn } from './entries.ts'
import { isUnbegun, LogReader } from './log-reader.ts'
import { RecoveryProgress } from './recovery-progress.ts'
import type { LogStart } from './segments.ts'
import type { StorageState } from './storage-state.ts'
import { firstNeeded } from './units.ts'

/** How far the numbers of changes leap after damage. */
const LEAP = 1 << 20

export interface Damage {
  readonly file: string
  readonly offset: number
  readonly bytes: number
  readonly what: string
}

export interface Recovered {
  readonly keys: StorageKeys
  readonly state: StorageState
  readonly isNew: boolean
  readonly wasClean: boolean
  readonly damaged: readonly Damage[]
  /** Files that are damaged, or were at an earlier start, if anything is to be settled. */
  readonly toSetAside: ReadonlySet<string>
  readonly tornBytes: number
  readonly start: LogStart
  /** The last batch, to be written again (see `LogOptions.repeat`). */
  readonly repeat: Uint8Array | null
  /** Segments and checkpoints that are there, useful or not. */
  readonly files: readonly StoredFile[]
}

export interface RecoveryWork {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly newState: () => StorageState
}

/** Rejects with `storage-failed` when the directory can't be used at all, `config` when a later version wrote it. */
export async function recover(work: RecoveryWork): Promise<Recovered> {
  try {
    return await new Recovery(work).run()
  } catch (error) {
    if (error instanceof QuorateError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new QuorateError('storage-failed', `the data directory can not be read: ${why}`, { cause: error })
  }
}

class Recovery {
  readonly #disk: Disk
  readonly #work: RecoveryWork
  readonly #damaged: Damage[] = []
  readonly #progress: RecoveryProgress
  #tornBytes = 0

  constructor(work: RecoveryWork) {
    this.#work = work
    this.#disk = work.disk
    this.#progress = new RecoveryProgress(work.clock, work.logger)
  }

  async run(): Promise<Recovered> {
    const { manifest, keys: known, files, marked } = await takeInventory(this.#disk, this.#damage)
    const keys = known ?? newKeys(this.#work.random)
    const mine = (kind: StoredFile['kind'], from: number): StoredFile[] => {
      const own = ownOnly(
        // What is another storage's is told wherever it stands: it must not go with what is outdated of this one.
        files.filter((file) => file.kind === kind && (file.number >= from || isForeign(file.header, keys))),
        keys,
        this.#damage,
      )
      return own.sort((a, b) => a.number - b.number)
    }
    this.#progress.bytesTotal = files.reduce((sum, { bytes }) => sum + bytes, 0)
    const unbegun = await this.#findUnbegun(files, keys, manifest)
    // It goes, so nothing may go for its sake: were it the first that is needed, the one that the manifest names would seem outdated.
    const places = placesOf(
      files.filter((file) => file !== unbegun),
      keys,
    )
    const loaded = await loadCheckpoints({
      disk: this.#disk,
      saltCrc: saltChecksum(keys),
      files: mine('checkpoint', 0),
      logFrom: Math.min(...places.map(({ batch }) => batch)),
      newState: this.#work.newState,
      damage: this.#damage,
      progress: (bytes, state) => this.#progress.read(bytes, state),
    })
    const { state } = loaded
    const from = loaded.isWhole ? firstNeeded(places, loaded.batch) : 0
    const log = await this.#readLog(mine('segment', from), unbegun, loaded, keys, manifest)

    const damaged = this.#damaged.length > 0
    const wasClean = log.wasClosed && !damaged && manifest?.batch === log.expected - 1
    const toSetAside = new Set(damaged ? [...this.#damaged.map(({ file }) => file), ...marked] : [])
    if (damaged) await markDamaged(this.#disk, toSetAside)
    // Even an intact one: where its sync failed it is in the page cache only, and after the next power cut it would look damaged.
    const removed = unbegun && (unbegun.header === null || !damaged) ? unbegun : null
    if (removed) await this.#removeTorn(removed)
    // Left behind when a checkpoint had its name already and a crash came before this.
    const outdated = damaged ? [] : files.filter((file) => isOutdated(file, from, loaded))
    const outdatedNames = outdated.map(({ name }) => name)
    if (!damaged && outdated.length + marked.size > 0) await letGo(this.#disk, outdatedNames, marked)
    const { last } = log
    const repeat = wasClean || !last ? null : sealFrame('batch', saltChecksum(keys), last, [last.body])
    state.hints.sort()
    const newest = Math.max(manifest?.number ?? 0, highestOf(files, 'segment'))
    return {
      keys,
      state,
      isNew: known === null,
      wasClean,
      damaged: this.#damaged,
      toSetAside,
      tornBytes: this.#tornBytes,
      start: {
        segment: newest + 1,
        // A scar: the missing sequence tells every later recovery of the damage until checkpoints have taken the log's place.
        batch: damaged ? Math.max(log.expected, loaded.reaches.batch) + 1 : log.expected,
        // No file that could not be read this time may seem to contain what is written from now on.
        lsn: damaged ? Math.max(log.lsn, loaded.reaches.lsn) + LEAP : log.lsn,
      },
      repeat: repeat && Buffer.concat(repeat),
      files: files.filter((file) => file !== removed && !outdated.includes(file)),
    }
  }

  /** The last segment, if the manifest does not name it: then nothing was written to it but its header, and a batch from before. */
  async #findUnbegun(
    files: readonly StoredFile[],
    keys: StorageKeys,
    manifest: FileHeader | null,
  ): Promise<StoredFile | null> {
    const own = files.filter(({ kind, header }) => kind === 'segment' && !isForeign(header, keys))
    const last = own.sort((a, b) => a.number - b.number).at(-1)
    if (!last || (manifest ? manifest.number >= last.number : last.bytes > HEADER_BYTES)) return null
    // A manifest that was set back does not name what was begun all the same.
    return (await isUnbegun(this.#disk, saltChecksum(keys), last.name, last.header)) ? last : null
  }

  async #readLog(
    files: readonly StoredFile[],
    unbegun: StoredFile | null,
    loaded: Loaded,
    keys: StorageKeys,
    manifest: FileHeader | null,
  ): Promise<LogReader> {
    const { state, layers, batch, isWhole } = loaded
    const segments = files.filter((file) => file !== unbegun)
    // A segment may begin before the first batch that is needed; from there on it must be whole.
    const first = segments[0]?.header?.batch ?? (isWhole ? batch : 0)
    const lsns = layers.map(({ by }) => by.lsn)
    const start = {
      ...{ batch: Math.min(batch, first), lsn: Math.max(...lsns), applied: Math.min(...lsns) },
      // Records of an older checkpoint may stand beside what is intact of a damaged one, and the log does not reach back to them.
      isLoose: !isWhole,
    }
    const target = new Uncontained(state, layers)
    // What a checkpoint holds from beyond the loss is in its clocks, but not in a record that the log has set back since.
    const lost = (from: Lsn, to: Lsn): void =>
      state.noteLoss(to - 1, (partition) => loaded.throughOf(partition) < Math.max(from, loaded.lsnOf(partition)))
    const log = new LogReader(this.#disk, saltChecksum(keys), start, target, this.#damage, lost)
    const gap = await this.#readSegments(segments, log, state)
    if (unbegun) await this.#readUnbegun(unbegun, log, state)
    const damages = this.#damaged.length
    await this.#judgeEnd(segments, log, manifest, gap, loaded.reaches)
    if (this.#damaged.length > damages || log.isLoose) lost(log.applied, Infinity)
    return log
  }

  readonly #damage: TellDamage = (file, offset, bytes, what) => {
    this.#damaged.push({ file, offset, bytes, what })
    this.#work.logger.error({ file, offset, bytes, what }, 'damage in the data directory')
  }

  /** Resolves with where the last one's end without an intact batch begins, or −1. */
  async #readSegments(files: readonly StoredFile[], log: LogReader, state: StorageState): Promise<number> {
    let gap = -1
    for (const { name, header, bytes } of files) {
      gap = await log.read(name, header)
      this.#progress.read(bytes, state)
    }
    return gap
  }

  /**
   * A batch that it repeats may be the only copy. But it was written again because nobody knew whether it was durable: where it is lost in
   * both, it is a torn tail. What came before it was synced; where nothing is repeated, all that came before the segment.
   */
  async #readUnbegun({ name, header, bytes }: StoredFile, log: LogReader, state: StorageState): Promise<void> {
    await log.read(name, header, header ? header.batch - Number(header.repeats) : 0)
    this.#progress.read(bytes, state)
  }

  /** `files`: the segments that count. */
  async #judgeEnd(
    files: readonly StoredFile[],
    log: LogReader,
    manifest: FileHeader | null,
    gap: number,
    reaches: Loaded['reaches'],
  ): Promise<void> {
    const last = files.at(-1)
    if (manifest && manifest.number > (last?.number ?? 0)) {
      this.#damage(segmentName(manifest.number), 0, 0, 'the newest segment is missing')
    }
    // The log was closed at this batch; without it the file was cut or its end is damaged.
    const closedAt = manifest?.batch ?? 0
    if (closedAt >= log.expected) this.#endMissing(last, `batches up to ${closedAt}`)
    else if (reaches.batch > log.expected) this.#endMissing(last, `batches up to ${reaches.batch - 1}`)
    else if (reaches.lsn > log.lsn) this.#endMissing(last, `changes up to ${reaches.lsn - 1}`)
    for (const { name, header } of files) {
      if (header === null) this.#damage(name, 0, HEADER_BYTES, 'the header is damaged')
    }
    if (last && gap >= 0 && this.#damaged.every((damage) => damage.file !== last.name)) await this.#cut(last, gap)
  }

  #endMissing(last: StoredFile | undefined, what: string): void {
    this.#damage(last?.name ?? MANIFEST, last?.bytes ?? 0, 0, `${what} are missing at the end`)
  }

  async #cut(segment: StoredFile, offset: number): Promise<void> {
    const file = await this.#disk.open(segment.name, 'existing')
    const bytes = (await endOfContent(file, offset)) - offset
    await file.truncate(offset)
    await file.sync()
    await file.close()
    // Only the room that was made ahead of the log.
    if (bytes === 0) return
    this.#tornBytes += bytes
    this.#work.logger.warn({ file: segment.name, offset, bytes }, 'cut off an incomplete last batch')
  }

  async #removeTorn(segment: StoredFile): Promise<void> {
    await this.#disk.remove(segment.name)
    await this.#disk.syncDirectory()
    this.#tornBytes += segment.bytes
    this.#work.logger.warn({ file: segment.name, bytes: segment.bytes }, 'removed a segment that was never begun')
  }
}

function isOutdated(file: StoredFile, firstSegment: number, { inForce }: Loaded): boolean {
  return file.kind === 'segment' ? file.number < firstSegment : !inForce.has(file.name)
}

/** Behind the last byte from `offset` on that is not zero. */
async function endOfContent(file: DiskFile, offset: number): Promise<number> {
  const STEP = 1 << 20
  let end = offset
  for (let at = offset; at < file.size; at += STEP) {
    // What can't be read is cut off too, and counts as content.
    const bytes = await file.read(at, STEP).catch(() => null)
    const last = bytes === null ? STEP - 1 : bytes.findLastIndex((byte) => byte !== 0)
    if (last >= 0) end = Math.min(at + last + 1, file.size)
  }
  return end
}
