// Reads the log's segments back, in order, and applies their batches to a state. The batches' numbers are the judge: nothing is lost
// exactly when they are contiguous. Knows nothing of manifests, nor which segments there should be.
// Invariant: an intact batch is applied, a broken one never, and every number that is left out is reported.

import { MalformedBytes } from '../core/bytes.ts'
import type { Disk } from '../ports/disk.ts'
import { decodeEntries, type Entry, type Lsn } from './entries.ts'
import { type FileHeader, HEADER_BYTES } from './file-header.ts'
import { type Frame, FrameReader } from './frames.ts'
import type { StorageState } from './storage-state.ts'

export interface SegmentEnd {
  /** Where the end that holds no intact batch begins, or −1. */
  readonly gap: number
  /** The disk gave all of it. */
  readonly readable: boolean
  readonly frames: number
}

/** Bytes of a file. */
interface Place {
  readonly name: string
  readonly offset: number
  readonly bytes: number
}

export class LogReader {
  readonly #disk: Disk
  readonly #saltCrc: number
  readonly #state: StorageState
  readonly #damage: (file: string, offset: number, bytes: number, what: string) => void
  #expected: number
  #lsn: Lsn
  #wasClosed = false
  #last: Frame | null = null
  /** Since the last intact batch, perhaps in an earlier segment: where a missing batch was. */
  #gap: Place | null = null

  /** `over`: what is there already, the batch that follows it (0: unknown), and the change. */
  constructor(
    disk: Disk,
    saltCrc: number,
    over: { readonly state: StorageState; readonly batch: number; readonly lsn: Lsn },
    damage: (file: string, offset: number, bytes: number, what: string) => void,
  ) {
    this.#disk = disk
    this.#saltCrc = saltCrc
    this.#state = over.state
    this.#expected = over.batch
    this.#lsn = over.lsn
    this.#damage = damage
  }

  /** The number that the next batch must have. */
  get expected(): number {
    return this.#expected
  }

  /** Of the next change. */
  get lsn(): Lsn {
    return this.#lsn
  }

  /** What was read ends with a clean shutdown. */
  get wasClosed(): boolean {
    return this.#wasClosed
  }

  /** The last batch that was applied. */
  get last(): Frame | null {
    return this.#last
  }

  /** Applies what is intact in the next segment. `header`: null when it is damaged. */
  async read(name: string, header: FileHeader | null): Promise<SegmentEnd> {
    const file = await this.#disk.open(name, 'existing')
    const reader = new FrameReader(file, 'batch', this.#saltCrc)
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
          this.#wasClosed = false
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
    return { gap, readable: reader.unreadable.length === 0, frames }
  }

  #skipTo(at: Place, sequence: number): void {
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
    this.#wasClosed = entries.at(-1)?.type === 'clean-shutdown'
    this.#expected = frame.sequence + 1
    this.#lsn = Math.max(this.#lsn, frame.firstLsn + frame.count)
    this.#last = frame
    this.#gap = null
  }
}
