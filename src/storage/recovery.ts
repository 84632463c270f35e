// Reads a directory back into a state: the checkpoint, then the log after it. Decides which files count, what is a torn tail (cut off)
// and what is damage (reported, kept). Knows nothing of what entries mean.
// Invariant: what is missing before the log's end is never taken for its end, and no file goes that might still tell something.

import { QuorateError } from '../errors.ts'
import type { Disk, DiskFile } from '../ports/disk.ts'
import type { Random } from '../ports/random.ts'
import type { Logger } from '../telemetry/log.ts'
import { readCheckpoint } from './checkpoint-reader.ts'
import type { Lsn } from './entries.ts'
import {
  checkpointName,
  type FileHeader,
  HEADER_BYTES,
  MANIFEST,
  newKeys,
  numberOf,
  readHeader,
  segmentName,
  type StorageKeys,
  TEMPORARY,
} from './file-header.ts'
import { saltChecksum, sealFrame } from './frames.ts'
import { LogReader, type SegmentEnd } from './log-reader.ts'
import { readManifest } from './manifest.ts'
import type { LogStart } from './segments.ts'
import type { StorageState } from './storage-state.ts'

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
  readonly tornBytes: number
  readonly start: LogStart
  /** The last batch, to be written again (see `LogOptions.repeat`). */
  readonly repeat: Uint8Array | null
  /** Segments and checkpoints that are there, useful or not. */
  readonly files: readonly StoredFile[]
}

export interface StoredFile {
  readonly kind: 'segment' | 'checkpoint'
  readonly name: string
  /** The number in its name. */
  readonly number: number
  readonly header: FileHeader | null
  /** The number in its header or, when that is damaged, in its name. */
  readonly segment: number
  readonly bytes: number
}

export interface RecoveryWork {
  readonly disk: Disk
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

/** What the log is read over: a state, and the log's place that it stands for. */
interface Base {
  readonly state: StorageState
  /** Earlier segments are in it already. */
  readonly segment: number
  /** The batch that follows; 0: unknown, because the checkpoint's header is damaged (and reported). */
  readonly batch: number
  readonly lsn: Lsn
}

class Recovery {
  readonly #disk: Disk
  readonly #work: RecoveryWork
  readonly #damaged: Damage[] = []
  #tornBytes = 0

  constructor(work: RecoveryWork) {
    this.#work = work
    this.#disk = work.disk
  }

