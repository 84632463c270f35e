// One node: starts the rooms in order, stops them in reverse, and shows them to HTTP and to tests; `rooms.ts` composes them. Decides
// nothing that a room could. The same code runs over sockets and disks and in the simulator. Invariant: nothing is served before the
// storage is recovered, the cluster is known, and the time that an earlier life of this node may have told has passed.

import type { Sealer } from '../core/causality/context-token.ts'
import { HybridClock } from '../core/causality/hybrid-clock.ts'
import type { BucketSettings } from '../core/membership/bucket-settings.ts'
import type { Directory } from '../core/membership/directory.ts'
import { QuorateError } from '../errors.ts'
import type { Coordinator } from '../coordinator/operations.ts'
import { sleep } from '../ports/clock.ts'
import { LatencyRecorder } from '../telemetry/latency.ts'
import type {
  BucketOutcome,
  ClusterStatus,
  DevLinks,
  HintStatus,
  KeyPlacement,
  NodeApi,
  Readiness,
  RepairOutcome,
  RepairStatus,
  RingStatus,
} from './api.ts'
import { Background } from './background.ts'
import { ClockWatch } from './clock-watch.ts'
import type { NodeOptions } from './options.ts'
import { createSealer } from './sealer.ts'
import { clusterStatus, hintStatus, keyPlacement, ringStatus } from './status.ts'
import { bucketDefaults, type Lifecycle, openRooms, type Rooms, TIME_AHEAD_BOUNDS } from './rooms.ts'

const SHUTTING_DOWN = 'this node is shutting down'

export class QuorateNode implements NodeApi {
  readonly name: string
  readonly version: string
  readonly sealer: Sealer
  readonly #options: NodeOptions
  readonly #background: Background
  readonly #hybrid = new HybridClock()
  readonly #clockWatch: ClockWatch
  readonly #fatalListeners: ((error: QuorateError) => void)[] = []
  /** From a write's acknowledgement to its last home's, hints included. */
  readonly #toLastHome = new LatencyRecorder()
  #rooms: Rooms | null = null
  #state: 'starting' | 'serving' | 'finishing' | 'draining' | 'stopped' = 'starting'
  #failure: QuorateError | null = null
  #inFlight = 0
  #stopping: Promise<void> | null = null

  private constructor(options: NodeOptions) {
    this.#options = options
    this.name = options.name
    this.version = options.version
    this.#background = new Background(options)
    this.#clockWatch = new ClockWatch(options.timings.clockBoundMs, () => options.clock.monotonic())
    this.sealer = createSealer(() => this.clusterId ?? '', options.secrets)
  }

  static create(options: NodeOptions): QuorateNode {
    return new QuorateNode(options)
  }

