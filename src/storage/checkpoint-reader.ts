// Reads a checkpoint back and judges it. Knows nothing of the log, nor for which units it counts. Invariant: every intact block is
// handed over, and a checkpoint that lacks anything is never reported as faultless: blocks are numbered, the footer counts and chains them.

import { crc32 } from 'node:zlib'
import { MalformedBytes } from '../core/bytes.ts'
import type { Dot } from '../core/causality/dot.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import type { DiskFile } from '../ports/disk.ts'
import type { CheckpointCounts, CheckpointFooter, Entry, Lsn } from './entries.ts'
import { EntryReader, type EntryTarget } from './entry-reader.ts'
import { HEADER_BYTES } from './file-header.ts'
import { type Frame, FrameReader } from './frame-reader.ts'
import { FACTS, type Unit, unitOf } from './units.ts'

export interface Fault {
  readonly offset: number
  readonly bytes: number
  readonly what: string
}

interface Units {
  readonly from: Unit
  readonly to: Unit
}

export interface CheckpointFound {
  /** What is wrong with it; nothing, when it is whole. */
  readonly faults: readonly Fault[]
  /** The last change that may be in it. */
  readonly through: Lsn
}

/** `units`: those that it may speak of, as its header says; the header is the caller's business. */
export async function readCheckpoint(
  file: DiskFile,
  saltCrc: number,
  units: Units,
  target: EntryTarget,
): Promise<CheckpointFound> {
  const faults: Fault[] = []
  const frames = new FrameReader(file, 'block', saltCrc)
  const judge = new Judge(units, target)
  await frames.read(
    HEADER_BYTES,
    (frame) => {
      const what = judge.take(frame)
      if (what !== null) faults.push({ offset: frame.offset, bytes: frame.bytes, what })
    },
    (gap) => faults.push({ ...gap, what: 'no intact block' }),
  )
  for (const part of frames.unreadable) faults.push({ ...part, what: `unreadable: ${part.why}` })
  const end = judge.end()
  if (faults.length === 0 && end !== null) faults.push({ offset: file.size, bytes: 0, what: end })
  return { faults, through: judge.through }
}

const link = Buffer.alloc(4)

class Judge implements EntryTarget {
  readonly #target: EntryTarget
  readonly #units: Units
  readonly #entries = new EntryReader()
  readonly #counts: { -readonly [K in keyof CheckpointCounts]: number } = {
    records: 0,
    clocks: 0,
    catalog: 0,
    hints: 0,
  }
  #footer: CheckpointFooter | null = null
  #chain = 0
  #chainBefore = 0
  #sequence = 0

  constructor(units: Units, target: EntryTarget) {
    this.#target = target
    this.#units = units
  }

  get through(): Lsn {
    return this.#footer?.through ?? 0
  }

  /** What is wrong with the block, or null. */
  take(frame: Frame): string | null {
    const wanted = this.#sequence
    this.#sequence = frame.sequence + 1
    this.#chainBefore = this.#chain
    link.writeUInt32LE(frame.headerCrc)
    this.#chain = crc32(link, this.#chain)
    try {
      this.#entries.read(frame.body, frame.count, Math.max(0, frame.firstLsn - 1), true, this)
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error
      return `an intact block holds what is not understood: ${error.message}`
    }
    return frame.sequence === wanted ? null : `block ${frame.sequence} where ${wanted} should be`
  }

  record(
    partition: PartitionId,
    bucket: string,
    key: Uint8Array,
    record: Uint8Array | null,
    received: readonly Dot[],
    lsn: Lsn,
  ): void {
    this.#within(unitOf(partition))
    this.#counts.records++
    this.#target.record(partition, bucket, key, record, received, lsn)
  }

  entry(entry: Entry, lsn: Lsn): void {
    switch (entry.type) {
      case 'clock':
        this.#within(unitOf(entry.partition))
        this.#counts.clocks++
        break
      case 'catalog':
        this.#within(FACTS)
        this.#counts.catalog++
        break
      case 'hint':
        this.#within(FACTS)
        this.#counts.hints++
        break
      case 'footer':
        this.#footer = entry
        return
      default:
        throw new MalformedBytes(`${entry.type} in a checkpoint`)
    }
    this.#target.entry(entry, lsn)
  }

  #within(unit: Unit): void {
    if (unit < this.#units.from || unit >= this.#units.to) throw new MalformedBytes(`unit ${unit} is not in its range`)
  }

  end(): string | null {
    const footer = this.#footer
    if (footer === null) return 'the end is missing'
    const { records, clocks, catalog, hints } = this.#counts
    const isMatch =
      footer.records === records &&
      footer.clocks === clocks &&
      footer.catalog === catalog &&
      footer.hints === hints &&
      footer.chain === this.#chainBefore
    return isMatch ? null : 'the footer does not match'
  }
}
