// The workload: clients that put, read, delete, retry and list in their own manner, each one operation at a time. They choose and note;
// what an outcome proves is the checkers' business. Invariant: every choice comes from the client's own random stream.

import { type CausalContext, uniteContexts } from '../core/causality/context-token.ts'
import { DotSet } from '../core/causality/dot-set.ts'
import type { Content } from '../core/causality/version.ts'
import type { Level } from '../core/membership/bucket-settings.ts'
import type {
  Coordinator,
  DeleteOutcome,
  GetOutcome,
  KeyOptions,
  ListOutcome,
  PutOptions,
  PutOutcome,
} from '../coordinator/operations.ts'
import { checkListing, expectListed } from './checkers/listing.ts'
import { type KeyHistory, WriteRecord } from './history.ts'
import type { Observation } from './observation.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { Habit, PlannedBucket } from './seed-plan.ts'
import type { Host } from './simulated-cluster.ts'
import { valueFor } from './values.ts'
import { tally, type World } from './world.ts'

interface Idempotent {
  readonly key: KeyHistory
  readonly write: WriteRecord
  readonly options: PutOptions
}

interface Memory {
  context: CausalContext | null
  /** Contexts from before, for those who do not let go. */
  readonly earlier: CausalContext[]
  etag: string | null
}

/** How long beyond its time-out a client waits before it gives the connection up. */
const PATIENCE_MS = 2500

export class Client {
  readonly name: string
  readonly #world: World
  readonly #observation: Observation
  readonly #random: SeededRandom
  readonly #habit: Habit
  readonly #memories = new Map<string, Memory>()
  readonly #idempotent: Idempotent[] = []
  #home: Host
  #sequence = 0
  operations = 0

  constructor(world: World, observation: Observation, index: number, habit: Habit) {
    this.name = `c${index}`
    this.#world = world
    this.#observation = observation
    this.#habit = habit
    this.#random = world.cluster.random.fork(`client ${index}`)
    this.#home = this.#random.pick(world.cluster.hosts)
  }

  async run(until: () => boolean): Promise<void> {
    while (!until()) {
      await this.#pause(this.#random.exponential(this.#world.plan.meanThinkMs))
      if (until()) return
      await this.#one()
    }
  }

  /** One operation of a script. */
  async perform(kind: 'put' | 'get' | 'delete' | 'burst' | 'retry', bucket: PlannedBucket, key: string): Promise<void> {
    switch (kind) {
      case 'put':
        return this.#put(bucket, key)
      case 'get':
        return this.#get(bucket, key)
      case 'delete':
        return this.#delete(bucket, key)
      case 'burst':
        return this.#burst(bucket, key)
      case 'retry':
        return this.#retry()
    }
  }

