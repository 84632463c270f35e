// A whole node in one Map: naive, alone, in memory. It keeps the causal rules that clients can see (blind writes make siblings, a
// context supersedes what it saw) and lets a test choose any outcome instead. Knows nothing of HTTP.

import { createHmac } from 'node:crypto'
import { type CausalContext, SEAL_CHARS, sealContext, type Sealer } from '../../src/core/causality/context-token.ts'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { compareDots, formatDot } from '../../src/core/causality/dot.ts'
import { hybridFromMs, HybridClock, type HybridTime } from '../../src/core/causality/hybrid-clock.ts'
import { isLive, type Version } from '../../src/core/causality/version.ts'
import { type BucketSettings, DEFAULT_BUCKET, type Level } from '../../src/core/membership/bucket-settings.ts'
import type {
  Coordinator,
  DeleteOptions,
  DeleteOutcome,
  ExplainEntry,
  GetOptions,
  GetOutcome,
  KeyOptions,
  ListOptions,
  ListOutcome,
  PutOptions,
  PutOutcome,
  Receipt,
} from '../../src/coordinator/operations.ts'
import type {
  BucketOutcome,
  DevLinks,
  KeyPlacement,
  NodeApi,
  Readiness,
  RepairOutcome,
  RepairStatus,
} from '../../src/node/api.ts'

const LIFE = '0123456789abcdef'
const NAMES = ['node-0', 'node-1', 'node-2']
const CLUSTER = '6f1c8c1e-0d6b-4c63-9d43-1f0c9d1f7a11'

interface Held {
  versions: Version[]
  seen: DotSet
  stamp: HybridTime
}

export class FakeNode implements NodeApi, Coordinator {
  readonly name = 'node-0'
  readonly version = '0.1.0-test'
  readonly coordinator: Coordinator = this
  clusterId: string | null = CLUSTER
  ready: Readiness = { ready: true }
  now: number = Date.UTC(2030, 0, 2, 3, 4, 5, 678)
  /** When set, the next operations answer with it. */
  nextGet: GetOutcome | null = null
  nextPut: PutOutcome | null = null
  nextDelete: DeleteOutcome | null = null
  nextList: ListOutcome | null = null
  nextBucket: BucketOutcome | null = null
  throwNext: Error | null = null
  /** What operations were asked for, last first. */
  readonly asked: (GetOptions | PutOptions | DeleteOptions | ListOptions)[] = []
  /** Of the members, in order; where there is none nobody listens. */
  clientAddresses: readonly string[] = []
  links: DevLinks | null = null
  devLinks: ((links: DevLinks) => void) | null = (links) => {
    this.links = links
  }
  readonly sealer: Sealer = {
    seal: (bucket, key, payload) =>
      createHmac('sha256', 'fake')
        .update(JSON.stringify([this.clusterId, bucket, key, payload]))
        .digest('base64url')
        .slice(0, SEAL_CHARS),
    verify: (bucket, key, payload, seal) => this.sealer.seal(bucket, key, payload) === seal,
  }
  readonly #keys = new Map<string, Held>()
  readonly #buckets = new Map<string, BucketSettings>()
  readonly #clock = new HybridClock()
  readonly #tags = new Map<string, { readonly body: string; readonly outcome: PutOutcome }>()
  #counter = 0

