// Reads a checkpoint back and judges it. Knows nothing of the log. Invariant: every intact block is applied, and a checkpoint that
// lacks anything is never reported as faultless: blocks are numbered, and the footer counts and chains them.

import { crc32 } from 'node:zlib'
import { MalformedBytes } from '../core/bytes.ts'
import type { DiskFile } from '../ports/disk.ts'
import { type CheckpointCounts, decodeEntries, type Entry, type Lsn } from './entries.ts'
import { HEADER_BYTES } from './file-header.ts'
import { type Frame, FrameReader } from './frames.ts'

export interface Fault {
  readonly offset: number
  readonly bytes: number
  readonly what: string
}

/** Returns what is wrong with it; nothing, when it is whole. The header is the caller's business. */
export async function readCheckpoint(
  file: DiskFile,
  saltCrc: number,
  apply: (entry: Entry, lsn: Lsn) => void,
): Promise<Fault[]> {
  const faults: Fault[] = []
  const reader = new FrameReader(file, 'block', saltCrc)
  const counts = { records: 0, clocks: 0, catalog: 0, hints: 0 }
  let footer: CheckpointCounts | null = null
  let chain = 0
  let chainBefore = 0
  let sequence = 0
  const take = (frame: Frame): void => {
    if (frame.sequence !== sequence) {
      faults.push({ offset: frame.offset, bytes: 0, what: `block ${frame.sequence} where ${sequence} should be` })
    }
    sequence = frame.sequence + 1
    chainBefore = chain
    const link = Buffer.alloc(4)
    link.writeUInt32LE(frame.headerCrc)
    chain = crc32(link, chain)
    for (const entry of decodeEntries(frame.body, frame.count)) {
      if (entry.type === 'footer') footer = entry
      else counts[kindOf(entry)]++
      apply(entry, Math.max(0, frame.firstLsn - 1))
    }
  }
  for await (const part of reader.read(HEADER_BYTES)) {
    if ('gap' in part) {
      faults.push({ ...part.gap, what: 'no intact block' })
      continue
    }
    try {
      take(part.frame)
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error
      const { offset, bytes } = part.frame
      faults.push({ offset, bytes, what: `an intact block holds what is not understood: ${error.message}` })
    }
  }
  for (const part of reader.unreadable) faults.push({ ...part, what: `unreadable: ${part.why}` })
  if (faults.length === 0 && !matches(footer, { ...counts, chain: chainBefore })) {
    faults.push({ offset: file.size, bytes: 0, what: footer ? 'the footer does not match' : 'the end is missing' })
  }
  return faults
}

function kindOf(entry: Entry): 'records' | 'clocks' | 'catalog' | 'hints' {
  switch (entry.type) {
    case 'record':
      return 'records'
    case 'clock':
      return 'clocks'
    case 'catalog':
      return 'catalog'
    case 'hint':
      return 'hints'
    default:
      throw new MalformedBytes(`${entry.type} in a checkpoint`)
  }
}

function matches(footer: CheckpointCounts | null, found: CheckpointCounts): boolean {
  return (
    footer !== null &&
    footer.records === found.records &&
    footer.clocks === found.clocks &&
    footer.catalog === found.catalog &&
    footer.hints === found.hints &&
    footer.chain === found.chain
  )
}
