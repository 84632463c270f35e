// Answers a peer's anti-entropy: compares digests, hands over what the peer's clock lacks, shows the tree. Reads only (but for noting
// the clock that the peer reports). Invariant: the clock that opens an exchange is synced and was taken before any record was read, so
// whatever is newer in the records is only more; it goes out once, on the first page.

import { ByteReader, ByteWriter } from '../core/bytes.ts'
import type { DotSet } from '../core/causality/dot-set.ts'
import { decodeDotSet, encodeDotSet } from '../core/causality/dot-set-bytes.ts'
import { contextOf, decodeRecord, type KeyRecord, viewOf } from '../core/causality/record.ts'
import { encodeView } from '../core/causality/view.ts'
import { type Hash64, hash64FromHex, hexOf } from '../core/hash64.ts'
import type { Directory } from '../core/membership/directory.ts'
import { childDigests } from '../core/merkle/diff.ts'
import { type PartitionId, partitionOf } from '../core/ring/partition.ts'
import { QuorateError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type {
  CompareReply,
  CompareRequest,
  ExchangeReply,
  ExchangeRequest,
  TreeReply,
  TreeRequest,
} from '../protocol/messages.ts'
import type { PartitionIndexes } from '../replica/partition-index.ts'
import type { Replica } from '../replica/replica.ts'
import type { ScanPosition } from '../storage/memtable.ts'
import type { Storage } from '../storage/storage.ts'
import { differing, digestOf, entriesFor, packPartitions, unpackEntries } from './comparison.ts'
import type { ReportedClocks } from './reported-clocks.ts'
import { treeMade, Turns, WORK } from './turns.ts'

export interface RepairParts {
  readonly clock: Clock
  readonly directory: () => Directory | null
  readonly storage: Storage
  readonly replica: Replica
  readonly indexes: PartitionIndexes
  readonly reported: ReportedClocks
}

export class ExchangeService {
  readonly #parts: RepairParts

  constructor(parts: RepairParts) {
    this.#parts = parts
  }

  async compare(
    from: { readonly name: string; readonly storage: string },
    request: CompareRequest,
    budgetMs?: number,
  ): Promise<CompareReply> {
    const { storage, replica } = this.#parts
    // "Equal" is the word of a complete home, and proof of what it has: a filling one never says it.
    const filling: PartitionId[] = []
    const mine = await entriesFor(from.name, this.#directoryWith(from), this.#parts, (partition) => {
      if (replica.isFilling(partition)) filling.push(partition)
    })
    await replica.waits.synced(storage.lastLsn, null, budgetMs)
    if (request.entries === null) {
      return { type: 'compare', equal: filling.length === 0 && digestOf(mine) === request.digest, differing: null }
    }
    const unlike = new Set([...differing(mine, unpackEntries(request.entries)), ...filling])
    return {
      type: 'compare',
      equal: unlike.size === 0,
      differing: packPartitions([...unlike].sort((a, b) => a - b)),
    }
  }

  async exchange(
    from: { readonly name: string; readonly storage: string },
    request: ExchangeRequest,
    budgetMs?: number,
  ): Promise<ExchangeReply> {
    const { storage, replica, indexes, reported } = this.#parts
    const { partition } = request
    this.#checkShared(partition, from)
    await treeMade(indexes, partition, new Turns(this.#parts.clock))
    this.#checkShared(partition, from)
    const theirs = decodeDotSet(request.clock)
    const filling = replica.isFilling(partition)
    const isFirst = request.cursor === null
    if (isFirst) {
      if (request.filling) reported.retract(partition, from.name)
      else reported.report(partition, from.name, from.storage, theirs)
    }
    const clock = storage.clockOf(partition).clone()
    const root = indexes.tree(partition).rootHex
    const leaves = request.leaves && new Set(request.leaves)
    // Nobody merges from a filling home, unless it is filling as well and nobody else is left.
    const isUseless = filling && !request.filling
    const page = isUseless
      ? { records: [], next: null }
      : await this.#page(partition, request, (record, live, { hash }) =>
          leaves ? leaves.has(indexes.leafOf(hash)) : lacks(record, live, theirs, request.filling),
        )
    await replica.waits.synced(storage.lastLsn, null, budgetMs)
    return {
      type: 'exchange',
      epoch: request.epoch,
      records: page.records,
      next: page.next,
      clock: isFirst ? encodeDotSet(clock) : null,
      root: isFirst ? root : null,
      filling,
    }
  }

  tree(from: { readonly name: string; readonly storage: string }, request: TreeRequest): TreeReply {
    this.#checkShared(request.partition, from)
    return {
      type: 'tree',
      digests: childDigests(this.#parts.indexes.tree(request.partition), request.level, request.nodes),
    }
  }

  async #page(
    partition: PartitionId,
    request: ExchangeRequest,
    wanted: (record: KeyRecord, clock: DotSet, position: ScanPosition) => boolean,
  ): Promise<Pick<ExchangeReply, 'records' | 'next'>> {
    const { storage } = this.#parts
    const turns = new Turns(this.#parts.clock)
    const records: { bucket: string; key: string; view: Uint8Array }[] = []
    let bytes = 0
    for (const entry of storage.memtable.scan(partition, request.cursor && decodeCursor(request.cursor))) {
      const record = decodeRecord(entry.bytes)
      // As it is now: record and clock belong together, and a scan that paused goes on with both as they have become.
      const clock = storage.clockOf(partition)
      if (wanted(record, clock, entry)) {
        const view = encodeView(viewOf(record, clock))
        records.push({ bucket: entry.bucket, key: entry.key, view })
        bytes += view.length + entry.key.length
        if (bytes >= request.bytesMax) return { records, next: encodeCursor(entry) }
      }
      // Behind the record, never between it and its clock.
      if (turns.isOver(WORK.record)) await turns.next()
    }
    return { records, next: null }
  }

  /**
   * Whoever was served here must be the storage behind its name here too: from then on writes built on its predecessor are refused
   * (the acknowledgement of a replaced storage would else make a quorum with a write that came after the snapshot).
   */
  #directoryWith(from: { readonly name: string; readonly storage: string }): Directory {
    const directory = this.#parts.directory()
    if (directory?.storageOf(from.name) !== from.storage) {
      throw new QuorateError('refused', `${from.name} is known here with another storage, or not at all`)
    }
    return directory
  }

  #checkShared(partition: PartitionId, from: { readonly name: string; readonly storage: string }): void {
    const { ring, self } = this.#directoryWith(from)
    const exists = partitionOf(partition) < ring.partitions
    if (!exists || !ring.isHome(partition, self) || !ring.isHome(partition, from.name)) {
      throw new QuorateError('refused', `partition ${partition} is not shared with ${from.name}`)
    }
  }
}

/**
 * Whether the record has something for a peer with this clock. Dots may have come into the clock and left no version (a dead tag's):
 * what they superseded is known by this record alone, and must get there before the clocks join.
 */
function lacks(record: KeyRecord, clock: DotSet, theirs: DotSet, filling: boolean): boolean {
  if (record.versions.some((version) => !theirs.has(version.dot))) return true
  if (record.versions.length > 0 && record.deadTags.length === 0) return false
  return filling || !contextOf(record, clock).isSubsetOf(theirs)
}

function encodeCursor(position: ScanPosition): Buffer {
  const writer = new ByteWriter(64)
  writer.hex(hexOf(position.hash), 8)
  writer.text(position.key)
  writer.text(position.bucket)
  return writer.finish()
}

function decodeCursor(bytes: Uint8Array): ScanPosition {
  const reader = new ByteReader(bytes)
  const hash = hash64FromHex(reader.hex(8)) as Hash64
  const position = { hash, key: reader.text(), bucket: reader.text() }
  reader.end()
  return position
}
