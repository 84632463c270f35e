// Reads a directory back into a state: the checkpoint, then every batch of the log after it. Decides what is a torn tail (cut off)
// and what is damage (reported, kept). Batch sequences are the judge: nothing is lost exactly when they are contiguous.
// Invariant: an intact batch is applied, a broken one never; what is missing before the log's end is never taken for its end.

import { MalformedBytes } from '../core/bytes.ts'
import { QuorateError } from '../errors.ts'
import type { Disk, DiskFile } from '../ports/disk.ts'
import type { Random } from '../ports/random.ts'
import type { Logger } from '../telemetry/log.ts'
import { readCheckpoint } from './checkpoint-reader.ts'
import { decodeEntries, type Entry } from './entries.ts'
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
import { type Frame, FrameReader, saltChecksum, sealFrame } from './frames.ts'
import type { LogStart } from './log.ts'
import { readManifest } from './manifest.ts'
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

class Recovery {
  readonly #disk: Disk
  readonly #work: RecoveryWork
  readonly #damaged: Damage[] = []
  #state: StorageState
  #tornBytes = 0
  /** The sequence that the next batch must have. */
  #expected = 1
  #lsn = 1
  #wasClean = false
  #last: Frame | null = null
  /** Bytes since the last intact batch, perhaps in an earlier segment: where a missing batch was. */
  #gap: { readonly name: string; readonly offset: number; readonly bytes: number } | null = null

  constructor(work: RecoveryWork) {
    this.#work = work
    this.#disk = work.disk
    this.#state = work.newState()
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
    const checkpoint = await this.#loadCheckpoint(mine('checkpoint', 0).reverse(), keys)
    const from = checkpoint?.segment ?? 0
    await this.#readSegments(mine('segment', from), keys, manifest)

    const damaged = this.#damaged.length > 0
    this.#wasClean &&= !damaged && manifest?.batch === this.#expected - 1
    if (!damaged) files = await this.#removeOutdated(files, from)
    const last = this.#last
    const repeat = this.#wasClean || !last ? null : sealFrame('batch', saltChecksum(keys), last, [last.body])
    this.#state.hints.sort()
    return {
      keys,
      state: this.#state,
      isNew: known === null,
      wasClean: this.#wasClean,
      damaged: this.#damaged,
      tornBytes: this.#tornBytes,
      // A scar: the missing sequence tells every later recovery of the damage until a checkpoint has taken the log's place.
      start: { segment: newest + 1, batch: this.#expected + (damaged ? 1 : 0), lsn: this.#lsn },
      repeat: repeat && Buffer.concat(repeat),
      files,
    }
  }

  #damage(file: string, offset: number, bytes: number, what: string): void {
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
  async #loadCheckpoint(files: readonly StoredFile[], keys: StorageKeys): Promise<StoredFile | null> {
    let loaded: StoredFile | null = null
    for (const candidate of files) {
      const { name, header } = candidate
      this.#state = this.#work.newState()
      const state = this.#state
      const file = await this.#disk.open(name, 'existing')
      try {
        const faults = await readCheckpoint(file, saltChecksum(keys), (entry, lsn) => state.replay(entry, lsn))
        if (header === null) faults.push({ offset: 0, bytes: HEADER_BYTES, what: 'the header is damaged' })
        for (const fault of faults) this.#damage(name, fault.offset, fault.bytes, fault.what)
        this.#expected = header?.batch ?? 0
        this.#lsn = header?.lsn ?? 1
        loaded = candidate
        if (faults.length === 0) break
      } finally {
        await file.close()
      }
    }
    return loaded
  }

