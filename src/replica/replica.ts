// One node's copy of its partitions: merges views into records, persists them with the partition clock, answers what it knows.
// It never mints a dot, never talks to peers, and does not know who asks. Invariants: a change is one log entry (record and clock
// together); nothing is acknowledged or told before the bytes that it rests on are as durable as its bucket promises.

import { Split } from '../core/bytes.ts'
import { IDEMPOTENCY_WINDOW_MS, tagsSince } from '../core/causality/attempts.ts'
import type { Dot } from '../core/causality/dot.ts'
import { DotSet } from '../core/causality/dot-set.ts'
import { hybridFromMs, type HybridClock, msFromHybrid } from '../core/causality/hybrid-clock.ts'
import {
  decodeRecord,
  EMPTY_RECORD,
  splitRecord,
  isVacant,
  type KeyRecord,
  type Merged,
  mergeIntoRecord,
  unstrip,
  viewOf,
} from '../core/causality/record.ts'
import { expiryOf } from '../core/causality/steady-record.ts'
import { isLive, type Version } from '../core/causality/version.ts'
import type { Conflict, View } from '../core/causality/view.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import { invariant } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { RefusalReason } from '../protocol/messages.ts'
import { MERGED_BYTES_MAX } from '../storage/hint-store.ts'
import type { MemtableEntry } from '../storage/memtable.ts'
import type { Lsn, Storage } from '../storage/storage.ts'
import type { Filling } from './filling.ts'
import type { PartitionIndexes } from './partition-index.ts'
import { SyncWaits } from './sync-waits.ts'
import { type Tended, tendRecord } from './tending.ts'
import { outgrowsFrames, reasonToRefuse, type ReplicaLimits } from './write-limits.ts'
import { type Written, writtenOf } from './written.ts'

export interface KeyName {
  readonly partition: PartitionId
  readonly bucket: string
  readonly key: string
}

export interface WriteOptions {
  /** A client's first write meets the limits; healing does not: what was acknowledged elsewhere must find its place. */
  readonly intent: 'client' | 'repair' | 'handoff'
  readonly conflict: Conflict
  /** Resolve after the bytes are synced. */
  readonly durable: boolean
  /** How long that may take; after it, rejects with `timeout`. No bound when absent. */
  readonly budgetMs?: number
  /** Whether who asks has use for this replica's context: a home has its own. */
  readonly tellContext: boolean
}

export type WriteResult = Written | { readonly type: 'refused'; readonly reason: RefusalReason }

/** What this replica knows of a key; `view` is null where it has no record. */
export interface Look {
  readonly view: View | null
  readonly filling: boolean
}

export class Replica {
  readonly #storage: Storage
  readonly #indexes: PartitionIndexes
  readonly #filling: Filling
  readonly #hybrid: HybridClock
  readonly #clock: Clock
  readonly #limits: ReplicaLimits
  /** For the log: whoever tells what was found here waits for it. */
  readonly waits: SyncWaits

  constructor(parts: {
    storage: Storage
    indexes: PartitionIndexes
    filling: Filling
    hybrid: HybridClock
    clock: Clock
    limits: ReplicaLimits
  }) {
    this.#storage = parts.storage
    this.#indexes = parts.indexes
    this.#filling = parts.filling
    this.#hybrid = parts.hybrid
    this.#clock = parts.clock
    this.#limits = parts.limits
    this.waits = new SyncWaits(parts.storage, parts.clock)
  }

  isFilling(partition: PartitionId): boolean {
    return this.#filling.isFilling(partition)
  }

