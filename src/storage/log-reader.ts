// Reads the log's segments back, in order, and hands over their batches. The batches' numbers are the judge: nothing is lost exactly when
// they are contiguous. Knows nothing of manifests, nor which segments there should be.
// Invariant: an intact batch is handed over, a broken one never, and every number that is left out is reported.

import { MalformedBytes } from '../core/bytes.ts'
import type { Disk } from '../ports/disk.ts'
import type { Entry, Lsn } from './entries.ts'
import { EntryReader, type EntryTarget } from './entry-reader.ts'
import { type FileHeader, HEADER_BYTES } from './file-header.ts'
import { type Frame, FrameReader, type Gap } from './frame-reader.ts'

/** Whether a segment holds nothing but its header and perhaps a batch from before it. False where the disk does not give all of it. */
export async function isUnbegun(
  disk: Disk,
  saltCrc: number,
  name: string,
  header: FileHeader | null,
): Promise<boolean> {
  const file = await disk.open(name, 'existing')
  const reader = new FrameReader(file, 'batch', saltCrc)
  let begun = false
  const take = ({ sequence }: Frame): void => {
    begun ||= header === null || sequence >= header.batch
  }
  try {
    await reader.read(HEADER_BYTES, take, () => {})
  } finally {
    await file.close()
  }
  return !begun && reader.unreadable.length === 0
}

/** Bytes of a file. */
interface Place {
  readonly name: string
  readonly offset: number
  readonly bytes: number
}

/** What is known before anything of the log is read. */
export interface ReadStart {
  /** That must come first; 0: unknown. */
  readonly batch: number
  /** After those that are known of. */
  readonly lsn: Lsn
  /** The first that is not in every checkpoint: those from there on are applied. */
  readonly applied: Lsn
  /** Changes may be missing before the first of the log, with whatever batch it begins. */
  readonly isLoose: boolean
}

export class LogReader {
  readonly #disk: Disk
  readonly #saltCrc: number
  readonly #target: EntryTarget
  readonly #entries = new EntryReader()
  readonly #damage: (file: string, offset: number, bytes: number, what: string) => void
  readonly #lost: (from: Lsn, to: Lsn) => void
  #expected: number
  #lsn: Lsn
  #applied: Lsn
  #isLoose: boolean
  #wasClosed = false
  #last: Frame | null = null
  /** Since the last intact batch, perhaps in an earlier segment: where a missing batch was. */
  #gap: Place | null = null

  /** `lost`: changes are missing, from this one on and before that one; those before were applied, none after yet. */
  constructor(
    disk: Disk,
    saltCrc: number,
    start: ReadStart,
    target: EntryTarget,
    damage: (file: string, offset: number, bytes: number, what: string) => void,
    lost: (from: Lsn, to: Lsn) => void,
  ) {
    this.#disk = disk
    this.#saltCrc = saltCrc
    this.#target = target
    this.#expected = start.batch
    this.#lsn = start.lsn
    this.#applied = start.applied
    this.#isLoose = start.isLoose
    this.#damage = damage
    this.#lost = lost
  }

  /** The number that the next batch must have. */
  get expected(): number {
    return this.#expected
  }

  /** Of the next change. */
  get lsn(): Lsn {
    return this.#lsn
  }

  /** The change after the last that was applied. Unlike `lsn` it is not beyond what some checkpoint alone has seen. */
  get applied(): Lsn {
    return this.#applied
  }

  /** The same as at the start: nothing was read yet. */
  get isLoose(): boolean {
    return this.#isLoose
  }

  /** What was read ends with a clean shutdown. */
  get wasClosed(): boolean {
    return this.#wasClosed
  }

  /** The last batch that was applied. */
  get last(): Frame | null {
    return this.#last
  }

  /**
   * Applies what is intact in the next segment; resolves with where the end that holds no intact batch begins, or −1. `header`: null when
   * it is damaged. `from`: the batch before which all must be there by then.
   */
  async read(name: string, header: FileHeader | null, from: number = header?.batch ?? 0): Promise<number> {
    const file = await this.#disk.open(name, 'existing')
    const reader = new FrameReader(file, 'batch', this.#saltCrc)
    let gap = -1
    let isFirst = true
    let reached = header === null
    let disordered = false
    // The header says with which batch the segment begins; only a repetition of an earlier one may stand before that.
    const reach = (): void => {
      if (reached || header === null) return
      reached = true
      this.#skipTo({ name, offset: HEADER_BYTES, bytes: 0 }, from, header.lsn)
    }
    const skipped = (part: Gap): void => {
      gap = part.offset
      this.#gap ??= { name, ...part }
      this.#wasClosed = false
    }
    const take = (frame: Frame): void => {
      const first = isFirst
      isFirst = false
      if (!first || header === null || frame.sequence >= header.batch) reach()
      if (frame.sequence < this.#expected) {
        const repeated = first && (header === null || frame.sequence < header.batch)
        if (!repeated && !disordered) {
          disordered = true
          this.#damage(name, frame.offset, frame.bytes, `batch ${frame.sequence} is out of order`)
        }
      } else {
        this.#skipTo({ name, offset: frame.offset, bytes: 0 }, frame.sequence, frame.firstLsn)
        this.#apply(name, frame)
      }
      gap = -1
    }
    try {
      await reader.read(HEADER_BYTES, take, skipped)
      reach()
    } finally {
      await file.close()
    }
    for (const part of reader.unreadable) this.#damage(name, part.offset, part.bytes, `unreadable: ${part.why}`)
    return gap
  }

  #skipTo(at: Place, sequence: number, lsn: Lsn): void {
    // 0: unknown, because a checkpoint is damaged (and reported).
    const isGap = this.#expected > 0 && sequence > this.#expected
    if (isGap) {
      const { name, offset, bytes } = this.#gap ?? at
      this.#damage(name, offset, bytes, `batches ${this.#expected} to ${sequence - 1} are missing`)
    }
    if (isGap || this.#isLoose) this.#lost(this.#applied, lsn)
    this.#isLoose = false
    if (sequence > this.#expected) this.#expected = sequence
    // Numbers that were given are not given again, though nothing that had them is left.
    this.#lsn = Math.max(this.#lsn, lsn)
  }

  #apply(name: string, frame: Frame): void {
    let isEnd = false
    const target = this.#target
    try {
      this.#entries.read(frame.body, frame.count, frame.firstLsn, false, {
        record: (partition, bucket, key, record, received, lsn) => {
          isEnd = false
          target.record(partition, bucket, key, record, received, lsn)
        },
        entry: (entry: Entry, lsn) => {
          isEnd = entry.type === 'clean-shutdown'
          target.entry(entry, lsn)
        },
      })
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error
      isEnd = false
      this.#damage(name, frame.offset, frame.bytes, `an intact batch holds what is not understood: ${error.message}`)
      this.#lost(frame.firstLsn, frame.firstLsn + frame.count)
    }
    this.#wasClosed = isEnd
    this.#expected = frame.sequence + 1
    this.#applied = Math.max(this.#applied, frame.firstLsn + frame.count)
    this.#lsn = Math.max(this.#lsn, this.#applied)
    this.#last = frame
    this.#gap = null
  }
}
