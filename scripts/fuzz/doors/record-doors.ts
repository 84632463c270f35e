// What is read back from a disk: records, the entries of a batch, and whole directories through recovery. Checksums are put right after
// a mutation, so that what they vouch for is hostile too.

import fc from 'fast-check'
import { MalformedBytes, whole } from '../../../src/core/bytes.ts'
import type { Dot } from '../../../src/core/causality/dot.ts'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { encodeDotSet } from '../../../src/core/causality/dot-set-bytes.ts'
import { decodeRecord, encodeRecord, type KeyRecord, ownDotOf, viewOf } from '../../../src/core/causality/record.ts'
import { expiryOf } from '../../../src/core/causality/steady-record.ts'
import { encodeView } from '../../../src/core/causality/view.ts'
import { CODE, encodeRecordEntry, type Entry, RECORD } from '../../../src/storage/entries.ts'
import { EntryReader } from '../../../src/storage/entry-reader.ts'
import { FRAME_HEADER_BYTES, FrameBuilder } from '../../../src/storage/frames.ts'
import { HintStore } from '../../../src/storage/hint-store.ts'
import { PackedMemtable } from '../../../src/storage/packed-memtable.ts'
import { StorageState } from '../../../src/storage/storage-state.ts'
import { about, type Door, door, law, LawBroken } from '../door.ts'
import { type Draft, Ink } from '../ink.ts'
import { honest, isMalformed, viewDoor } from './core-doors.ts'
import {
  shapeOfDots,
  shapeOfVersion,
  viewDraft,
  viewGrammar,
  writeDots,
  writeTags,
  writeVersions,
} from './core-drafts.ts'

const SPAN = 1
const PAST = 2
const DEAD_TAGS = 4

const general: fc.Arbitrary<Draft> = fc
  .tuple(viewDraft, viewDraft, fc.nat(7))
  .map(([draft, past, flags]): Draft => (ink) => {
    ink.u8(flags)
    ink.varint(draft.lives.length)
    for (const { life } of draft.lives) ink.hex(life)
    if (flags & SPAN) for (const { intervals } of draft.lives) ink.varint((intervals[0]?.[0] ?? 0) + 1)
    if (flags & PAST) writeDots(ink, past.lives)
    if (flags & DEAD_TAGS) writeTags(ink, draft)
    writeVersions(ink, draft)
  })

const steady: fc.Arbitrary<Draft> = fc
  .record({
    flags: fc.constantFrom(8, 8, 24, 40, 56, 9, 15, 57),
    life: fc.uint8Array({ minLength: 8, maxLength: 8 }),
    counter: fc.oneof(fc.nat(300), fc.maxSafeNat()),
    stamp: fc.oneof(fc.nat(), fc.maxSafeNat()),
    after: fc.oneof(fc.nat(), fc.maxSafeNat()),
    type: fc.nat(12),
    value: fc.uint8Array({ maxLength: 20 }),
  })
  .map((draft): Draft => (ink) => {
    ink.u8(draft.flags)
    ink.raw(draft.life)
    ink.varint(draft.counter)
    ink.fixed(draft.stamp, 7)
    if (draft.flags & 32) ink.varint(draft.after)
    if (draft.flags & 16) return
    ink.u8(draft.type)
    ink.raw(draft.value)
  })

export const recordGrammar: fc.Arbitrary<Draft> = fc.oneof(general, steady)

const memtable = new PackedMemtable()

const recordDoor: Door = door<KeyRecord>({
  name: 'record',
  weight: 6,
  grammar: recordGrammar,
  samples: () => honest(recordGrammar, 60),
  isDeclared: isMalformed,
  read: (bytes) => {
    // Asked of bytes that may be anything, before and after.
    try {
      ownDotOf(bytes)
    } catch (error) {
      throw new LawBroken(`asked for its own dot, a record throws: ${String(error)}`)
    }
    if (bytes.length > 0) expiryOf(bytes, 0)
    return decodeRecord(bytes)
  },
  check: (record, bytes) => {
    const again = encodeRecord(record)
    law(encodeRecord(decodeRecord(again)).equals(again), 'a record that was encoded decodes to another')
    const expiry = expiryOf(again, 0)
    const [only] = record.versions
    law(expiry < 0 || expiry === (only?.deadlineMs ?? Infinity), 'a record expires at two times')
    encodeView(viewOf(record, DotSet.empty()))
    memtable.put(3, 'b', 'key', bytes, 1)
    const kept = memtable.get(3, 'b', 'key')
    law(kept !== undefined && whole(kept.bytes).equals(bytes), 'the memtable gives back another record')
    memtable.remove(3, 'b', 'key')
  },
  kindOf: ({ versions, past, span, deadTags }) =>
    `${versions.map(shapeOfVersion).join('')} ${shapeOfDots(past)} ${span?.size ?? '-'}s ${deadTags.length}t`.slice(
      0,
      60,
    ),
})

interface Told {
  readonly records: readonly {
    readonly partition: number
    readonly bucket: string
    readonly key: string
    readonly record: Buffer | null
    readonly received: readonly Dot[]
  }[]
  readonly entries: readonly Entry[]
}

/** The count stands in the frame's header, behind a checksum: here in two bytes before the body. */
const COUNT_BYTES = 2

