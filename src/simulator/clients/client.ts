// The workload: clients that put, read, delete, retry and list in their own manner, each one operation at a time. They choose; what an
// outcome proves is the checkers' business. Invariant: every choice comes from a random stream of the operation's own.

import type { Content } from '../../core/causality/version.ts'
import { DotSet } from '../../core/causality/dot-set.ts'
import type { Level } from '../../core/membership/bucket-settings.ts'
import type { KeyOptions, PutOptions } from '../../coordinator/operations.ts'
import { type KeyHistory, WriteRecord } from '../history.ts'
import type { Observation } from '../observation.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { Habit, PlannedBucket } from '../seed-plan.ts'
import type { Host } from '../simulated-cluster.ts'
import { valueFor } from '../values.ts'
import { wait } from '../virtual-clock.ts'
import { nameOfOperation, tally, type World } from '../world.ts'
import { Memory } from './memory.ts'
import { type PutRequest, Requests } from './requests.ts'

export class Client {
  readonly name: string
  readonly #world: World
  readonly #index: number
  /** Of the operation that is under way: each has a stream of its own, so that none changes another's draws. */
  #random: SeededRandom
  readonly #habit: Habit
  readonly #memory: Memory
  readonly #requests: Requests
  /** With their idempotency keys: what may be sent again. */
  readonly #repeatable: PutRequest[] = []
  #home: Host
  #sequence = 0

  constructor(world: World, observation: Observation, index: number, habit: Habit) {
    this.name = `c${index}`
    this.#world = world
    this.#habit = habit
    this.#index = index
    this.#random = world.cluster.random.fork(`client ${index}`)
    this.#memory = new Memory(habit)
    this.#requests = new Requests(this.name, world, observation, this.#memory)
    this.#home = this.#random.pick(world.cluster.hosts)
  }

  get operations(): number {
    return this.#requests.count
  }

