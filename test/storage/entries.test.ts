import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MalformedBytes } from '../../src/core/bytes.ts'
import type { Dot } from '../../src/core/causality/dot.ts'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { encodeRecord } from '../../src/core/causality/record.ts'
import { encodeRecordEntry, type Entry } from '../../src/storage/entries.ts'
import { EntryReader } from '../../src/storage/entry-reader.ts'
import { FRAME_HEADER_BYTES, FrameBuilder } from '../../src/storage/frames.ts'
import { LIFE, OTHER_LIFE } from './fixture.ts'

/** A record that names its dot. */
function steady(dot: Dot): Buffer {
  const version = { dot, stamp: 1, deadlineMs: null, tag: null, content: null }
  return encodeRecord({ versions: [version], past: DotSet.empty(), span: null, deadTags: [] })
}

interface Put {
  readonly partition: number
  readonly bucket: string
  readonly key: string
  readonly record: Buffer | null
  readonly received: readonly Dot[]
}

const DOT = fc.record({ life: fc.constantFrom(LIFE, OTHER_LIFE), counter: fc.constantFrom(1, 2, 200, 2 ** 40) })
const PUT: fc.Arbitrary<Put> = fc.record({
  partition: fc.constantFrom(0, 5, 300, 1_048_575),
  bucket: fc.constantFrom('b', 'a bucket', ''),
  key: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', 'k', 'clé\0🔑', '\ufffd')),
  record: fc.option(
    fc
      .oneof(fc.uint8Array({ maxLength: 12 }), fc.constant(new Uint8Array(9000)), DOT.map(steady))
      .map((b) => Buffer.from(b)),
  ),
  received: fc.array(DOT, { maxLength: 3 }),
})

function encoded(puts: readonly Put[]): Buffer {
  const frame = new FrameBuilder(7)
  for (const { partition, bucket, key, record, received } of puts) {
    encodeRecordEntry(frame, partition, bucket, key, record, received)
    frame.count++
  }
  return Buffer.concat(frame.seal('batch', 1, 1)).subarray(FRAME_HEADER_BYTES)
}

function decoded(body: Buffer, count: number): (Put & { readonly lsn: number })[] {
  const found: (Put & { readonly lsn: number })[] = []
  new EntryReader().read(body, count, 7, false, {
    record: (partition, bucket, key, record, received, lsn) =>
      found.push({
        ...{ partition, bucket, received, lsn },
        key: Buffer.from(key).toString(),
        record: record && Buffer.from(record),
      }),
    entry: (entry: Entry) => expect.unreachable(entry.type),
  })
  return found
}

describe('record entries', () => {
  it('come back as they were, whatever stands before them in the frame', () => {
    fc.assert(
      fc.property(fc.array(PUT, { maxLength: 12 }), (puts) => {
        const wanted = puts.map((put, i) => ({ ...put, key: Buffer.from(put.key).toString(), lsn: 7 + i }))
        expect(decoded(encoded(puts), puts.length)).toEqual(wanted)
      }),
    )
  })

  it('are refused when a dot counts from 0: no clock with it could be written again', () => {
    const put = { partition: 5, bucket: 'b', key: 'k', record: null, received: [{ life: LIFE, counter: 0 }] }
    expect(() => decoded(encoded([put]), 1)).toThrow(MalformedBytes)
  })

  it('are refused, and no more than that, when they are cut or harmed', () => {
    fc.assert(
      fc.property(fc.array(PUT, { minLength: 1, maxLength: 4 }), fc.nat(), fc.nat(255), (puts, at, mask) => {
        const body = encoded(puts)
        const harmed = Buffer.from(body)
        harmed[at % body.length] = (harmed[at % body.length] as number) ^ mask
        for (const bytes of [harmed, body.subarray(0, at % body.length)]) {
          try {
            decoded(bytes, puts.length)
          } catch (error) {
            // The reader's own word; where an entry of another kind comes of it, the test's.
            if (!(error instanceof MalformedBytes)) expect(String(error)).toContain('AssertionError')
          }
        }
      }),
    )
  })

  it('cost little beside the key and the record', () => {
    const put = (counter: number, received: readonly Dot[]): Put => ({
      ...{ partition: 16_000, bucket: 'a long name of a bucket', key: 'k0000000000', received },
      record: steady({ life: LIFE, counter }),
    })
    const record = steady({ life: LIFE, counter: 6 }).length
    const alone = encoded([put(5, [])]).length
    expect(encoded([put(5, []), put(6, [])]).length - alone).toBe(11 + record + 3)
    expect(encoded([put(5, []), put(6, [{ life: LIFE, counter: 6 }])]).length - alone).toBe(11 + record + 3)
    expect(encoded([put(5, []), put(6, [{ life: LIFE, counter: 7 }])]).length - alone).toBe(11 + record + 3 + 10)
  })
})
