// What the clients know of every key: who wrote what on top of which context, with which outcome. The checkers judge by this and never
// by what a node says of itself. Where a client cannot know (the dot of a write that broke off, what `latest` found), it is told what
// left the coordinator. Invariant: a write is one record, however many attempts, dots and coordinators it had.

import type { CausalContext } from '../core/causality/context-token.ts'
import { type Dot, formatDot } from '../core/causality/dot.ts'
import { DotSet } from '../core/causality/dot-set.ts'
import type { Version } from '../core/causality/version.ts'
import type { Conflict, View } from '../core/causality/view.ts'
import type { BucketSettings } from '../core/membership/bucket-settings.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import { claimOf } from './values.ts'

/** `unknown`: may have been applied. `void`: answered as certainly not applied. */
export type Fate = 'pending' | 'acknowledged' | 'unknown' | 'void'

interface Attempt {
  readonly dot: Dot
  seen: DotSet
  readonly stamp: number
  /** When it first left its coordinator; null: nobody saw that. */
  readonly sentAt: number | null
}

export class WriteRecord {
  readonly id: string
  readonly kind: 'put' | 'delete'
  readonly startedAt: number
  readonly ttlMs: number | null
  /** What its client said that it had seen; null: the coordinator was to find out. */
  readonly context: DotSet | null
  /** Carries an idempotency key: its attempts have a dot each. */
  readonly tagged: boolean
  fate: Fate = 'pending'
  /** Attempts without an outcome. */
  open = 0
  /** The first acknowledgement; Infinity: none. */
  acknowledgedAt: number = Infinity
  lastEndedAt = 0
  /** The least W of an acknowledged attempt. */
  required: number = Infinity
  /** Processes that ended while it was under way, with something of its key that no disk had. */
  copiesLost = 0
  readonly acknowledgedDots: Dot[] = []
  /** Of each attempt that was sent or acknowledged: everything that it supersedes. */
  readonly attempts: Map<string, Attempt> = new Map()

  constructor(given: Pick<WriteRecord, 'id' | 'kind' | 'startedAt' | 'ttlMs' | 'context' | 'tagged'>) {
    this.id = given.id
    this.kind = given.kind
    this.startedAt = given.startedAt
    this.ttlMs = given.ttlMs
    this.context = given.context
    this.tagged = given.tagged
  }

  get dots(): readonly Dot[] {
    return [...this.attempts.values()].map(({ dot }) => dot)
  }

  get stamp(): number {
    let most = 0
    for (const { stamp } of this.attempts.values()) most = Math.max(most, stamp)
    return most
  }

  /** Infinity: nothing was sent. */
  get leastStamp(): number {
    let least = Infinity
    for (const { stamp } of this.attempts.values()) least = Math.min(least, stamp)
    return least
  }

  isIn(set: DotSet): boolean {
    for (const { dot } of this.attempts.values()) if (set.has(dot)) return true
    return false
  }

  /** Whether some attempt of this write was made by somebody who had seen some attempt of the other. */
  covers(other: WriteRecord): boolean {
    if (other === this) return false
    for (const { seen } of this.attempts.values()) if (other.isIn(seen)) return true
    return false
  }
}

export class KeyHistory {
  readonly bucket: string
  readonly key: string
  readonly partition: PartitionId
  readonly conflict: Conflict
  readonly settings: BucketSettings
  /** In the order in which they began; `note` adds one. */
  readonly writes: WriteRecord[] = []
  readonly #byId = new Map<string, WriteRecord>()
  readonly byDot: Map<string, WriteRecord> = new Map()
  /** All that strict operations which have ended must have in common with those that begin now. */
  strict: DotSet = DotSet.empty()
  /** Of these, what was acknowledged or shown itself. */
  told: DotSet = DotSet.empty()
  /** Where the last writer wins: of these, what only came when a greater one was gone. Nothing is left that it would give way to. */
  readonly late: DotSet = DotSet.empty()
  /** Every acknowledged write that ended so far. */
  acknowledged: DotSet = DotSet.empty()
  /** Writes that a strict read called expired, by the time at which it ended. */
  readonly expiredAt: Map<WriteRecord, number> = new Map()
  /** Strict reads prove nothing while a copy of this key is known to be lost unnoticed. */
  suspended = false
  suspendedAt = -1
  /** Nobody touches it: a copy is lost behind its node's back, and only a comparison of trees is to find that. */
  quiet = false
  /** Operations under way. */
  busy = 0

