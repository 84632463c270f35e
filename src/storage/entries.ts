// What the log and the checkpoint are made of: one entry for each change, its bytes and its meaning. Knows nothing of files or batches.
// Invariant: every entry states the full outcome (never a difference), so that replaying one again, in order, changes nothing.

import { ByteReader, ByteWriter, MalformedBytes } from '../core/bytes.ts'
import { type Dot, LIFE_BYTES } from '../core/causality/dot.ts'
import { DotSet } from '../core/causality/dot-set.ts'
import type { Conflict } from '../core/causality/view.ts'
import { wordsOfLife } from '../core/hex.ts'
import type { PartitionId } from '../core/ring/partition.ts'

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
  readonly view: Buffer
  /** Another one after every change. */
  readonly revision: number
  readonly sinceMs: number
  /** Place in the target's queue, oldest first; kept when later writes are merged in. */
  readonly order: number
}

export type Entry =
  | {
      readonly type: 'record'
      readonly partition: PartitionId
      readonly bucket: string
      readonly key: string
      /** Null: removed. */
      readonly record: Buffer | null
      /** Dots for the partition clock. */
      readonly received: readonly Dot[]
    }
  | { readonly type: 'clock'; readonly partition: PartitionId; readonly clock: DotSet; readonly replace: boolean }
  | { readonly type: 'catalog'; readonly name: string; readonly bytes: Buffer | null }
  | { readonly type: 'hint'; readonly hint: StoredHint }
  | { readonly type: 'hint-removed'; readonly target: string; readonly address: HintAddress }
  | { readonly type: 'hints-dropped'; readonly target: string }
  | { readonly type: 'clean-shutdown' }
  | ({ readonly type: 'footer' } & CheckpointCounts)

/** The end of a checkpoint: how much there must be, and a checksum chained over all frames before. */
export interface CheckpointCounts {
  readonly records: number
  readonly clocks: number
  readonly catalog: number
  readonly hints: number
  readonly chain: number
}

// The codes are on disks: only ever appended to.
const RECORD = 1
const RECORD_REMOVED = 2
const CLOCK_JOIN = 3
const CLOCK_REPLACE = 4
const CATALOG = 5
const CATALOG_REMOVED = 6
const HINT = 7
const HINT_REMOVED = 8
const HINTS_DROPPED = 9
const CLEAN_SHUTDOWN = 10
const FOOTER = 11

const CONFLICTS: readonly Conflict[] = ['siblings', 'lww']

/** Where entries are written: small parts are gathered, large blobs are referred to. */
export interface EntrySink {
  readonly writer: ByteWriter
  /** Length-prefixed; not copied when large, so the bytes must not change any more. */
  blob(bytes: Uint8Array): void
}

/** The hot one. Throws before it has written anything, or not at all. */
export function encodeRecordEntry(
  sink: EntrySink,
  partition: PartitionId,
  bucket: string,
  key: string,
  record: Uint8Array | null,
  received: readonly Dot[],
): void {
  for (const dot of received) {
    wordsOfLife(dot.life)
    if (!Number.isSafeInteger(dot.counter) || dot.counter < 1) throw new RangeError(`not a counter: ${dot.counter}`)
  }
  const { writer } = sink
  writer.u8(record === null ? RECORD_REMOVED : RECORD)
  writer.varint(partition)
  writer.text(bucket)
  writer.text(key)
  writer.varint(received.length)
  for (const { life, counter } of received) {
    writer.life(life)
    writer.varint(counter)
  }
  if (record !== null) sink.blob(record)
}

export function encodeClockEntry(sink: EntrySink, partition: PartitionId, clock: DotSet, replace: boolean): void {
  const encoded = new ByteWriter()
  clock.encode(encoded)
  sink.writer.u8(replace ? CLOCK_REPLACE : CLOCK_JOIN)
  sink.writer.varint(partition)
  sink.writer.raw(encoded.finish())
}

export function encodeCatalogEntry(sink: EntrySink, name: string, bytes: Uint8Array | null): void {
  sink.writer.u8(bytes === null ? CATALOG_REMOVED : CATALOG)
  sink.writer.text(name)
  if (bytes !== null) sink.blob(bytes)
}

