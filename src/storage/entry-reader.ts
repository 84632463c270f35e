// Reads entries back. Records go from the frame's bytes straight to whoever takes them: there are millions, and an object and strings
// for each would cost more than all else in a recovery. Knows nothing of files or batches.
// Invariant: never trusts a length, and takes nothing for a text that is not UTF-8: a replaced character would make it another key.

import { isUtf8 } from 'node:buffer'
import { ByteReader, MalformedBytes } from '../core/bytes.ts'
import { type Dot, LIFE_BYTES } from '../core/causality/dot.ts'
import { DotSet } from '../core/causality/dot-set.ts'
import { lifeAt } from '../core/hex.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import { CODE, CONFLICTS, type Entry, type HintAddress, type Lsn, RECORD, type StoredHint } from './entries.ts'
import { ownDotOf } from '../core/causality/record.ts'

export interface EntryTarget {
  /** `key` (UTF-8) and `record` (null: removed) are views on the frame, for now only. Equal buckets are the same string. */
  record(
    partition: PartitionId,
    bucket: string,
    key: Uint8Array,
    record: Uint8Array | null,
    received: readonly Dot[],
    lsn: Lsn,
  ): void
  /** Blobs are views on the frame. */
  entry(entry: Entry, lsn: Lsn): void
}

const NO_DOTS: readonly Dot[] = []
const BUCKETS_MAX = 4096

export class EntryReader {
  readonly #buckets = new Map<string, string>()
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  /**
   * Hands over the entries of one batch or block, the first with `firstLsn`, the others with the numbers after it (blocks: `isBlock`,
   * all with the same). Throws `MalformedBytes`; what came before that was handed over.
   */
  read(body: Buffer, count: number, firstLsn: Lsn, isBlock: boolean, target: EntryTarget): void {
    this.#bytes = body
    this.#at = 0
    let partition: PartitionId = -1
    let bucket: string | null = null
    for (let i = 0; i < count; i++) {
      const lsn = isBlock ? firstLsn : firstLsn + i
      const code = this.#u8()
      if (code < CODE.record) {
        const reader = new ByteReader(body.subarray(this.#at))
        target.entry(decodeEntry(code, reader), lsn)
        this.#at += reader.position
        continue
      }
      if (code > (CODE.record | RECORD.all)) throw new MalformedBytes(`unknown entry type ${code}`)
      if ((code & RECORD.samePartition) === 0) partition = this.#varint()
      if ((code & RECORD.sameBucket) === 0) bucket = this.#bucket()
      if (partition < 0 || bucket === null) throw new MalformedBytes('the same as nothing')
      const key = this.#text()
      let received = (code & RECORD.received) === 0 ? NO_DOTS : this.#dots()
      const record = (code & RECORD.removed) === 0 ? this.#blob() : null
      if ((code & RECORD.ownDot) !== 0) received = [ownDot(record)]
      target.record(partition, bucket, key, record, received, lsn)
    }
    if (this.#at !== body.length) throw new MalformedBytes('trailing bytes')
  }

  #u8(): number {
    if (this.#at >= this.#bytes.length) throw new MalformedBytes('truncated')
    return this.#bytes[this.#at++] as number
  }

  #varint(): number {
    const bytes = this.#bytes
    let at = this.#at
    // Past the end a read is undefined, which is below nothing: then the general way tells what is wrong.
    const first = bytes[at] as number
    if (first < 0x80) {
      this.#at = at + 1
      return first
    }
    const second = bytes[++at] as number
    if (second > 0 && second < 0x80) {
      this.#at = at + 1
      return (first & 0x7f) | (second << 7)
    }
    const reader = new ByteReader(bytes.subarray(this.#at))
    const value = reader.varint()
    this.#at += reader.position
    return value
  }

  #blob(): Uint8Array {
    const length = this.#varint()
    const { buffer, byteOffset } = this.#bytes
    const from = this.#at
    if (length > this.#bytes.length - from) throw new MalformedBytes('truncated')
    this.#at = from + length
    return new Uint8Array(buffer, byteOffset + from, length)
  }

  #text(): Uint8Array {
    const text = this.#blob()
    const bytes = this.#bytes
    for (let at = this.#at - text.length; at < this.#at; at++) {
      if ((bytes[at] as number) < 0x80) continue
      if (!isUtf8(text)) throw new MalformedBytes('not UTF-8')
      break
    }
    return text
  }

  /** The same string object again and again, so that a comparison with the last one is a pointer's. */
  #bucket(): string {
    const bytes = this.#text()
    const text = this.#bytes.toString('utf8', this.#at - bytes.length, this.#at)
    const known = this.#buckets.get(text)
    if (known !== undefined) return known
    if (this.#buckets.size >= BUCKETS_MAX) this.#buckets.clear()
    this.#buckets.set(text, text)
    return text
  }

  #dots(): Dot[] {
    const count = this.#varint()
    if (count * (LIFE_BYTES + 1) > this.#bytes.length - this.#at) throw new MalformedBytes('count exceeds the input')
    const dots: Dot[] = []
    for (let left = count; left > 0; left--) {
      if (LIFE_BYTES > this.#bytes.length - this.#at) throw new MalformedBytes('truncated')
      const life = lifeAt(this.#bytes, this.#at)
      this.#at += LIFE_BYTES
      const counter = this.#varint()
      if (counter === 0) throw new MalformedBytes('counter 0')
      dots.push({ life, counter })
    }
    return dots
  }
}

function ownDot(record: Uint8Array | null): Dot {
  const dot = record && ownDotOf(record)
  if (!dot) throw new MalformedBytes('a record that names no dot')
  return dot
}

function decodeEntry(code: number, reader: ByteReader): Entry {
  switch (code) {
    case CODE.clockJoin:
    case CODE.clockReplace:
      return {
        type: 'clock',
        partition: reader.varint(),
        clock: DotSet.decode(reader),
        replace: code === CODE.clockReplace,
      }
    case CODE.catalog:
    case CODE.catalogRemoved:
      return { type: 'catalog', name: reader.text(), bytes: code === CODE.catalog ? reader.bytes() : null }
    case CODE.hint:
      return { type: 'hint', hint: decodeHint(reader) }
    case CODE.hintRemoved:
      return { type: 'hint-removed', target: reader.text(), address: decodeAddress(reader) }
    case CODE.hintsDropped:
      return { type: 'hints-dropped', target: reader.text() }
    case CODE.cleanShutdown:
      return { type: 'clean-shutdown' }
    case CODE.footer:
      return {
        type: 'footer',
        records: reader.varint(),
        clocks: reader.varint(),
        catalog: reader.varint(),
        hints: reader.varint(),
        chain: reader.varint(),
        through: reader.varint(),
      }
    default:
      throw new MalformedBytes(`unknown entry type ${code}`)
  }
}

function decodeAddress(reader: ByteReader): HintAddress {
  return { partition: reader.varint(), bucket: reader.text(), key: reader.text() }
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