  constructor(given: Pick<KeyHistory, 'bucket' | 'key' | 'partition' | 'settings'>) {
    this.bucket = given.bucket
    this.key = given.key
    this.partition = given.partition
    this.settings = given.settings
    this.conflict = given.settings.conflict
  }

  get name(): string {
    return `${this.bucket}/${this.key}`
  }

  note(write: WriteRecord): void {
    this.writes.push(write)
    this.#byId.set(write.id, write)
  }

  find(id: string): WriteRecord | undefined {
    return this.#byId.get(id)
  }

  /** The write whose value this is; null: nobody's. */
  writeOf(version: Version): WriteRecord | null {
    const known = this.byDot.get(formatDot(version.dot))
    if (version.content === null) return known ?? null
    const claim = claimOf(version.content.bytes)
    if (!claim || claim.bucket !== this.bucket || claim.key !== this.key) return null
    return this.find(claim.writeId) ?? null
  }

  /** What left a coordinator for the replicas. */
  noteSent(view: View, now: number): WriteRecord | null {
    const [version] = view.versions
    if (!version) return null
    let write = this.writeOf(version)
    if (!write && version.content === null) {
      // A deletion's value names nobody: it is known by its dot alone.
      write = new WriteRecord({
        id: `of ${formatDot(version.dot)}`,
        kind: 'delete',
        startedAt: now,
        ttlMs: null,
        context: null,
        tagged: false,
      })
      write.fate = 'unknown'
      this.note(write)
    }
    if (!write) return null
    this.noteAttempt(write, version, view.seen, now)
    return write
  }

  noteAttempt(
    write: WriteRecord,
    { dot, stamp }: Pick<Version, 'dot' | 'stamp'>,
    seen: DotSet,
    sentAt: number | null,
  ): void {
    const name = formatDot(dot)
    this.byDot.set(name, write)
    const known = write.attempts.get(name)
    if (known) known.seen = known.seen.union(seen)
    else write.attempts.set(name, { dot, seen: seen.clone(), stamp, sentAt })
  }

  noteAcknowledged(write: WriteRecord, dot: Dot, now: number, required: number): void {
    write.fate = 'acknowledged'
    write.acknowledgedAt = Math.min(write.acknowledgedAt, now)
    write.required = Math.min(write.required, required)
    write.acknowledgedDots.push(dot)
    this.acknowledged.add(dot)
    if (write.required <= write.copiesLost) this.release(write)
  }

  /** More was lost than its acknowledgement stands on: it may be there still, or not. */
  release(write: WriteRecord): void {
    if (write.fate !== 'acknowledged') return
    write.fate = 'unknown'
    write.acknowledgedDots.length = 0
    for (const dot of write.dots) for (const set of [this.acknowledged, this.strict, this.told]) set.remove(dot)
  }

  /** Joined by every operation that ended strict. */
  joinStrict(seen: DotSet): void {
    this.strict.addAll(seen)
  }
}

export class History {
  readonly keys: Map<string, KeyHistory> = new Map()
  readonly #settingsOf: (bucket: string) => BucketSettings
  readonly #partitionOf: (bucket: string, key: string) => PartitionId

  constructor(
    settingsOf: (bucket: string) => BucketSettings,
    partitionOf: (bucket: string, key: string) => PartitionId,
  ) {
    this.#settingsOf = settingsOf
    this.#partitionOf = partitionOf
  }

  of(bucket: string, key: string): KeyHistory {
    const name = `${bucket}/${key}`
    let known = this.keys.get(name)
    if (!known) {
      known = new KeyHistory({
        bucket,
        key,
        partition: this.#partitionOf(bucket, key),
        settings: this.#settingsOf(bucket),
      })
      this.keys.set(name, known)
    }
    return known
  }

  ofBucket(bucket: string): KeyHistory[] {
    return [...this.keys.values()].filter((key) => key.bucket === bucket)
  }
}

export function seenBy(context: CausalContext | null): DotSet {
  return context?.seen ?? DotSet.empty()
}