  /** Calls back once, when this node must stop: its disk failed, or the cluster refuses it. */
  onFatal(listener: (error: QuorateError) => void): void {
    this.#fatalListeners.push(listener)
    if (this.#failure) listener(this.#failure)
  }

  /** Resolves once this node serves; rejects with a `QuorateError` when it never can. */
  async start(): Promise<void> {
    const { clock, timings, logger } = this.#options
    const startedAt = clock.monotonic()
    const rooms = await openRooms(this.#options, this.#lifecycle())
    this.#rooms = rooms
    if (rooms.storage.durable) {
      const { isNew, wasClean, tornBytes, keys, hints, elapsedMs } = rooms.storage.recovery
      const what = isNew ? 'a new storage' : wasClean ? 'recovered, closed cleanly' : 'recovered, not closed cleanly'
      logger.info({ keys, hints, tornBytes, elapsedMs: Math.round(elapsedMs) }, what)
    }
    this.#mustGoOn()
    rooms.membership.load()
    await rooms.links.start()
    await rooms.membership.start()
    const { membership, storage, filling } = rooms
    let told: string | null = null
    while (!membership.table) {
      this.#mustGoOn()
      const { waitingFor } = membership
      // Whoever starts a node that nobody answers must see why it does not get ready.
      if (waitingFor !== null && waitingFor !== told)
        logger.info({ join: this.#options.join }, `waiting: ${waitingFor}`)
      told = waitingFor
      await sleep(clock, timings.heartbeatMs / 5)
      await membership.takePlace(clock.monotonic() - startedAt > 2 * timings.failureTimeoutMs)
    }
    await storage.synced(storage.lastLsn)
    if (storage.recovery.isNew || storage.recovery.damaged.length > 0) await this.#hearOfBuckets(rooms)
    // An earlier life may have told times as far ahead as it took them over; by now this clock has passed them (causality: expiry).
    const settledAt = startedAt + TIME_AHEAD_BOUNDS * timings.clockBoundMs
    if (!storage.recovery.isNew && clock.monotonic() < settledAt) await sleep(clock, settledAt - clock.monotonic())
    this.#mustGoOn()
    this.#state = 'serving'
    rooms.healer.begin(this.#background)
    logger.info({ filling: filling.isActive, keys: storage.memtable.totalKeys }, 'serving')
  }

  /** A storage that knows no bucket would serve all by the defaults. Where nobody answers in time, there is nobody to disagree with. */
  async #hearOfBuckets({ buckets, corrector, links, membership }: Rooms): Promise<void> {
    const { clock, timings, name } = this.#options
    const until = clock.monotonic() + 2 * timings.failureTimeoutMs
    const isAlone = (): boolean => membership.peers.every((member) => member.name === name)
    while (!buckets.hasHeard && !isAlone() && clock.monotonic() < until) {
      for (const { member } of links.status()) this.#background.own(corrector.exchange(member, 'settings', null))
      await sleep(clock, timings.heartbeatMs / 20)
      this.#mustGoOn()
    }
  }

  /** Says that it is not ready any more; what is asked of it all the same is still carried out (a request of which half is there). */
  finish(): void {
    if (this.#state === 'serving') this.#state = 'finishing'
  }

  /** Stops taking requests, lets those under way finish for at most `deadlineMs`, syncs. */
  async drain(deadlineMs: number): Promise<void> {
    const { clock } = this.#options
    const deadline = clock.monotonic() + deadlineMs
    if (this.#state === 'serving' || this.#state === 'finishing') this.#state = 'draining'
    while (this.#inFlight > 0 && clock.monotonic() < deadline) await sleep(clock, 10)
    await this.stop()
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  async #stop(): Promise<void> {
    this.#state = 'stopped'
    const rooms = this.#rooms
    await rooms?.links.close()
    await this.#background.stop()
    await rooms?.storage.close()
  }

  readonly #ended = (): void => void this.#inFlight--

  #lifecycle(): Lifecycle {
    return {
      hybrid: this.#hybrid,
      clockWatch: this.#clockWatch,
      background: this.#background,
      toLastHome: this.#toLastHome,
      serving: () => this.#state !== 'starting' && this.#state !== 'stopped' && this.#failure === null,
      notServing: () => this.#whyNotServing(),
      fail: (error) => this.#fail(error),
      counted: (work) => {
        this.#inFlight++
        work.then(this.#ended, this.#ended)
        return work
      },
    }
  }

  /** For a start that may be overtaken by the end. */
  #mustGoOn(): void {
    if (this.#failure) throw this.#failure
    if (this.#state === 'stopped') throw new QuorateError('closed', 'this node was stopped before it served')
  }

  #fail(error: QuorateError): void {
    if (this.#failure) return
    this.#failure = error
    this.#options.logger.error(
      { code: error.code, error: error.message, cause: error.cause instanceof Error ? error.cause.message : undefined },
      'this node must stop',
    )
    for (const listener of this.#fatalListeners) listener(error)
  }

  #whyNotServing(): string | null {
    if (this.#failure) return this.#failure.message
    if (this.#state === 'draining' || this.#state === 'stopped') return SHUTTING_DOWN
    if (this.#state === 'starting') return this.#rooms?.membership.waitingFor ?? 'starting'
    if (this.#clockWatch.isOff)
      return `this node's clock is ${Math.round(this.#clockWatch.greatestOffsetMs)} ms away from its peers'`
    return null
  }

  // ── what HTTP and tests see ──────────────────────────────────────────────────────────────────────────────────────

  get coordinator(): Coordinator {
    return this.#opened().coordinator
  }

  get clusterId(): string | null {
    return this.#rooms?.membership.table?.clusterId ?? null
  }

  /** The rooms, for the simulator's checkers. */
  get rooms(): Rooms | null {
    return this.#rooms
  }

  readiness(): Readiness {
    const reason = this.#whyNotServing()
    if (reason !== null) return { ready: false, reason }
    return this.#state === 'finishing' ? { ready: false, reason: SHUTTING_DOWN, finishes: true } : { ready: true }
  }

  nowMs(): number {
    return this.#options.clock.now()
  }

  listBuckets(): readonly { readonly name: string; readonly settings: BucketSettings; readonly configured: boolean }[] {
    const { buckets } = this.#opened()
    return [...buckets.configured.keys()]
      .sort()
      .map((name) => ({ name, settings: buckets.settingsOf(name).settings, configured: true }))
  }

  getBucket(bucket: string): { readonly settings: BucketSettings; readonly configured: boolean } {
    const { buckets } = this.#opened()
    return { settings: buckets.settingsOf(bucket).settings, configured: buckets.configured.has(bucket) }
  }

  async putBucket(bucket: string, changes: Partial<BucketSettings>): Promise<BucketOutcome> {
    const why = this.#whyNotServing()
    if (why !== null) return { type: 'not-serving', detail: why }
    return this.#opened().buckets.change(bucket, changes)
  }

  cluster(): ClusterStatus {
    const { membership, links, filling } = this.#joined()
    return clusterStatus({ membership, links, filling, clock: this.#options.clock, self: this.#options })
  }

  ring(n?: number): RingStatus {
    return ringStatus(this.#known(), n ?? bucketDefaults(this.#opened().membership).n)
  }

  place(bucket: string, key: string): KeyPlacement {
    const { links, replica } = this.#opened()
    return keyPlacement(this.#known(), bucket, key, (member) => links.reachable(member), replica)
  }

  hints(): HintStatus {
    const { storage, links } = this.#opened()
    const { hintBytesMax } = this.#options.limits
    return hintStatus(storage.hints.stats(), hintBytesMax, this.nowMs(), (member) => links.reachable(member))
  }

  repairStatus(): RepairStatus {
    return this.#opened().healer.status()
  }

  async repairNow(): Promise<RepairOutcome> {
    const { healer } = this.#opened()
    const failed = await healer.repairNow(this.#background.signal)
    return { ...healer.status(), failed }
  }

  peers(): readonly { readonly name: string; readonly reachable: boolean }[] {
    const { membership, links } = this.#opened()
    return membership.peers
      .filter(({ name }) => name !== this.name)
      .map(({ name }) => ({ name, reachable: links.reachable(name) }))
  }

  stats(): Record<string, unknown> {
    const { storage, links, healer } = this.#opened()
    return {
      storage: { ...storage.stats, bytesMax: this.#options.limits.bytesMax, ...storage.room },
      recovery: storage.recovery,
      links: links.status(),
      traffic: links.counters.figures(),
      writes: { toLastHomeSeconds: this.#toLastHome },
      repair: healer.status(),
      clock: { greatestOffsetMs: this.#clockWatch.greatestOffsetMs },
      requestsInFlight: this.#inFlight,
    }
  }

  get devLinks(): ((given: DevLinks) => void) | null {
    if (!this.#options.dev) return null
    return ({ cut, delayMs, dropRate }) => {
      const { links, membership } = this.#opened()
      for (const member of membership.table?.names ?? []) {
        links.cut(
          member,
          cut.some(([a, b]) => (a === this.name && b === member) || (b === this.name && a === member)),
        )
      }
      links.impair(delayMs, dropRate)
    }
  }

  #opened(): Rooms {
    if (!this.#rooms) throw new QuorateError('closed', 'this node has not started yet')
    return this.#rooms
  }

  /** Before that, whoever asks hears what is waited for, as from /readyz. */
  #joined(): Rooms {
    const rooms = this.#opened()
    if (!rooms.membership.table) throw new QuorateError('cluster', this.#whyNotServing() ?? 'starting')
    return rooms
  }

  #known(): Directory {
    return this.#joined().directory()
  }
}