  async run(): Promise<Recovered> {
    const names = await this.#removeLeftovers(await this.#disk.list())
    const manifest = names.includes(MANIFEST) ? await readManifest(this.#disk) : null
    let files: StoredFile[] = []
    for (const name of names) {
      for (const kind of ['segment', 'checkpoint'] as const) {
        const number = numberOf(kind, name)
        if (number !== null) files.push(await this.#inspect(kind, name, number))
      }
    }
    const known = manifest ?? files.find((file) => file.header !== null)?.header ?? null
    const keys = known ? { identity: known.identity, salt: known.salt } : newKeys(this.#work.random)
    const newest = Math.max(0, manifest?.segment ?? 0, ...files.flatMap((file) => [file.segment, file.number]))
    const mine = (kind: StoredFile['kind'], from: number): StoredFile[] => {
      const candidates = files.filter((file) => file.kind === kind && file.segment >= from)
      return this.#ownOnly(candidates, keys).sort((a, b) => a.segment - b.segment)
    }
    const base = await this.#loadCheckpoint(mine('checkpoint', 0).reverse(), keys)
    const log = new LogReader(this.#disk, saltChecksum(keys), base, this.#damage)
    await this.#readSegments(mine('segment', base.segment), log, manifest)

    const damaged = this.#damaged.length > 0
    const wasClean = log.wasClosed && !damaged && manifest?.batch === log.expected - 1
    if (!damaged) files = await this.#removeOutdated(files, base.segment)
    const { last } = log
    const repeat = wasClean || !last ? null : sealFrame('batch', saltChecksum(keys), last, [last.body])
    base.state.hints.sort()
    return {
      keys,
      state: base.state,
      isNew: known === null,
      wasClean,
      damaged: this.#damaged,
      tornBytes: this.#tornBytes,
      // A scar: the missing sequence tells every later recovery of the damage until a checkpoint has taken the log's place.
      start: { segment: newest + 1, batch: log.expected + (damaged ? 1 : 0), lsn: log.lsn },
      repeat: repeat && Buffer.concat(repeat),
      files,
    }
  }

  readonly #damage = (file: string, offset: number, bytes: number, what: string): void => {
    this.#damaged.push({ file, offset, bytes, what })
    this.#work.logger.error({ file, offset, bytes, what }, 'damage in the data directory')
  }

  async #removeLeftovers(names: readonly string[]): Promise<string[]> {
    for (const name of names) if (name.endsWith(TEMPORARY)) await this.#disk.remove(name)
    return names.filter((name) => !name.endsWith(TEMPORARY))
  }

  async #inspect(kind: 'segment' | 'checkpoint', name: string, number: number): Promise<StoredFile> {
    const { header, bytes } = await readHeader(this.#disk, kind, name)
    return { kind, name, number, header, segment: header?.segment ?? number, bytes }
  }

  /** Reports files of other storages and wrong names; the former are left out, the latter stay at the place that they name. */
  #ownOnly(files: readonly StoredFile[], keys: StorageKeys): StoredFile[] {
    const seen = new Set<number>()
    return files.filter((file) => {
      if (file.header === null) return true
      const own = file.header.identity === keys.identity && file.header.salt === keys.salt
      const name = file.header.kind === 'segment' ? segmentName(file.segment) : checkpointName(file.segment)
      if (!own) this.#damage(file.name, 0, file.bytes, `belongs to storage ${file.header.identity}`)
      else if (file.name !== name) this.#damage(file.name, 0, file.bytes, `is a copy of ${name}, or was renamed`)
      const repeated = seen.has(file.segment)
      seen.add(file.segment)
      return own && !(repeated && file.name !== name)
    })
  }

  /** The newest intact one; when none is, what can be saved of the oldest, which the log reaches furthest back behind. */
  async #loadCheckpoint(files: readonly StoredFile[], keys: StorageKeys): Promise<Base> {
    let base: Base = { state: this.#work.newState(), segment: 0, batch: 1, lsn: 1 }
    for (const { name, header, segment } of files) {
      const state = this.#work.newState()
      const file = await this.#disk.open(name, 'existing')
      try {
        const faults = await readCheckpoint(file, saltChecksum(keys), (entry, lsn) => state.replay(entry, lsn))
        if (header === null) faults.push({ offset: 0, bytes: HEADER_BYTES, what: 'the header is damaged' })
        for (const fault of faults) this.#damage(name, fault.offset, fault.bytes, fault.what)
        base = { state, segment, batch: header?.batch ?? 0, lsn: header?.lsn ?? 1 }
        if (faults.length === 0) break
      } finally {
        await file.close()
      }
    }
    return base
  }

  async #readSegments(files: readonly StoredFile[], log: LogReader, manifest: FileHeader | null): Promise<void> {
    let end: SegmentEnd | null = null
    for (const { name, header } of files) end = await log.read(name, header)

    const last = files.at(-1)
    if (manifest && manifest.segment > (last?.segment ?? 0)) {
      this.#damage(segmentName(manifest.segment), 0, 0, 'the newest segment is missing')
    }
    // The log was closed at this batch; without it the file was cut or its end is damaged.
    if (manifest && manifest.batch >= log.expected) {
      this.#damage(
        last?.name ?? MANIFEST,
        last?.bytes ?? 0,
        0,
        `batches up to ${manifest.batch} are missing at the end`,
      )
    }
    if (!last || !end) return
    if (last.header === null) {
      // Before the manifest named it nothing was written to it but its header.
      const begun = manifest ? manifest.segment >= last.segment : last.bytes > HEADER_BYTES
      if (begun || end.frames > 0 || !end.readable) this.#damage(last.name, 0, HEADER_BYTES, 'the header is damaged')
      else await this.#removeTorn(last)
    } else if (end.gap >= 0 && this.#damaged.every((damage) => damage.file !== last.name)) {
      await this.#cut(last, end.gap)
    }
    for (const { name, header } of files.slice(0, -1)) {
      if (header === null) this.#damage(name, 0, HEADER_BYTES, 'the header is damaged')
    }
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

  /** Left behind when a checkpoint had its name already and a crash came before this. */
  async #removeOutdated(files: readonly StoredFile[], from: number): Promise<StoredFile[]> {
    const outdated = files.filter((file) => file.segment < from)
    for (const { name } of outdated) await this.#disk.remove(name)
    if (outdated.length > 0) await this.#disk.syncDirectory()
    return files.filter((file) => file.segment >= from)
  }
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
