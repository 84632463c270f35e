// What the log and the checkpoints are made of: one entry for each change, its meaning and its bytes. Knows nothing of files or batches.
// Invariant: every entry states the full outcome (never a difference), so that replaying one again, in order, changes nothing.

import { ByteWriter, type Split } from '../core/bytes.ts'
import { type Dot, sameDot } from '../core/causality/dot.ts'
import type { DotSet } from '../core/causality/dot-set.ts'
import type { Conflict } from '../core/causality/view.ts'
import { wordsOfLife } from '../core/hex.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import { ownDotOf } from '../core/causality/record.ts'

/** The number of a change: grows with every one; 0 is "nothing". Means nothing outside one run of the process. */
export type Lsn = number

export interface HintAddress {
  readonly bucket: string
  readonly key: string
  readonly partition: PartitionId
}

/** A hint as it is kept: its view as bytes. */
export interface StoredHint extends HintAddress {
  readonly target: string
  readonly conflict: Conflict
  /** Encoded view (core/causality/view.ts). */
  readonly view: Buffer | Split
  /** Another one after every change. */
  readonly revision: number
  readonly sinceMs: number
  /** Place in the target's queue, oldest first; kept when later writes are merged in. */
  readonly order: number
}

/** All but records, which are too many to be made objects of. */
export type Entry =
  | { readonly type: 'clock'; readonly partition: PartitionId; readonly clock: DotSet; readonly replace: boolean }
  | { readonly type: 'catalog'; readonly name: string; readonly bytes: Buffer | null }
  | { readonly type: 'hint'; readonly hint: StoredHint }
  | { readonly type: 'hint-removed'; readonly target: string; readonly address: HintAddress }
  | { readonly type: 'hints-dropped'; readonly target: string }
  | { readonly type: 'clean-shutdown' }
  | ({ readonly type: 'footer' } & CheckpointFooter)

/** The end of a checkpoint: how much there must be, and a checksum chained over all frames before. */
export interface CheckpointFooter extends CheckpointCounts {
  readonly chain: number
  /** The last change that may be in it. */
  readonly through: Lsn
}

export interface CheckpointCounts {
  readonly records: number
  readonly clocks: number
  readonly catalog: number
  readonly hints: number
}

// The codes are on disks: only ever appended to.
export const CODE = {
  clockJoin: 3,
  clockReplace: 4,
  catalog: 5,
  catalogRemoved: 6,
  hint: 7,
  hintRemoved: 8,
  hintsDropped: 9,
  cleanShutdown: 10,
  footer: 11,
  /** And above: with `RECORD` flags. */
  record: 0x80,
} as const

/** What a record's entry leaves out. */
export const RECORD = {
  removed: 1,
  /** As in the record entry before it in the frame. */
  samePartition: 2,
  sameBucket: 4,
  /** Received is the one dot that the record's bytes name. */
  ownDot: 8,
  received: 16,
  all: 31,
} as const

export const CONFLICTS: readonly Conflict[] = ['siblings', 'lww']

/** Where entries are written: small parts are gathered, large blobs are referred to. */
export interface EntrySink {
  readonly writer: ByteWriter
  /** Of the last record entry in the frame. */
  readonly last: { partition: PartitionId; bucket: string | null }
  /** Length-prefixed; not copied when large, so the bytes must not change any more. */
  blob(bytes: Uint8Array | Split): void
}

/** Whether these can be encoded; to be asked before anything is changed. Throws `RangeError`. */
export function checkDots(dots: readonly Dot[]): void {
  for (const { life, counter } of dots) {
    wordsOfLife(life)
    if (!Number.isSafeInteger(counter) || counter < 1) throw new RangeError(`not a counter: ${counter}`)
  }
}

/** The hot one. `received` passed `checkDots`. */
export function encodeRecordEntry(
  sink: EntrySink,
  partition: PartitionId,
  bucket: string,
  key: string,
  record: Uint8Array | Split | null,
  received: readonly Dot[],
): void {
  const { writer, last } = sink
  const [dot] = received
  const own = dot !== undefined && received.length === 1 && record !== null && isOwn(record, dot)
  const isListed = received.length > 0 && !own
  let flags = record === null ? RECORD.removed : 0
  if (partition === last.partition) flags |= RECORD.samePartition
  if (bucket === last.bucket) flags |= RECORD.sameBucket
  if (own) flags |= RECORD.ownDot
  else if (isListed) flags |= RECORD.received
  writer.u8(CODE.record | flags)
  if (partition !== last.partition) writer.varint(partition)
  if (bucket !== last.bucket) writer.text(bucket)
  last.partition = partition
  last.bucket = bucket
  writer.text(key)
  if (isListed) {
    writer.varint(received.length)
    for (const { life, counter } of received) {
      writer.life(life)
      writer.varint(counter)
    }
  }
  if (record !== null) sink.blob(record)
}

function isOwn(record: Uint8Array | Split, dot: Dot): boolean {
  const own = ownDotOf(record)
  return own !== null && sameDot(own, dot)
}

export function encodeClockEntry(sink: EntrySink, partition: PartitionId, clock: DotSet, replace: boolean): void {
  const encoded = new ByteWriter()
  clock.encode(encoded)
  sink.writer.u8(replace ? CODE.clockReplace : CODE.clockJoin)
  sink.writer.varint(partition)
  sink.writer.raw(encoded.finish())
}

export function encodeCatalogEntry(sink: EntrySink, name: string, bytes: Uint8Array | null): void {
  sink.writer.u8(bytes === null ? CODE.catalogRemoved : CODE.catalog)
  sink.writer.text(name)
  if (bytes !== null) sink.blob(bytes)
}

export function encodeHintEntry(sink: EntrySink, hint: StoredHint): void {
  const { writer } = sink
  writer.u8(CODE.hint)
  writer.text(hint.target)
  encodeAddress(writer, hint)
  writer.u8(CONFLICTS.indexOf(hint.conflict))
  writer.varint(hint.revision)
  writer.varint(hint.sinceMs)
  writer.varint(hint.order)
  sink.blob(hint.view)
}

export function encodeHintRemovedEntry(sink: EntrySink, target: string, address: HintAddress): void {
  sink.writer.u8(CODE.hintRemoved)
  sink.writer.text(target)
  encodeAddress(sink.writer, address)
}

export function encodeHintsDroppedEntry(sink: EntrySink, target: string): void {
  sink.writer.u8(CODE.hintsDropped)
  sink.writer.text(target)
}

export function encodeCleanShutdownEntry(sink: EntrySink): void {
  sink.writer.u8(CODE.cleanShutdown)
}

export function encodeFooterEntry(sink: EntrySink, footer: CheckpointFooter): void {
  const { records, clocks, catalog, hints, chain, through } = footer
  sink.writer.u8(CODE.footer)
  for (const number of [records, clocks, catalog, hints, chain, through]) sink.writer.varint(number)
}

function encodeAddress(writer: ByteWriter, address: HintAddress): void {
  writer.varint(address.partition)
  writer.text(address.bucket)
  writer.text(address.key)
}