export function encodeHintEntry(sink: EntrySink, hint: StoredHint): void {
  const { writer } = sink
  writer.u8(HINT)
  writer.text(hint.target)
  encodeAddress(writer, hint)
  writer.u8(CONFLICTS.indexOf(hint.conflict))
  writer.varint(hint.revision)
  writer.varint(hint.sinceMs)
  writer.varint(hint.order)
  sink.blob(hint.view)
}

export function encodeHintRemovedEntry(sink: EntrySink, target: string, address: HintAddress): void {
  sink.writer.u8(HINT_REMOVED)
  sink.writer.text(target)
  encodeAddress(sink.writer, address)
}

export function encodeHintsDroppedEntry(sink: EntrySink, target: string): void {
  sink.writer.u8(HINTS_DROPPED)
  sink.writer.text(target)
}

export function encodeCleanShutdownEntry(sink: EntrySink): void {
  sink.writer.u8(CLEAN_SHUTDOWN)
}

export function encodeFooterEntry(sink: EntrySink, counts: CheckpointCounts): void {
  sink.writer.u8(FOOTER)
  for (const count of [counts.records, counts.clocks, counts.catalog, counts.hints, counts.chain])
    sink.writer.varint(count)
}

function encodeAddress(writer: ByteWriter, address: HintAddress): void {
  writer.varint(address.partition)
  writer.text(address.bucket)
  writer.text(address.key)
}

function decodeAddress(reader: ByteReader): HintAddress {
  return { partition: reader.varint(), bucket: reader.text(), key: reader.text() }
}

/** All entries of one batch or block; blobs are views on `body`. Throws `MalformedBytes`. */
export function decodeEntries(body: Uint8Array, count: number): Entry[] {
  const reader = new ByteReader(body)
  const entries: Entry[] = []
  for (let i = 0; i < count; i++) entries.push(decodeEntry(reader))
  reader.end()
  return entries
}

function decodeEntry(reader: ByteReader): Entry {
  const type = reader.u8()
  switch (type) {
    case RECORD:
    case RECORD_REMOVED: {
      const { partition, bucket, key } = decodeAddress(reader)
      const received: Dot[] = []
      for (let left = reader.count(LIFE_BYTES + 1); left > 0; left--) {
        received.push({ life: reader.life(), counter: reader.varint() })
      }
      return { type: 'record', partition, bucket, key, received, record: type === RECORD ? reader.bytes() : null }
    }
    case CLOCK_JOIN:
    case CLOCK_REPLACE:
      return {
        type: 'clock',
        partition: reader.varint(),
        clock: DotSet.decode(reader),
        replace: type === CLOCK_REPLACE,
      }
    case CATALOG:
    case CATALOG_REMOVED:
      return { type: 'catalog', name: reader.text(), bytes: type === CATALOG ? reader.bytes() : null }
    case HINT:
      return { type: 'hint', hint: decodeHint(reader) }
    case HINT_REMOVED:
      return { type: 'hint-removed', target: reader.text(), address: decodeAddress(reader) }
    case HINTS_DROPPED:
      return { type: 'hints-dropped', target: reader.text() }
    case CLEAN_SHUTDOWN:
      return { type: 'clean-shutdown' }
    case FOOTER:
      return {
        type: 'footer',
        records: reader.varint(),
        clocks: reader.varint(),
        catalog: reader.varint(),
        hints: reader.varint(),
        chain: reader.varint(),
      }
    default:
      throw new MalformedBytes(`unknown entry type ${type}`)
  }
}

function decodeHint(reader: ByteReader): StoredHint {
  const target = reader.text()
  const address = decodeAddress(reader)
  const conflict = CONFLICTS[reader.u8()]
  if (conflict === undefined) throw new MalformedBytes('unknown conflict rule')
  const revision = reader.varint()
  const sinceMs = reader.varint()
  const order = reader.varint()
  return { target, ...address, conflict, revision, sinceMs, order, view: reader.bytes() }
}