  async #readSegments(files: readonly StoredFile[], keys: StorageKeys, manifest: FileHeader | null): Promise<void> {
    const ends: {
      readonly segment: StoredFile
      readonly gap: number
      readonly readable: boolean
      readonly frames: number
    }[] = []
    for (const segment of files) ends.push(await this.#readSegment(segment, keys))

    const newest = files.at(-1)?.segment ?? 0
    if (manifest && manifest.segment > newest) {
      this.#damage(segmentName(manifest.segment), 0, 0, 'the newest segment is missing')
    }
    // The log was closed at this batch; without it the file was cut or its end is damaged.
    if (manifest && manifest.batch >= this.#expected) {
      const last = files.at(-1)
      this.#damage(
        last?.name ?? MANIFEST,
        last?.bytes ?? 0,
        0,
        `batches up to ${manifest.batch} are missing at the end`,
      )
    }
    const end = ends.at(-1)
    if (!end) return
    const { segment } = end
    if (segment.header === null) {
      // Before the manifest named it nothing was written to it but its header.
      const begun = manifest ? manifest.segment >= segment.segment : segment.bytes > HEADER_BYTES
      if (begun || end.frames > 0 || !end.readable) this.#damage(segment.name, 0, HEADER_BYTES, 'the header is damaged')
      else await this.#removeTorn(segment)
    } else if (end.gap >= 0 && this.#damaged.every((damage) => damage.file !== segment.name)) {
      await this.#cut(segment, end.gap)
    }
    for (const {
      segment: { name, header },
    } of ends.slice(0, -1)) {
      if (header === null) this.#damage(name, 0, HEADER_BYTES, 'the header is damaged')
    }
  }

  /** Applies what is intact. `gap`: where the unreadable end begins, or −1. */
  async #readSegment(
    segment: StoredFile,
    keys: StorageKeys,
  ): Promise<{ segment: StoredFile; gap: number; readable: boolean; frames: number }> {
    const { name, header } = segment
    const file = await this.#disk.open(name, 'existing')
    const reader = new FrameReader(file, 'batch', saltChecksum(keys))
    let gap = -1
    let frames = 0
    let reached = header === null
    let disordered = false
    // The header says with which batch the segment begins; only a repetition of an earlier one may stand before that.
    const reach = (): void => {
      if (reached || header === null) return
      reached = true
      this.#skipTo({ name, offset: HEADER_BYTES, bytes: 0 }, header.batch)
    }
    try {
      for await (const part of reader.read(HEADER_BYTES)) {
        if ('gap' in part) {
          gap = part.gap.offset
          this.#gap ??= { name, ...part.gap }
          this.#wasClean = false
          continue
        }
        const { frame } = part
        const first = frames++ === 0
        if (!first || header === null || frame.sequence >= header.batch) reach()
        if (frame.sequence < this.#expected) {
          const repeated = first && (header === null || frame.sequence < header.batch)
          if (!repeated && !disordered) {
            disordered = true
            this.#damage(name, frame.offset, frame.bytes, `batch ${frame.sequence} is out of order`)
          }
        } else {
          this.#skipTo({ name, offset: frame.offset, bytes: 0 }, frame.sequence)
          this.#apply(name, frame)
        }
        gap = -1
      }
      reach()
    } finally {
      await file.close()
    }
    for (const part of reader.unreadable) this.#damage(name, part.offset, part.bytes, `unreadable: ${part.why}`)
    return { segment, gap, readable: reader.unreadable.length === 0, frames }
  }

  #skipTo(at: { readonly name: string; readonly offset: number; readonly bytes: number }, sequence: number): void {
    // 0: unknown, because the checkpoint's header is damaged (and reported).
    if (this.#expected > 0 && sequence > this.#expected) {
      const { name, offset, bytes } = this.#gap ?? at
      this.#damage(name, offset, bytes, `batches ${this.#expected} to ${sequence - 1} are missing`)
    }
    if (sequence > this.#expected) this.#expected = sequence
  }

  #apply(name: string, frame: Frame): void {
    let entries: readonly Entry[] = []
    try {
      entries = decodeEntries(frame.body, frame.count)
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error
      this.#damage(name, frame.offset, frame.bytes, `an intact batch holds what is not understood: ${error.message}`)
    }
    entries.forEach((entry, i) => this.#state.replay(entry, frame.firstLsn + i))
    this.#wasClean = entries.at(-1)?.type === 'clean-shutdown'
    this.#expected = frame.sequence + 1
    this.#lsn = Math.max(this.#lsn, frame.firstLsn + frame.count)
    this.#last = frame
    this.#gap = null
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