  #held(bucket: string, key: string): Held {
    const id = JSON.stringify([bucket, key])
    let held = this.#keys.get(id)
    if (held === undefined) {
      held = { versions: [], seen: DotSet.empty(), stamp: 0 }
      this.#keys.set(id, held)
    }
    return held
  }

  #live(held: Held): Version[] {
    return held.versions.filter((version) => isLive(version, this.now))
  }

  #begin(options: GetOptions | PutOptions | DeleteOptions | ListOptions): void {
    this.asked.unshift(options)
    const error = this.throwNext
    this.throwNext = null
    if (error !== null) throw error
  }

  #receipt(options: KeyOptions, level: Level, more: Partial<Receipt> = {}): Receipt {
    const required = level === 'one' ? 1 : level === 'quorum' ? 2 : level === 'all' ? 3 : level
    const { ring } = this.place(options.bucket, options.key)
    return { n: 3, required, replied: 3, hinted: 0, durable: 0, guarantee: 'strict', node: this.name, ring, ...more }
  }

  #told(options: KeyOptions, receipt: Receipt): { receipt: Receipt; explain?: ExplainEntry[] } {
    if (options.explain !== true) return { receipt }
    return {
      receipt,
      explain: NAMES.map((node) => ({
        node,
        role: 'home',
        answer: 'stored',
        versions: [`${LIFE}-1`],
        elapsedMs: 0.25,
      })),
    }
  }

  #etag(versions: readonly Version[]): string {
    return versions.map((version) => formatDot(version.dot)).join('+')
  }

  get(options: GetOptions): Promise<GetOutcome> {
    this.#begin(options)
    if (this.nextGet !== null) return Promise.resolve(this.nextGet)
    const level = options.r ?? 'quorum'
    const told = this.#told(options, this.#receipt(options, level))
    if (typeof level === 'number' && level > 3)
      return Promise.resolve({ type: 'bad-quorum', detail: `R=${level} of 3`, ...told })
    const held = this.#held(options.bucket, options.key)
    if (options.context !== undefined && !options.context.seen.isSubsetOf(held.seen)) {
      return Promise.resolve({ type: 'context-not-reached', ...told })
    }
    const versions = this.#live(held)
    const context = this.#context(held)
    if (versions.length === 0) {
      return Promise.resolve({ type: 'not-found', context: held.seen.isEmpty ? null : context, ...told })
    }
    return Promise.resolve({ type: 'found', versions, context, etag: this.#etag(versions), ...told })
  }

  #context(held: Held): CausalContext {
    return { seen: held.seen.clone(), stamp: held.stamp, tags: [] }
  }

  put(options: PutOptions): Promise<PutOutcome> {
    this.#begin(options)
    if (this.nextPut !== null) return Promise.resolve(this.nextPut)
    const level = options.w ?? 'quorum'
    const told = this.#told(options, this.#receipt(options, level, { durable: 3 }))
    if (typeof level === 'number' && level > 3)
      return Promise.resolve({ type: 'bad-quorum', detail: `W=${level} of 3`, ...told })
    const body = Buffer.from(options.content.bytes).toString('latin1')
    if (options.idempotencyKey !== undefined) {
      const known = this.#tags.get(JSON.stringify([options.bucket, options.key, options.idempotencyKey]))
      if (known !== undefined) {
        return Promise.resolve(known.body === body ? known.outcome : { type: 'idempotency-mismatch', ...told })
      }
    }
    const held = this.#held(options.bucket, options.key)
    const before = this.#live(held)
    const guarded = this.#guard(options, before)
    if (guarded !== null) return Promise.resolve({ type: 'precondition-failed', etag: guarded.etag, ...told })
    const { context } = options
    const readsFirst = options.precondition !== undefined || context === 'latest'
    const past = readsFirst ? held.seen.clone() : (context?.seen ?? DotSet.empty())
    const dot = { life: LIFE, counter: ++this.#counter }
    const stamp = this.#clock.tick(this.now, held.stamp)
    const after = { seen: past.clone(), stamp, tags: [] }
    after.seen.add(dot)
    if (sealContext(after, options.bucket, options.key, this.sealer) === null)
      return Promise.resolve({ type: 'context-too-large', ...told })
    const deadlineMs = options.ttlMs === undefined ? null : this.now + options.ttlMs
    held.versions = held.versions.filter((version) => !past.has(version.dot))
    held.versions.push({ dot, stamp, deadlineMs, tag: null, content: options.content })
    held.versions.sort((a, b) => compareDots(a.dot, b.dot))
    held.seen.addAll(after.seen)
    held.stamp = stamp
    const live = this.#live(held)
    const outcome: PutOutcome = {
      type: 'stored',
      created: before.length === 0,
      context: after,
      version: dot,
      siblings: live.length,
      etag: live.length === 1 ? this.#etag(live) : null,
      ...(options.returnRepresentation === true && { representation: live }),
      ...told,
    }
    if (options.idempotencyKey !== undefined) {
      this.#tags.set(JSON.stringify([options.bucket, options.key, options.idempotencyKey]), { body, outcome })
    }
    return Promise.resolve(outcome)
  }

  /** What is there instead when the precondition fails; null when it holds. */
  #guard(
    { precondition }: PutOptions | DeleteOptions,
    live: readonly Version[],
  ): { readonly etag: string | null } | null {
    if (precondition === undefined) return null
    const etag = live.length === 0 ? null : this.#etag(live)
    const holds =
      precondition.type === 'none'
        ? etag === null
        : etag !== null && (precondition.etags === '*' || precondition.etags.includes(etag))
    return holds ? null : { etag }
  }

  delete(options: DeleteOptions): Promise<DeleteOutcome> {
    this.#begin(options)
    if (this.nextDelete !== null) return Promise.resolve(this.nextDelete)
    const held = this.#held(options.bucket, options.key)
    const live = this.#live(held)
    const receipt = this.#receipt(options, options.w ?? 'quorum', { durable: 3 })
    const guarded = this.#guard(options, live)
    if (guarded !== null)
      return Promise.resolve({ type: 'precondition-failed', etag: guarded.etag, ...this.#told(options, receipt) })
    const context = options.context ?? 'latest'
    const past = context !== 'latest' && options.precondition === undefined ? context.seen : held.seen.clone()
    const superseded = live.filter((version) => past.has(version.dot)).length
    const told = this.#told(options, { ...receipt, superseded })
    if (superseded === 0) {
      return Promise.resolve({
        type: 'deleted',
        version: null,
        context: held.seen.isEmpty ? null : this.#context(held),
        ...told,
      })
    }
    const dot = { life: LIFE, counter: ++this.#counter }
    held.versions = held.versions.filter((version) => !past.has(version.dot))
    held.seen.add(dot)
    held.stamp = this.#clock.tick(this.now, held.stamp)
    const seen = past.clone()
    seen.add(dot)
    return Promise.resolve({ type: 'deleted', version: dot, context: { seen, stamp: held.stamp, tags: [] }, ...told })
  }

  list(options: ListOptions): Promise<ListOutcome> {
    this.#begin(options)
    if (this.nextList !== null) return Promise.resolve(this.nextList)
    const all: string[] = []
    for (const [id, held] of this.#keys) {
      const [bucket, key] = JSON.parse(id) as [string, string]
      if (bucket === options.bucket && key.startsWith(options.prefix) && this.#live(held).length > 0) all.push(key)
    }
    all.sort()
    const start = options.cursor === null ? 0 : Number(options.cursor)
    if (!Number.isInteger(start)) return Promise.resolve({ type: 'bad-cursor' })
    const keys = all.slice(start, start + options.limit)
    const more = start + keys.length < all.length
    return Promise.resolve({ type: 'page', keys, cursor: more ? String(start + keys.length) : null, more })
  }

  readiness(): Readiness {
    return this.ready
  }

  listBuckets(): readonly { readonly name: string; readonly settings: BucketSettings; readonly configured: boolean }[] {
    return [...this.#buckets].map(([name, settings]) => ({ name, settings, configured: true }))
  }

  getBucket(bucket: string): { readonly settings: BucketSettings; readonly configured: boolean } {
    const settings = this.#buckets.get(bucket)
    return { settings: settings ?? DEFAULT_BUCKET, configured: settings !== undefined }
  }

  putBucket(bucket: string, changes: Partial<BucketSettings>): Promise<BucketOutcome> {
    if (this.nextBucket !== null) return Promise.resolve(this.nextBucket)
    const known = this.#buckets.get(bucket)
    if (known !== undefined && changes.n !== undefined && changes.n !== known.n) {
      return Promise.resolve({ type: 'bucket-fixed', property: 'n' })
    }
    const settings = { ...(known ?? DEFAULT_BUCKET), ...changes }
    this.#buckets.set(bucket, settings)
    return Promise.resolve({ type: 'ok', settings })
  }

  cluster(): ReturnType<NodeApi['cluster']> {
    const members = NAMES.map((name, index) => ({
      name,
      storage: `storage-${index}`,
      peerAddress: `127.0.0.1:${7481 + index * 10}`,
      clientAddress: this.clientAddresses[index] ?? '127.0.0.1:1',
      zone: null,
      weight: 1,
      status: index === 0 ? ('self' as const) : ('alive' as const),
      lastHeartbeatMs: index,
      ownedPartitions: 64,
      version: this.version,
    }))
    return { id: CLUSTER, name: 'test', partitions: 64, members }
  }

  ring(n = 3): ReturnType<NodeApi['ring']> {
    return {
      partitions: 64,
      n,
      members: NAMES.map((name) => ({ name, primary: 21, owned: 64 })),
      preferenceLists: Array.from({ length: 64 }, () => [0, 1, 2].slice(0, n)),
    }
  }

  place(bucket: string, key: string): KeyPlacement {
    const partition = (bucket.length * 31 + key.length) % 64
    return {
      hash: partition.toString(16).padStart(16, '0'),
      partition,
      ring: 17,
      preferenceList: NAMES,
      fallbacks: [],
      replicas: NAMES.map((node) => ({ node, state: 'reachable' })),
    }
  }

  hints(): ReturnType<NodeApi['hints']> {
    const target = { node: 'node-1', hints: 2, bytes: 300, oldestMs: 1500, reachable: false }
    return { hints: 2, bytes: 300, bytesMax: 1024, targets: [target] }
  }

  repairStatus(): RepairStatus {
    return {
      running: false,
      rounds: 4,
      filling: 0,
      comparisons: 40,
      keysRepaired: 3,
      bytesSent: 1000,
      bytesReceived: 900,
      readRepairs: 1,
      collected: 0,
      oldestComparisonMs: 2500,
      roundFailures: 2,
      peers: [{ node: 'node-1', lastRoundMs: 100, differing: 0, error: null }],
      lastError: null,
    }
  }

  repairNow(): Promise<RepairOutcome> {
    return Promise.resolve({ ...this.repairStatus(), rounds: 5, failed: [] })
  }

  peers(): ReturnType<NodeApi['peers']> {
    return [
      { name: 'node-1', reachable: true },
      { name: 'node-2', reachable: false },
    ]
  }

  stats(): Record<string, unknown> {
    const figures = { bounds: [0.001, 0.01], counts: [2, 1, 1], count: 4, sum: 0.5 }
    return { coordinator: { getsTotal: 7, lastHomeSeconds: figures, name: 'x' }, open: true }
  }

  nowMs(): number {
    return this.now
  }

  /** A receipt for outcomes that tests make up. */
  receipt(more: Partial<Receipt> = {}): Receipt {
    return this.#receipt({ bucket: 'b', key: 'k', timeoutMs: 1 }, 'quorum', more)
  }

  stampNow(): HybridTime {
    return hybridFromMs(this.now)
  }
}