  /** Merges a view (causality rule: union of causally closed sets) and answers when it is as durable as asked. */
  write(name: KeyName, view: View, options: WriteOptions): WriteResult | Promise<WriteResult> {
    const entry = this.#entry(name)
    const before = entry ? decodeRecord(entry.bytes) : undefined
    const clock = this.#storage.clockOf(name.partition)
    const merged = mergeIntoRecord(before, clock, view, options.conflict)
    const wallMs = this.#clock.now()
    const time = this.#hybrid.read(wallMs)
    const nowMs = msFromHybrid(time)
    if (options.intent === 'client') {
      const reason = reasonToRefuse(this.#limits, this.#storage.isFull, { before, merged, view }, { wallMs, time })
      if (reason) return { type: 'refused', reason }
    } else if (options.intent === 'handoff') {
      if (outgrowsFrames(this.#limits, before, merged)) return { type: 'refused', reason: 'too-many-siblings' }
      // Who stands in for full homes must not fill them all the same.
      if (merged.stored && this.#storage.isFull && bringsContent(view))
        return { type: 'refused', reason: 'storage-full' }
    }
    const lsn = merged.changed ? this.#commit(name, entry, before, merged) : (entry?.lsn ?? this.#storage.lastLsn)
    // Said before the wait: after it the record may be another one.
    const result = writtenOf(
      { before, merged, view, clock, nowMs, filling: this.isFilling(name.partition) },
      {
        ...options,
        durable: options.durable && this.#storage.durable,
      },
    )
    return options.durable && !this.#storage.isSynced(lsn) ? this.waits.synced(lsn, result, options.budgetMs) : result
  }

  /** How far a hint may grow by merging: it travels whole. */
  get hintBytesMax(): number {
    return Math.max(MERGED_BYTES_MAX, this.#limits.siblingBytesMax)
  }

  /** Why a client's write may not be held for a home beside `held`, by the limits that the home has too; null: it may. */
  reasonNotToHold(held: View, view: View, conflict: Conflict): RefusalReason | null {
    const before: KeyRecord = { ...EMPTY_RECORD, versions: held.versions, deadTags: held.deadTags }
    const merged = mergeIntoRecord(before, held.seen, view, conflict)
    const wallMs = this.#clock.now()
    const now = { wallMs, time: this.#hybrid.read(wallMs) }
    return reasonToRefuse(this.#limits, this.#storage.isFull, { before, merged, view }, now)
  }

  /** What this replica knows of a key, once that is synced (a crash must not take back what was told) within the budget. */
  look(name: KeyName, durable: boolean, budgetMs?: number): Look | Promise<Look> {
    // A copy: values travel on while others are written.
    const entry = this.#storage.memtable.get(name.partition, name.bucket, name.key)
    const filling = this.isFilling(name.partition)
    if (!entry) return { view: null, filling }
    // The view is taken first and told later: it can only have become older.
    const look = { view: viewOf(decodeRecord(entry.bytes), this.#storage.clockOf(name.partition)), filling }
    return durable && entry.lsn > this.#storage.syncedLsn ? this.waits.synced(entry.lsn, look, budgetMs) : look
  }

  /** The part of `context` that this replica does not know for the key: neither held, nor superseded, nor collected. */
  missing(name: KeyName, context: DotSet): DotSet {
    const entry = this.#entry(name)
    const rest = context.subtract(this.#storage.clockOf(name.partition))
    if (rest.isEmpty || !entry) return rest
    const record = decodeRecord(entry.bytes)
    return rest.subtract(record.past).subtract(DotSet.of(...record.versions.map((v) => v.dot)))
  }

  // ── full exchange (core/causality rules on clocks) ───────────────────────────────────────────────────────────────

  /** A copy of the partition clock whose every dot is synced: what may be told to others. */
  async syncedClock(partition: PartitionId): Promise<DotSet> {
    const clock = this.#storage.clockOf(partition).clone()
    await this.#storage.synced(this.#storage.lastLsn)
    return clock
  }

  /** Merges one record of a peer's exchange; `peerClock` says what else the peer had seen when it took its snapshot. */
  mergeExchanged(name: KeyName, view: View, peerClock: DotSet | undefined, conflict: Conflict): Merged {
    const entry = this.#entry(name)
    const before = entry ? decodeRecord(entry.bytes) : undefined
    const merged = mergeIntoRecord(before, this.#storage.clockOf(name.partition), view, conflict, peerClock)
    if (merged.changed) this.#commit(name, entry, before, merged)
    return merged
  }

  /**
   * Settles one record in a leaf that differs from a complete peer's, whatever the clocks say; the view is empty where the peer has no
   * record. A filling replica takes the peer's word in full. Between complete replicas with equal clocks a live version that only one
   * side holds, and that the other has no record of, can only be damage there: the one that lost it takes it back, and nobody drops it.
   * But not where this clock has meanwhile got ahead of the peer's: the version may have been deleted since, and collected.
   */
  settle(name: KeyName, view: View, peerClock: DotSet, conflict: Conflict, filling: boolean): boolean {
    if (filling) return this.mergeExchanged(name, view, peerClock, conflict).changed
    const entry = this.#entry(name)
    if (entry && view.versions.length === 0) {
      const record = decodeRecord(entry.bytes)
      const nowMs = this.#nowMs()
      if (!record.versions.some((version) => isLive(version, nowMs)))
        return this.mergeExchanged(name, view, peerClock, conflict).changed
    }
    // An empty view changes nothing; a stub's says what was superseded there.
    if (entry) return this.mergeExchanged(name, view, undefined, conflict).changed
    // Expired versions may have been collected here a little earlier than there.
    const spentBeforeMs = this.#nowMs() + 2 * this.#limits.clockBoundMs
    const lost = view.versions.filter((v) => isLive(v, spentBeforeMs))
    const clock = this.#storage.clockOf(name.partition)
    if (lost.length === 0) return this.#learnDeadTags(name, view, conflict)
    if (!clock.isSubsetOf(peerClock)) return false
    const merged = mergeIntoRecord(undefined, clock.subtract(view.seen), view, conflict)
    this.#commit(name, entry, undefined, merged)
    return true
  }

  /**
   * Both have collected the write, but here its tag was not known: attempts of it that are still to come must die here too. Not a tag
   * that is being forgotten, else it would go round for ever; and no word on versions that have not come here yet.
   */
  #learnDeadTags(name: KeyName, view: View, conflict: Conflict): boolean {
    const sinceMs = this.#nowMs() - IDEMPOTENCY_WINDOW_MS
    const deadTags = tagsSince(view.deadTags, hybridFromMs(sinceMs))
    const clock = this.#storage.clockOf(name.partition)
    if (deadTags.length === 0 || !view.versions.every(({ dot }) => clock.has(dot))) return false
    return this.mergeExchanged(name, { versions: NO_VERSIONS, seen: view.seen, deadTags }, undefined, conflict).changed
  }

  /** The end of a full exchange: every record that differed was merged, so the peer's clock holds here too. */
  joinClock(partition: PartitionId, clock: DotSet): Lsn {
    if (clock.isSubsetOf(this.#storage.clockOf(partition))) return this.#storage.lastLsn
    return this.#storage.joinClock(partition, clock)
  }

  // ── upkeep ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** See `tending.ts`. */
  tend(
    entry: MemtableEntry,
    partition: PartitionId,
    stable: DotSet,
    spentBeforeMs: number,
    forgetTagsBeforeMs: number,
  ): Tended {
    const record = decodeRecord(entry.bytes)
    const clock = this.#storage.clockOf(partition)
    const { next, ...tended } = tendRecord(record, clock, stable, spentBeforeMs, forgetTagsBeforeMs)
    if (next !== record) this.#put({ partition, bucket: entry.bucket, key: entry.key }, entry, record, next, [])
    return tended
  }

  /**
   * After damage: the clock may claim dots whose records are lost. Every kept record first says by itself all that it had seen,
   * then the clock shrinks to the dots of the kept versions, and everything is filled anew.
   */
  async rebuildAfterDamage(epoch: string): Promise<void> {
    for (const partition of this.#storage.partitions()) {
      const before = this.#storage.clockOf(partition).clone()
      const kept = DotSet.empty()
      for (const { bytes } of this.#storage.memtable.scan(partition, null))
        for (const { dot } of decodeRecord(bytes).versions) kept.add(dot)
      // First: should this end here, what is written below must not be read beside a clock that says more.
      this.#storage.replaceClock(partition, kept)
      for (const { bucket, key, bytes, lsn } of this.#storage.memtable.scan(partition, null)) {
        const record = unstrip(decodeRecord(bytes), this.#storage.clockFor(partition, lsn, before))
        // And again in each batch, for the same reason: damage may take any one before these are checkpoints.
        if (this.#storage.beginsBatch) this.#storage.replaceClock(partition, kept)
        this.#storage.putRecord(partition, bucket, key, isVacant(record) ? null : splitRecord(record), [])
      }
      this.#indexes.forget(partition)
    }
    await this.#filling.begin(epoch)
    await this.#storage.quarantineDone()
  }

  /** Its bytes are good until the next change. */
  #entry(name: KeyName): MemtableEntry | undefined {
    return this.#storage.memtable.peek(name.partition, name.bucket, name.key)
  }

  #nowMs(): number {
    return msFromHybrid(this.#hybrid.read(this.#clock.now()))
  }

  #commit(name: KeyName, entry: MemtableEntry | undefined, before: KeyRecord | undefined, merged: Merged): Lsn {
    return this.#put(name, entry, before ?? EMPTY_RECORD, merged.record, merged.received)
  }

  #put(
    name: KeyName,
    entry: MemtableEntry | undefined,
    before: KeyRecord,
    after: KeyRecord | null,
    received: readonly Dot[],
  ): Lsn {
    const bytes = after && splitRecord(after)
    const dueAtMs = bytes === null ? Infinity : expiryOf(bytes instanceof Split ? bytes.head : bytes, 0)
    const lsn = this.#storage.putRecord(name.partition, name.bucket, name.key, bytes, received)
    const at = entry ?? this.#entry(name)
    invariant(at !== undefined || after === null, 'what was stored is there')
    if (at) this.#indexes.update(name.partition, at, before, after, dueAtMs)
    this.#checkHome(name.partition, after)
    return lsn
  }

  /** dots(S) ⊆ K: what is held was received. */
  #checkHome(partition: PartitionId, record: KeyRecord | null): void {
    if (!record) return
    const clock = this.#storage.clockOf(partition)
    for (const { dot } of record.versions) invariant(clock.has(dot), 'a held dot is in the partition clock')
  }
}

const NO_VERSIONS: readonly Version[] = []

function bringsContent({ versions }: View): boolean {
  return versions.some(({ content }) => content !== null)
}
