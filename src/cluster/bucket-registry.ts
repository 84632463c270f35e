// What the buckets promise, as this node knows it: keeps the table durable, brings it together with every peer's, and changes it. What
// is fixed about a bucket is settled in two steps with every member's word (nobody holds keys of it; nobody is settling it otherwise).
// Invariant: two nodes serve a key only when their settings for its bucket are equal.

import { MalformedBytes } from '../core/bytes.ts'
import { hash64, hexOf } from '../core/hash64.ts'
import {
  type BucketSettings,
  type BucketTable,
  type ConfiguredBucket,
  decodeBucketTable,
  encodeBucketTable,
  FIXED_SETTINGS,
  mergeBucketTables,
} from '../core/membership/bucket-settings.ts'
import { UNSETTLED } from '../core/membership/directory.ts'
import type { Peers } from '../link/peers.ts'
import type { Clock } from '../ports/clock.ts'
import type { Storage } from '../storage/storage.ts'

export type BucketChange =
  | { readonly type: 'ok'; readonly settings: BucketSettings }
  | { readonly type: 'bucket-fixed'; readonly property: string }
  | { readonly type: 'members-unreachable'; readonly members: readonly string[] }

export interface BucketRegistryParts {
  readonly storage: Storage
  readonly peers: Peers
  readonly clock: Clock
  readonly members: () => readonly string[]
  readonly self: string
  readonly defaults: () => BucketSettings
  readonly budgetMs: number
}

const CATALOG = 'buckets'

// How long a member keeps a bucket's settings open for the one who is settling them. Who settles takes half of that at most, so that
// the result is everywhere before the first promise ends.
const PROMISE_MS = 10_000
const RELEASE_BUDGET_MS = 500

const TABLE = 0
const PROPOSAL = 1
const GRANTED = 2
const HOLDS_KEYS = 3
const OTHERWISE = 4
/** Nothing came of a proposal: its bucket need not be kept open. */
const RELEASE = 5

export class BucketRegistry {
  readonly #parts: BucketRegistryParts
  #table: BucketTable
  #digest: string
  readonly #versions = new Map<string, { readonly settings: BucketSettings; readonly version: number }>()
  readonly #promises = new Map<string, { readonly until: number; readonly by: string }>()
  #hasHeard = false

  constructor(parts: BucketRegistryParts) {
    this.#parts = parts
    const kept = parts.storage.catalog(CATALOG)
    this.#table = kept ? decodeBucketTable(kept) : new Map()
    this.#digest = digestOf(this.#table)
  }

  get digest(): string {
    return this.#digest
  }

  get configured(): BucketTable {
    return this.#table
  }

  /** Whether some peer has told its table since the start: what a new storage says of buckets before that are the defaults alone. */
  get hasHeard(): boolean {
    return this.#hasHeard
  }

  /** The settings in force, with a version that is equal on two nodes iff the settings are. */
  settingsOf(bucket: string): { readonly settings: BucketSettings; readonly version: number } {
    const settled = this.#settledOf(bucket)
    return this.#promises.size > 0 && this.#promiseOf(bucket) ? { ...settled, version: UNSETTLED } : settled
  }