  async #one(): Promise<void> {
    const choice = this.#random.next()
    const { bucket, key } = this.#choose()
    if (choice < 0.38) return this.#put(bucket, key)
    if (choice < 0.74) return this.#get(bucket, key)
    if (choice < 0.83) return this.#delete(bucket, key)
    if (choice < 0.88) return this.#burst(bucket, key)
    if (choice < 0.93) return this.#retry()
    if (choice < 0.97) return this.#conditional(bucket, key)
    return this.#list(bucket)
  }

  #choose(): { bucket: PlannedBucket; key: string } {
    const { buckets, skew } = this.#world.plan
    const first = buckets[0] as PlannedBucket
    if (this.#habit === 'session' && this.#random.chance(0.6)) return { bucket: first, key: `own-${this.name}` }
    const bucket = this.#random.pick(buckets)
    const weights = bucket.keys.map((_, i) => (i + 1) ** -skew)
    let at = this.#random.next() * weights.reduce((sum, weight) => sum + weight, 0)
    const index = weights.findIndex((weight) => (at -= weight) < 0)
    return { bucket, key: bucket.keys[Math.max(0, index)] as string }
  }

  /** Mostly the same coordinator; another one when that does not serve. */
  #coordinator(): Host | null {
    const { cluster } = this.#world
    if (!this.#home.serving || this.#random.chance(0.25)) this.#home = this.#random.pick(cluster.hosts)
    return this.#home.serving ? this.#home : (cluster.serving[0] ?? null)
  }

  // ── operations ───────────────────────────────────────────────────────────────────────────────────────────────────

  async #put(bucket: PlannedBucket, key: string): Promise<void> {
    const history = this.#world.history.of(bucket.name, key)
    const memory = this.#memory(history)
    const context = this.#contextFor(memory)
    const ttlMs = this.#random.chance(0.12) ? this.#random.integer(150, 4000) : undefined
    const representation = this.#random.chance(0.08)
    await this.#send(
      this.#newWrite(history, {
        ...(context && { context }),
        ...(ttlMs !== undefined && { ttlMs }),
        ...(representation && { returnRepresentation: true }),
      }),
    )
  }

  #newWrite(key: KeyHistory, given: Partial<PutOptions>): Idempotent {
    const { cluster, plan } = this.#world
    const id = `${this.name}-${++this.#sequence}`
    const context = given.context === 'latest' || given.precondition ? null : given.context
    const write = new WriteRecord({
      id,
      kind: 'put',
      startedAt: cluster.time.now,
      ttlMs: given.ttlMs ?? null,
      context: context === null ? null : (context?.seen ?? EMPTY),
      tagged: given.idempotencyKey !== undefined,
    })
    key.writes.push(write)
    const bytes = valueFor(
      { bucket: key.bucket, key: key.key, writeId: id },
      this.#random.integer(0, plan.valueBytesMax),
    )
    const content: Content = { contentType: 'text/plain', meta: [['write', id]], bytes }
    return { key, write, options: { ...this.#options(key), ...given, content } }
  }

  async #send(sent: Idempotent, through: Host | null = this.#coordinator()): Promise<PutOutcome | null> {
    const { key, write } = sent
    if (!through || key.quiet) return null
    const before = this.#observation.before(key)
    write.open++
    // One more attempt: what was certain of the earlier ones is no longer certain of the write.
    if (write.fate === 'void') write.fate = 'pending'
    key.busy++
    const outcome = await this.#ask(
      through,
      sent.options.timeoutMs,
      (coordinator) => coordinator.put(sent.options),
      `put ${key.name} ${write.id}`,
    )
    write.open--
    key.busy--
    const observed = {
      ...before,
      key,
      client: this.name,
      host: through.name,
      endedAt: this.#world.cluster.time.now,
      write,
      options: sent.options,
    }
    if (outcome === null) this.#observation.broken('put', write, observed.endedAt)
    else if (outcome.type === 'stored') {
      this.#observation.written({ ...observed, outcome })
      this.#learn(key, outcome.context)
    } else this.#observation.failed({ ...observed, kind: 'put', outcome })
    return outcome
  }

  async #get(bucket: PlannedBucket, name: string): Promise<void> {
    const key = this.#world.history.of(bucket.name, name)
    const memory = this.#memory(key)
    const carries = this.#habit === 'session' || this.#random.chance(0.25)
    const context = carries ? memory.context : null
    await this.#read(key, context, this.#coordinator())
  }

  async #read(key: KeyHistory, context: CausalContext | null, through: Host | null): Promise<GetOutcome | null> {
    if (!through || key.quiet) return null
    const options = { ...this.#options(key), ...(context && { context }) }
    const before = this.#observation.before(key)
    key.busy++
    const outcome = await this.#ask(
      through,
      options.timeoutMs,
      (coordinator) => coordinator.get(options),
      `get ${key.name}`,
    )
    key.busy--
    const observed = {
      ...before,
      key,
      client: this.name,
      host: through.name,
      endedAt: this.#world.cluster.time.now,
      options,
    }
    if (outcome === null) this.#observation.broken('get', null, observed.endedAt)
    else if (outcome.type === 'found' || outcome.type === 'not-found') {
      this.#observation.read({ ...observed, outcome })
      this.#learn(key, outcome.context)
      this.#memory(key).etag = outcome.type === 'found' ? outcome.etag : null
    } else this.#observation.failed({ ...observed, kind: 'get', write: null, outcome })
    return outcome
  }

  async #delete(bucket: PlannedBucket, name: string): Promise<void> {
    const key = this.#world.history.of(bucket.name, name)
    const through = this.#coordinator()
    if (!through || key.quiet) return
    const context = this.#contextFor(this.#memory(key))
    const options = { ...this.#options(key), ...(context && { context }) }
    const before = this.#observation.before(key)
    key.busy++
    const outcome: DeleteOutcome | null = await this.#ask(
      through,
      options.timeoutMs,
      (coordinator) => coordinator.delete(options),
      `delete ${key.name}`,
    )
    key.busy--
    const observed = {
      ...before,
      key,
      client: this.name,
      host: through.name,
      endedAt: this.#world.cluster.time.now,
      write: null,
      options,
    }
    if (outcome === null) this.#observation.broken('delete', null, observed.endedAt)
    else if (outcome.type === 'deleted') {
      this.#observation.written({ ...observed, outcome })
      if (outcome.context) this.#learn(key, outcome.context)
    } else this.#observation.failed({ ...observed, kind: 'delete', outcome })
  }

  /** If-Match with what was seen last, or If-None-Match. */
  async #conditional(bucket: PlannedBucket, name: string): Promise<void> {
    const key = this.#world.history.of(bucket.name, name)
    const { etag } = this.#memory(key)
    const precondition =
      etag === null
        ? ({ type: 'none' } as const)
        : ({ type: 'match', etags: this.#random.chance(0.2) ? '*' : [etag] } as const)
    await this.#send(this.#newWrite(key, { precondition }))
  }

  /** One idempotency key through several nodes at once. */
  async #burst(bucket: PlannedBucket, name: string): Promise<void> {
    const { cluster } = this.#world
    const key = this.#world.history.of(bucket.name, name)
    const context = this.#random.chance(0.5) ? this.#contextFor(this.#memory(key)) : null
    const sent = this.#newWrite(key, {
      idempotencyKey: `i-${this.name}-${this.#sequence}`,
      ...(context && { context }),
    })
    const through = this.#random.shuffle(cluster.serving).slice(0, this.#random.integer(1, 6))
    tally(this.#world.operations, 'burst with one idempotency key')
    if (this.#idempotent.length < 20) this.#idempotent.push(sent)
    await Promise.all(through.map((host) => this.#send(sent, host)))
  }

  /** The same request once more, whatever has happened to its value since. */
  async #retry(): Promise<void> {
    if (this.#idempotent.length === 0) return
    const sent = this.#random.pick(this.#idempotent)
    tally(this.#world.operations, 'retry with its idempotency key')
    await this.#send(sent)
  }

  async #list(bucket: PlannedBucket): Promise<void> {
    const through = this.#coordinator()
    const keys = this.#world.history.ofBucket(bucket.name)
    if (!through || keys.some(({ quiet }) => quiet)) return
    for (const key of keys) key.busy++
    await this.#pages(bucket, through)
    for (const key of keys) key.busy--
  }

  async #pages(bucket: PlannedBucket, through: Host): Promise<void> {
    const expected = expectListed(this.#world, bucket.name)
    const listed: string[] = []
    const limit = this.#random.pick([1, 2, 5, 100])
    let cursor: string | null = null
    for (let page = 0; page < 200; page++) {
      const at: string | null = cursor
      const outcome: ListOutcome | null = await this.#ask(
        through,
        1500,
        (coordinator) => coordinator.list({ bucket: bucket.name, prefix: '', limit, cursor: at, timeoutMs: 1500 }),
        `list ${bucket.name}`,
      )
      tally(this.#world.operations, `list ${outcome?.type ?? 'broken'}`)
      if (outcome?.type !== 'page') return
      listed.push(...outcome.keys)
      cursor = outcome.cursor
      if (!outcome.more) return checkListing(this.#world, bucket.name, through.name, expected, listed)
    }
    this.#world.violations.add('listing', `${bucket.name} through ${through.name} has no end`)
  }

  // ── choices ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #options(key: KeyHistory): KeyOptions {
    const { ownLevels, sloppyAllowed, lossesMax, nodes } = this.#world.plan
    const n = Math.min(key.settings.n, nodes)
    const own = ownLevels && this.#random.chance(0.3)
    // An acknowledgement at W = 1 stands on one disk.
    const leastW =
      this.#world.plan.faults.some((kind) => kind === 'wipe' || kind === 'bit-rot') || this.#world.plan.memory
        ? Math.min(n, lossesMax + 1)
        : 1
    const level = (least: number): Level => (this.#random.chance(0.2) ? 'all' : this.#random.integer(least, n + 1))
    return {
      bucket: key.bucket,
      key: key.key,
      timeoutMs: this.#random.pick([120, 400, 1000, 2500]),
      explain: this.#random.chance(0.7),
      ...(own && { r: level(1), w: level(leastW) }),
      ...(own && this.#random.chance(0.5) && { sloppy: sloppyAllowed && this.#random.chance(0.5) }),
    }
  }

  #contextFor(memory: Memory): CausalContext | 'latest' | null {
    switch (this.#habit) {
      case 'blind':
        return null
      case 'latest':
        return 'latest'
      case 'stale':
        return memory.earlier.length > 0 ? this.#random.pick(memory.earlier) : null
      default:
        return memory.context
    }
  }

  #memory(key: KeyHistory): Memory {
    let memory = this.#memories.get(key.name)
    if (!memory) this.#memories.set(key.name, (memory = { context: null, earlier: [], etag: null }))
    return memory
  }

  #learn(key: KeyHistory, context: CausalContext | null): void {
    if (!context) return
    const memory = this.#memory(key)
    memory.context = memory.context && this.#habit === 'session' ? uniteContexts(memory.context, context) : context
    if (memory.earlier.length < 30) memory.earlier.push(context)
  }

  // ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Null: the connection broke, or no answer came. */
  async #ask<T>(
    host: Host,
    timeoutMs: number,
    start: (coordinator: Coordinator) => Promise<T>,
    what: string,
  ): Promise<T | null> {
    const { cluster, trace, violations } = this.#world
    const { node, process } = host
    if (!node || !process) return null
    this.operations++
    trace(`${this.name} → ${host.name} ${what}`)
    const startedAt = cluster.time.now
    const outcome = await new Promise<T | null>((resolve, reject) => {
      let isOver = false
      const check = (): void => {
        if (isOver) return
        if (host.node !== node) return resolve(null)
        const late = cluster.time.now - startedAt > timeoutMs + PATIENCE_MS
        if (!late) return void cluster.time.after(20, check)
        if (this.#observation.stability.isClearSince(host.name, startedAt - 1000)) {
          violations.add(
            'G11',
            `${host.name} never answered ${what}, asked at ${startedAt.toFixed(1)} with ${timeoutMs} ms`,
          )
        }
        resolve(null)
      }
      cluster.time.after(20, check)
      start(node.coordinator)
        .finally(() => {
          isOver = true
        })
        .then(resolve, reject)
    })
    trace(`${this.name} ← ${host.name} ${what}: ${describeOutcome(outcome)}`)
    return outcome
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => void this.#world.cluster.time.after(milliseconds, resolve))
  }
}

const EMPTY = DotSet.empty()

function describeOutcome(outcome: unknown): string {
  if (outcome === null) return 'no answer'
  return JSON.stringify(outcome, (name, value: unknown) => {
    if (value instanceof DotSet) return value.toString()
    if (value instanceof Uint8Array) return `${value.length} bytes`
    return name === 'explain' ? undefined : value
  })
}
