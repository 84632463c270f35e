// What a storage holds in memory: records, partition clocks, catalog, hints. One way to apply a change, live and in recovery.
// Knows nothing of logs or disks. Invariant: equal sequences of changes give equal states, and a change applied twice in a row is one.

import { kept as keptBytes, MalformedBytes, type Split, TAIL_BYTES_MIN } from '../core/bytes.ts'
import { type Dot, LIFE_BYTES } from '../core/causality/dot.ts'
import { DotSet } from '../core/causality/dot-set.ts'
import { decodeRecord, splitRecord } from '../core/causality/record.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import { ClocksAtLoss } from './clocks-at-loss.ts'
import type { Entry, Lsn } from './entries.ts'
import type { EntryTarget } from './entry-reader.ts'
import type { HintStore } from './hint-store.ts'
import { PackedMemtable } from './packed-memtable.ts'

const CLOCK_BYTES = { life: LIFE_BYTES + 2, interval: 4 }

export class StorageState implements EntryTarget {
  readonly memtable: PackedMemtable
  readonly catalog: Map<string, Uint8Array> = new Map()
  readonly hints: HintStore
  readonly #clocks = new Map<PartitionId, DotSet>()
  readonly #atLoss = new ClocksAtLoss()
  // One request asks for the clock of one partition several times.
  #lastPartition: PartitionId = -1
  #lastClock: DotSet = DotSet.empty()

  constructor(hints: HintStore, deadBytesMin = 0) {
    this.hints = hints
    this.memtable = new PackedMemtable(deadBytesMin)
  }

  /** Live: it grows with the partition. Another object after `replaceClock`. */
  clockOf(partition: PartitionId): DotSet {
    if (partition === this.#lastPartition) return this.#lastClock
    let clock = this.#clocks.get(partition)
    if (!clock) this.#clocks.set(partition, (clock = DotSet.empty()))
    this.#lastPartition = partition
    this.#lastClock = clock
    return clock
  }

  /** With a clock or records, ascending. */
  partitions(): PartitionId[] {
    const known = new Set(this.memtable.partitions())
    for (const [partition, clock] of this.#clocks) if (!clock.isEmpty) known.add(partition)
    return [...known].sort((a, b) => a - b)
  }

  /** About what clocks and catalog take in checkpoints. Costs a look at every partition. */
  get bytesBesideRecords(): number {
    let bytes = 0
    for (const clock of this.#clocks.values())
      bytes += CLOCK_BYTES.life * clock.lifeCount + CLOCK_BYTES.interval * clock.intervalCount
    for (const [name, value] of this.catalog) bytes += name.length + value.length
    return bytes
  }

  /** Returns the record as it is kept. */
  putRecord(
    partition: PartitionId,
    bucket: string,
    key: string,
    record: Buffer | Split | null,
    received: readonly Dot[],
    lsn: Lsn,
  ): Buffer | Split | null {
    if (record === null) this.memtable.remove(partition, bucket, key)
    const kept = record && this.memtable.put(partition, bucket, key, record, lsn)
    if (received.length > 0) {
      const clock = this.clockOf(partition)
      for (const dot of received) clock.add(dot)
    }
    return kept
  }

  joinClock(partition: PartitionId, clock: DotSet): void {
    this.clockOf(partition).addAll(clock)
  }

  /** In recovery: changes up to this one are missing. `isToldBy`: whether a partition's clock is that of the records as they are now. */
  noteLoss(last: Lsn, isToldBy: (partition: PartitionId) => boolean): void {
    this.#atLoss.note(last, () => {
      const told = [...this.#clocks].filter(([partition]) => isToldBy(partition))
      return new Map(told.map(([partition, clock]) => [partition, clock.clone()]))
    })
  }

  /** By which the past of a record that was last written with this change is told: `clock`, that of now, unless something is missing after it. */
  clockFor(partition: PartitionId, lsn: Lsn, clock: DotSet): DotSet {
    return this.#atLoss.clockFor(partition, lsn, clock)
  }

  /** What was lost is made up for. */
  forgetLosses(): void {
    this.#atLoss.clear()
  }

  replaceClock(partition: PartitionId, clock: DotSet): void {
    this.#clocks.set(partition, clock.clone())
    this.#lastPartition = -1
  }

  setCatalog(name: string, bytes: Uint8Array | null): void {
    if (bytes === null) this.catalog.delete(name)
    else this.catalog.set(name, bytes)
  }

  /** What was read back. Views on what was read are copied: they must not keep a whole read buffer alive. */
  record(
    partition: PartitionId,
    bucket: string,
    key: Uint8Array,
    record: Uint8Array | null,
    received: readonly Dot[],
    lsn: Lsn,
  ): void {
    if (received.length > 0) {
      const clock = this.clockOf(partition)
      for (const dot of received) clock.add(dot)
    }
    if (record !== null) this.memtable.put(partition, bucket, key, withTail(record), lsn)
    else this.memtable.remove(partition, bucket, key)
  }

  entry(entry: Entry): void {
    switch (entry.type) {
      case 'clock':
        if (entry.replace) return this.replaceClock(entry.partition, entry.clock)
        return this.joinClock(entry.partition, entry.clock)
      case 'catalog':
        return this.setCatalog(entry.name, entry.bytes && Buffer.from(entry.bytes))
      case 'hint':
        return this.hints.restore({ ...entry.hint, view: keptBytes(entry.hint.view) })
      case 'hint-removed':
        return this.hints.restoreRemoval(entry.target, entry.address)
      case 'hints-dropped':
        return this.hints.restoreDrop(entry.target)
      case 'clean-shutdown':
      case 'footer':
        return
    }
  }
}

/** As it was when it was written; what is no record stays in one piece. */
function withTail(record: Uint8Array): Uint8Array | Split {
  if (record.length < TAIL_BYTES_MIN) return record
  try {
    return splitRecord(decodeRecord(record))
  } catch (error) {
    if (error instanceof MalformedBytes) return record
    throw error
  }
}