  #settledOf(bucket: string): { readonly settings: BucketSettings; readonly version: number } {
    const known = this.#versions.get(bucket)
    if (known) return known
    const configured = this.#table.get(bucket)
    const entry = configured
      ? {
          settings: configured.settings,
          version: hash64(encodeBucketTable(new Map([[bucket, configured]])).toString('latin1')).hi,
        }
      : { settings: this.#parts.defaults(), version: 0 }
    // A name is remembered only while it costs little: buckets can be named by anybody.
    if (this.#versions.size < 10_000) this.#versions.set(bucket, entry)
    return entry
  }

  encode(): Buffer {
    return Buffer.concat([Buffer.of(TABLE), encodeBucketTable(this.#table)])
  }

  /** Answers a peer: an exchange of tables, or a proposal. Throws `MalformedBytes`. */
  answer(from: string, bytes: Uint8Array): Buffer {
    const body = bytes.subarray(1)
    if (bytes[0] === TABLE) {
      this.#merge(decodeBucketTable(body))
      return this.encode()
    }
    if (bytes[0] !== PROPOSAL && bytes[0] !== RELEASE) throw new MalformedBytes('unknown settings message')
    const proposal = decodeProposal(body)
    if (bytes[0] === PROPOSAL) return Buffer.of(this.#consider(from, proposal.bucket, proposal.configured))
    this.#release(from, proposal.bucket)
    return Buffer.of(RELEASE)
  }

  /** What a peer answered to `encode()`. */
  merge(bytes: Uint8Array): void {
    if (bytes[0] === TABLE) this.#merge(decodeBucketTable(bytes.subarray(1)))
  }

  async change(bucket: string, changes: Partial<BucketSettings>): Promise<BucketChange> {
    const { settings: before } = this.#settledOf(bucket)
    const settings: BucketSettings = { ...before, ...changes }
    const configured = this.#table.get(bucket)
    const next: ConfiguredBucket = { settings, revision: (configured?.revision ?? 0) + 1 }
    const fixed = FIXED_SETTINGS.find((property) => settings[property] !== before[property])
    if (fixed !== undefined && configured) return { type: 'bucket-fixed', property: fixed }
    // Somebody is settling it: what comes of that is not known yet.
    const settler = this.#promiseOf(bucket)?.by
    if (settler !== undefined) return { type: 'members-unreachable', members: [settler] }
    if (fixed !== undefined) {
      const refusal = await this.#settle(bucket, next, fixed)
      if (refusal) {
        this.#release(this.#parts.self, bucket)
        // As far as they can be reached: a promise also ends by itself.
        const release = encodeProposal(RELEASE, bucket, next)
        await Promise.all(this.#others().map((member) => this.#ask(member, release, RELEASE_BUDGET_MS)))
        return refusal
      }
    }
    this.#promises.delete(bucket)
    this.#merge(new Map([[bucket, next]]))
    await this.#parts.storage.synced(this.#parts.storage.lastLsn)
    await Promise.all(this.#others().map((member) => this.#ask(member, this.encode(), this.#parts.budgetMs)))
    return { type: 'ok', settings: this.#settledOf(bucket).settings }
  }

  async #settle(bucket: string, next: ConfiguredBucket, property: string): Promise<BucketChange | null> {
    const others = this.#others()
    const away = others.filter((member) => !this.#parts.peers.reachable(member))
    if (away.length > 0) return { type: 'members-unreachable', members: away }
    const startedAt = this.#parts.clock.monotonic()
    if (this.#consider(this.#parts.self, bucket, next) !== GRANTED) return { type: 'bucket-fixed', property }
    const proposal = encodeProposal(PROPOSAL, bucket, next)
    const budgetMs = Math.min(this.#parts.budgetMs, PROMISE_MS / 2)
    const answers = await Promise.all(others.map((member) => this.#ask(member, proposal, budgetMs)))
    if (answers.some((answer) => answer !== null && answer[0] !== GRANTED)) return { type: 'bucket-fixed', property }
    // A process that stood still meanwhile must not go on with promises that may be over.
    const isLate = this.#parts.clock.monotonic() - startedAt > PROMISE_MS / 2
    const silent = others.filter((_, i) => isLate || answers[i] === null)
    return silent.length > 0 ? { type: 'members-unreachable', members: silent } : null
  }

  #consider(from: string, bucket: string, proposed: ConfiguredBucket): number {
    const { storage, clock } = this.#parts
    const configured = this.#table.get(bucket)
    if (configured && configured.revision >= proposed.revision) return OTHERWISE
    for (const name of [...this.#promises.keys()]) this.#promiseOf(name)
    const promise = this.#promiseOf(bucket)
    if (promise && promise.by !== from) return OTHERWISE
    if (storage.memtable.usageOf(bucket).keys > 0 || storage.hints.holdsBucket(bucket)) return HOLDS_KEYS
    this.#promises.set(bucket, { until: clock.monotonic() + PROMISE_MS, by: from })
    return GRANTED
  }

  /** The promise that holds now; one that is over is forgotten. */
  #promiseOf(bucket: string): { readonly until: number; readonly by: string } | undefined {
    const promise = this.#promises.get(bucket)
    if (promise && promise.until <= this.#parts.clock.monotonic()) this.#promises.delete(bucket)
    return this.#promises.get(bucket)
  }

  #release(from: string, bucket: string): void {
    if (this.#promises.get(bucket)?.by === from) this.#promises.delete(bucket)
  }

  async #ask(member: string, settings: Uint8Array, budgetMs: number): Promise<Uint8Array | null> {
    try {
      const { reply } = await this.#parts.peers.request(member, { type: 'settings', settings }, { budgetMs })
      if (reply.type === 'refused') return null
      if (settings[0] === TABLE) this.merge(reply.settings)
      return reply.settings
    } catch {
      return null
    }
  }

  #others(): readonly string[] {
    return this.#parts.members().filter((member) => member !== this.#parts.self)
  }

  #merge(theirs: BucketTable): void {
    this.#hasHeard = true
    const merged = mergeBucketTables(this.#table, theirs)
    const digest = digestOf(merged)
    if (digest === this.#digest) return
    for (const bucket of theirs.keys()) {
      this.#versions.delete(bucket)
      this.#promises.delete(bucket)
    }
    this.#table = merged
    this.#digest = digest
    this.#parts.storage.setCatalog(CATALOG, encodeBucketTable(merged))
  }
}

function digestOf(table: BucketTable): string {
  return hexOf(hash64(encodeBucketTable(table).toString('latin1')))
}

function encodeProposal(type: number, bucket: string, configured: ConfiguredBucket): Buffer {
  return Buffer.concat([Buffer.of(type), encodeBucketTable(new Map([[bucket, configured]]))])
}

function decodeProposal(bytes: Uint8Array): { readonly bucket: string; readonly configured: ConfiguredBucket } {
  const [entry] = decodeBucketTable(bytes)
  if (!entry) throw new MalformedBytes('an empty proposal')
  return { bucket: entry[0], configured: entry[1] }
}