  async run(until: () => boolean): Promise<void> {
    const { cluster, plan, leftOut, begun } = this.#world
    for (let number = 0; !until(); number++) {
      this.#random = cluster.random.fork(`client ${this.#index} operation ${number}`)
      await wait(cluster.time, this.#random.exponential(plan.meanThinkMs) * (this.#world.load?.pace ?? 1))
      if (until()) return
      const name = nameOfOperation(this.name, number)
      if (leftOut.operations.has(name)) continue
      begun.operations.add(name)
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
    if (this.#world.load?.isBlind && this.#random.chance(0.8)) return this.#putBlindly(bucket, key)
    if (choice < 0.38) return this.#put(bucket, key)
    if (choice < 0.74) return this.#get(bucket, key)
    if (choice < 0.83) return this.#delete(bucket, key)
    if (choice < 0.88) return this.#burst(bucket, key)
    if (choice < 0.94) return this.#retry()
    if (choice < 0.975) return this.#conditional(bucket, key)
    return this.#list(bucket)
  }

  #choose(): { bucket: PlannedBucket; key: string } {
    const { buckets, skew } = this.#world.plan
    const first = buckets[0] as PlannedBucket
    if (this.#habit === 'session' && this.#random.chance(0.6)) return { bucket: first, key: `own-${this.name}` }
    const { hot } = this.#world.load ?? {}
    const hotBucket = buckets.find(({ name }) => name === hot?.bucket)
    if (hot && hotBucket && this.#random.chance(0.8)) return { bucket: hotBucket, key: hot.key }
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

  async #put(bucket: PlannedBucket, name: string): Promise<void> {
    const key = this.#world.history.of(bucket.name, name)
    const context = this.#memory.contextToWriteOn(key, this.#random)
    const ttlMs = this.#lifetimeMs(0.12)
    const representation = this.#random.chance(0.08)
    const request = this.#newPut(key, {
      ...(context && { context }),
      ...(ttlMs !== undefined && { ttlMs }),
      ...(representation && { returnRepresentation: true }),
    })
    const isWatched = this.#random.chance(WATCHED_RATE)
    await Promise.all([this.#send(request), isWatched && this.#watch(key)])
  }

  /** Somebody reads while a write is under way; what he is shown, others must be shown from then on. */
  async #watch(key: KeyHistory): Promise<void> {
    await wait(this.#world.cluster.time, this.#random.exponential(5))
    const [first] = this.#random.shuffle(this.#world.cluster.serving)
    if (!first || key.quiet) return
    await this.#requests.get(key, { ...this.#options(key), r: 'quorum' }, first)
    await this.#witness(key, first)
  }

  /** What was just read, asked at once of others. */
  async #witness(key: KeyHistory, after: Host): Promise<void> {
    const others = this.#world.cluster.serving.filter((host) => host !== after)
    const through = this.#random.shuffle(others).slice(0, 3)
    await Promise.all(through.map((host) => this.#requests.get(key, { ...this.#options(key), r: 'quorum' }, host)))
  }

  async #putBlindly(bucket: PlannedBucket, name: string): Promise<void> {
    await this.#send(this.#newPut(this.#world.history.of(bucket.name, name), {}))
  }

  /** With this probability; long enough to be seen, short enough to be over before the run is. */
  #lifetimeMs(chance: number): number | undefined {
    return this.#random.chance(chance) ? this.#random.integer(150, 4000) : undefined
  }

  #newPut(key: KeyHistory, given: Partial<PutOptions>): PutRequest {
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
    key.note(write)
    const { valueBytes } = this.#world.load ?? {}
    const isHuge = valueBytes !== undefined && this.#random.chance(HUGE_RATE)
    const claim = { bucket: key.bucket, key: key.key, writeId: id }
    const bytes = valueFor(claim, this.#random.integer(0, isHuge ? valueBytes : plan.valueBytesMax))
    const content: Content = { contentType: 'text/plain', meta: [['write', id]], bytes }
    return { key, write, options: { ...this.#options(key), ...given, content } }
  }

  async #send(request: PutRequest, through: Host | null = this.#coordinator()): Promise<void> {
    if (through && !request.key.quiet) await this.#requests.put(request, through)
  }

  async #get(bucket: PlannedBucket, name: string): Promise<void> {
    // What became of a write that may be sent again matters most before and after it is.
    const repeated = this.#repeatable.length > 0 && this.#random.chance(0.12)
    const key = repeated ? this.#random.pick(this.#repeatable).key : this.#world.history.of(bucket.name, name)
    const carries = this.#habit === 'session' || this.#random.chance(0.25)
    const context = carries ? this.#memory.contextOf(key) : null
    const through = this.#coordinator()
    if (!through || key.quiet) return
    await this.#requests.get(key, { ...this.#options(key), ...(context && { context }) }, through)
    if (this.#random.chance(WITNESS_RATE) && !key.quiet) await this.#witness(key, through)
  }

  async #delete(bucket: PlannedBucket, name: string): Promise<void> {
    const key = this.#world.history.of(bucket.name, name)
    const through = this.#coordinator()
    if (!through || key.quiet) return
    const context = this.#memory.contextToWriteOn(key, this.#random)
    await this.#requests.delete(key, { ...this.#options(key), ...(context && { context }) }, through)
  }

  /** If-Match with what was seen last, or If-None-Match. */
  async #conditional(bucket: PlannedBucket, name: string): Promise<void> {
    const key = this.#world.history.of(bucket.name, name)
    const etag = this.#memory.etagOf(key)
    const precondition =
      etag === null
        ? ({ type: 'none' } as const)
        : ({ type: 'match', etags: this.#random.chance(0.2) ? '*' : [etag] } as const)
    await this.#send(this.#newPut(key, { precondition }))
  }

  /** One idempotency key through several nodes at once. */
  async #burst(bucket: PlannedBucket, name: string): Promise<void> {
    const { cluster } = this.#world
    // On a key of its own nobody supersedes it: it lives, or expires, and its end must be the end.
    const own = `once-${this.name}-${this.#sequence}`
    const key = this.#world.history.of(bucket.name, this.#random.chance(0.4) ? own : name)
    const context = this.#random.chance(0.5) ? this.#memory.contextToWriteOn(key, this.#random) : null
    const ttlMs = this.#lifetimeMs(0.35)
    const request = this.#newPut(key, {
      idempotencyKey: `i-${this.name}-${this.#sequence}`,
      ...(context && { context }),
      ...(ttlMs !== undefined && { ttlMs }),
    })
    const through = this.#random.shuffle(cluster.serving).slice(0, this.#random.integer(1, 6))
    tally(this.#world.operations, 'burst with one idempotency key')
    if (this.#repeatable.length < 20) this.#repeatable.push(request)
    await Promise.all(through.map((host) => this.#send(request, host)))
  }

  /** The same request once more, whatever has happened to its value since; often by one who looks before and after. */
  async #retry(): Promise<void> {
    if (this.#repeatable.length === 0) return
    const { now } = this.#world.cluster.time
    // What expired a while ago has been collected, and must not come back.
    const spent = this.#repeatable.filter(({ write }) => write.ttlMs !== null && write.startedAt + write.ttlMs < now)
    const request = this.#random.pick(spent.length > 0 && this.#random.chance(0.5) ? spent : this.#repeatable)
    const looks = this.#random.chance(0.5)
    const look = async (): Promise<void> => {
      const through = this.#coordinator()
      if (looks && through && !request.key.quiet)
        await this.#requests.get(request.key, this.#options(request.key), through)
    }
    await look()
    tally(this.#world.operations, 'retry with its idempotency key')
    await this.#send(request)
    await look()
  }

  async #list(bucket: PlannedBucket): Promise<void> {
    const through = this.#coordinator()
    if (!through || this.#world.history.ofBucket(bucket.name).some(({ quiet }) => quiet)) return
    await this.#requests.list(bucket.name, this.#random.pick([1, 2, 5, 100]), through)
  }

  #options(key: KeyHistory): KeyOptions {
    const { ownLevels, sloppyAllowed, lossesMax, nodes } = this.#world.plan
    const n = Math.min(key.settings.n, nodes)
    const own = ownLevels && this.#random.chance(0.4)
    // An acknowledgement at W = 1 stands on one disk.
    const leastW =
      this.#world.plan.faults.some((kind) => kind === 'wipe' || kind === 'bit-rot') || this.#world.plan.memory
        ? Math.min(n, lossesMax + 1)
        : 1
    const level = (least: number): Level => (this.#random.chance(0.3) ? 'all' : this.#random.integer(least, n + 1))
    return {
      bucket: key.bucket,
      key: key.key,
      timeoutMs: this.#random.pick([120, 400, 1000, 2500]),
      explain: this.#random.chance(0.7),
      ...(own && { r: level(1), w: level(leastW) }),
      ...(own && this.#random.chance(0.5) && { sloppy: sloppyAllowed && this.#random.chance(0.5) }),
    }
  }
}

const HUGE_RATE = 0.3
const WATCHED_RATE = 0.15
const WITNESS_RATE = 0.15
const EMPTY = DotSet.empty()