function told(bytes: Buffer): Told {
  if (bytes.length < COUNT_BYTES) throw new MalformedBytes('no count')
  const records: Told['records'][number][] = []
  const entries: Entry[] = []
  new EntryReader().read(bytes.subarray(COUNT_BYTES), bytes.readUInt16LE(0), 7, false, {
    record: (partition, bucket, key, record, received) =>
      records.push({
        partition,
        bucket,
        key: Buffer.from(key).toString(),
        record: record && Buffer.from(record),
        received,
      }),
    entry: (entry) => entries.push(entry),
  })
  return { records, entries }
}

const partition = fc.constantFrom(0, 5, 300, 1_048_575)
const bucket = fc.constantFrom('b', 'a bucket', 'ключ')
const anyEntry: fc.Arbitrary<Draft> = fc.oneof(
  fc
    .tuple(fc.constantFrom(CODE.clockJoin, CODE.clockReplace), partition, viewDraft)
    .map(([code, where, { lives }]): Draft => (ink) => {
      ink.u8(code)
      ink.varint(where)
      writeDots(ink, lives)
    }),
  fc.tuple(fc.boolean(), fc.string(), fc.uint8Array()).map(([removed, name, bytes]): Draft => (ink) => {
    ink.u8(removed ? CODE.catalogRemoved : CODE.catalog)
    ink.text(name)
    if (!removed) ink.bytes(bytes)
  }),
  fc
    .tuple(fc.nat(2), partition, bucket, fc.string(), viewGrammar, fc.nat(1))
    .map(([kind, where, name, key, view, conflict]): Draft => (ink) => {
      ink.u8([CODE.hint, CODE.hintRemoved, CODE.hintsDropped][kind] as number)
      ink.text('n2')
      if (kind === 2) return
      ink.varint(where)
      ink.text(name)
      ink.text(key)
      if (kind === 1) return
      ink.u8(conflict)
      for (const number of [7, 1000, 1]) ink.varint(number)
      ink.bytes(Ink.render(view, []).bytes)
    }),
  fc.constant<Draft>((ink) => ink.u8(CODE.cleanShutdown)),
  fc.array(fc.nat(), { minLength: 6, maxLength: 6 }).map((numbers): Draft => (ink) => {
    ink.u8(CODE.footer)
    for (const number of numbers) ink.varint(number)
  }),
)

const recordEntry: fc.Arbitrary<Draft> = fc
  .tuple(fc.nat(RECORD.all), partition, bucket, fc.string({ unit: 'grapheme' }), recordGrammar, viewDraft)
  .map(([flags, where, name, key, record, { lives }], i = 0): Draft => (ink) => {
    // Honest flags: a removed record has no own dot.
    const said = flags & RECORD.removed ? flags & ~RECORD.ownDot : flags
    ink.u8(CODE.record | said)
    if (!(said & RECORD.samePartition)) ink.varint(where)
    if (!(said & RECORD.sameBucket)) ink.text(name)
    ink.text(`${key}${i}`)
    if (said & RECORD.received) {
      ink.varint(lives.length)
      for (const { life, intervals } of lives) {
        ink.hex(life)
        ink.varint(intervals[0]?.[0] ?? 1)
      }
    }
    if (!(said & RECORD.removed)) ink.bytes(Ink.render(record, []).bytes)
  })

export const batchGrammar: fc.Arbitrary<Draft> = fc
  .array(fc.oneof(recordEntry, recordEntry, anyEntry), { maxLength: 5 })
  .map((drafts): Draft => (ink) => {
    ink.fixed(drafts.length, COUNT_BYTES)
    for (const draft of drafts) draft(ink)
  })

const batchDoor: Door = door<Told>({
  name: 'batch',
  weight: 5,
  grammar: batchGrammar,
  samples: () => honest(batchGrammar, 60),
  isDeclared: isMalformed,
  read: told,
  check: ({ records, entries }) => {
    // What was read can be written, and is then read again as the same.
    const frame = new FrameBuilder(7)
    for (const one of records) {
      encodeRecordEntry(frame, one.partition, one.bucket, one.key, one.record, one.received)
      frame.count++
    }
    const body = Buffer.concat(frame.seal('batch', 1, 1)).subarray(FRAME_HEADER_BYTES)
    const count = Buffer.alloc(COUNT_BYTES)
    count.writeUInt16LE(records.length)
    law(
      JSON.stringify(told(Buffer.concat([count, body])).records) === JSON.stringify(records),
      'records come back as others',
    )
    // And be taken into a state, whose clocks can be written.
    const state = new StorageState(new HintStore(1 << 20, () => 0))
    for (const one of records)
      state.record(one.partition, one.bucket, Buffer.from(one.key), one.record, one.received, 7)
    for (const entry of entries) state.entry(entry)
    for (const where of state.partitions()) {
      encodeDotSet(state.clockOf(where))
      for (const { bytes } of state.memtable.scan(where, null)) whole(bytes)
    }
  },
  kindOf: ({ records, entries }) =>
    `${about(records.length)} records, ${entries.map(({ type }) => type).join(' ')}`.slice(0, 70),
})

export const RECORD_DOORS: readonly Door[] = [recordDoor, batchDoor, viewDoor]
