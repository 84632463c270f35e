// One node: composes the rooms over the four ports, starts them in order and stops them in reverse. Decides nothing that a room could.
// The same code runs over sockets and disks and in the simulator. Invariant: nothing is served before the storage is recovered, the
// cluster is known, and the time that an earlier life of this node may have told has passed.

import type { Sealer } from '../core/causality/context-token.ts'
import { HybridClock } from '../core/causality/hybrid-clock.ts'
import { type BucketSettings, DEFAULT_BUCKET } from '../core/membership/bucket-settings.ts'
import type { Directory } from '../core/membership/directory.ts'
import { uuidOf } from '../core/membership/identity.ts'
import { QuorateError } from '../errors.ts'
import { BucketRegistry } from '../cluster/bucket-registry.ts'
import { Corrector } from '../cluster/corrector.ts'
import { Membership } from '../cluster/membership.ts'
import { DotMint } from '../coordinator/dot-mint.ts'
import { KeyCoordinator, type KeyCoordinatorParts } from '../coordinator/key-coordinator.ts'
import { list } from '../coordinator/listing.ts'
import type { Coordinator } from '../coordinator/operations.ts'
import { Replicas } from '../coordinator/replicas.ts'
import { PeerLinks } from '../link/links.ts'
import { sleep } from '../ports/clock.ts'
import { PROTOCOL_VERSION } from '../protocol/messages.ts'
import { AntiEntropy } from '../repair/anti-entropy.ts'
import { Collection } from '../repair/collection.ts'
import { ExchangeService } from '../repair/exchange-service.ts'
import { HintDelivery } from '../repair/hint-delivery.ts'
import { ReportedClocks } from '../repair/reported-clocks.ts'
import { Filling } from '../replica/filling.ts'
import { listKeys } from '../replica/list.ts'
import { PartitionIndexes } from '../replica/partition-index.ts'
import { Replica } from '../replica/replica.ts'
import { ReplicaService } from '../replica/replica-service.ts'
import { Storage } from '../storage/storage.ts'
import { LatencyRecorder } from '../telemetry/latency.ts'
import type { BucketOutcome, ClusterStatus, DevLinks, HintStatus, KeyPlacement, NodeApi, RepairStatus, RingStatus } from './api.ts'
import { Background } from './background.ts'
import { ClockWatch } from './clock-watch.ts'
import { CoarseClock } from './coarse-clock.ts'
import { Healer } from './healer.ts'
import type { NodeOptions } from './options.ts'
import { PeerRequests } from './peer-requests.ts'
import { createSealer } from './sealer.ts'
import { clusterStatus, hintStatus, keyPlacement, ringStatus } from './status.ts'

const STORAGE_ID = 'storage-id'

/** Times from peers are taken over up to so many clock bounds ahead: a peer that is one ahead may have taken over as much again. */
const TIME_AHEAD_BOUNDS = 2

/** Everything that exists once the storage is open. */
interface Rooms {
  readonly storage: Storage
  readonly membership: Membership
  readonly buckets: BucketRegistry
  readonly links: PeerLinks
  readonly filling: Filling
  readonly replica: Replica
  readonly replicas: Replicas
  readonly indexes: PartitionIndexes
  readonly coordinator: Coordinator
  readonly healer: Healer
  readonly identity: string
}

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
  #state: 'starting' | 'serving' | 'draining' | 'stopped' = 'starting'
  #failure: QuorateError | null = null
  #inFlight = 0
  #stopping: Promise<void> | null = null
  #directory: Directory | null = null

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
    const rooms = await this.#open()
    this.#rooms = rooms
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
      if (waitingFor !== null && waitingFor !== told) logger.info({ join: this.#options.join }, `waiting: ${waitingFor}`)
      told = waitingFor
      await sleep(clock, timings.heartbeatMs / 5)
      await membership.takePlace(clock.monotonic() - startedAt > 2 * timings.failureTimeoutMs)
    }
    await storage.synced(storage.lastLsn)
    // An earlier life may have told times as far ahead as it took them over; by now this clock has passed them (causality: expiry).
    const settledAt = startedAt + TIME_AHEAD_BOUNDS * timings.clockBoundMs
    if (!storage.recovery.isNew && clock.monotonic() < settledAt) await sleep(clock, settledAt - clock.monotonic())
    this.#mustGoOn()
    this.#state = 'serving'
    rooms.healer.begin(this.#background)
    logger.info({ filling: filling.isActive, keys: storage.memtable.totalKeys }, 'serving')
  }

  /** Stops taking requests, lets those under way finish, syncs. At most `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    const { clock } = this.#options
    const deadline = clock.monotonic() + deadlineMs
    if (this.#state === 'serving') this.#state = 'draining'
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

  // ── composition ──────────────────────────────────────────────────────────────────────────────────────────────────

  async #open(): Promise<Rooms> {
    const { clock, random, logger, disk, limits, timings, name, clusterName, partitions, transport, secrets, join } = this.#options
    const storage = await Storage.open({ disk, clock, random, logger, ...limits })
    storage.onFailed((error) => this.#fail(new QuorateError('storage-failed', 'the disk failed; this node stops', { cause: error })))
    const damaged = storage.recovery.damaged.length > 0
    const identity = await this.#identity(storage, damaged)
    // Q is the cluster's, whatever this node was started with: trees are only ever made once it is known.
    const indexes = new PartitionIndexes(storage.memtable, () => membership.table?.terms.partitions ?? partitions)
    const filling = new Filling(storage)
    const hybrid = this.#hybrid
    const replica = new Replica({ storage, indexes, filling, hybrid, clock, limits: { ...limits, clockBoundMs: timings.clockBoundMs } })
    if (damaged) {
      logger.error({ damaged: storage.recovery.damaged }, 'stored bytes are damaged: quarantined, and every partition is filled anew')
      await replica.rebuildAfterDamage(identity.slice(0, 8))
    }
    const directory = (): Directory | null => this.#currentDirectory()
    const known = (): Directory => {
      const current = directory()
      if (!current) throw new QuorateError('cluster', 'not part of a cluster yet')
      return current
    }
    const serving = (): boolean => (this.#state === 'serving' || this.#state === 'draining') && this.#failure === null
    const service = new ReplicaService({ directory, replica, storage, serving })
    const reported = new ReportedClocks()
    const repair = { directory, storage, replica, indexes, reported }
    const exchange = new ExchangeService(repair)
    const hybridNow = (): number => hybrid.read(clock.now())

    const links = new PeerLinks({
      clock,
      transport,
      random,
      logger,
      listenAddress: this.#options.peerAddress,
      seeds: join,
      secrets,
      settings: { heartbeatMs: timings.heartbeatMs, failureTimeoutMs: timings.failureTimeoutMs },
      ...(this.#options.schedule && { schedule: this.#options.schedule }),
      hooks: {
        localHello: () => ({
          version: PROTOCOL_VERSION,
          name,
          storage: identity,
          peerAddress: this.#advertised(links),
          clientAddress: this.#options.clientAddress,
          clusterId: membership.table?.clusterId ?? null,
          clusterName,
          table: membership.encoded,
        }),
        admit: (hello) => membership.admit(hello),
        onHello: (hello) => membership.onHello(hello),
        onGoodbye: (_peer, reason, detail) => membership.onGoodbye(reason, detail),
        handler: (from, request, context) => requests.handle(from, request, context),
        onClockSample: (member, offsetMs, rttMs) => this.#clockWatch.sample(member, offsetMs, rttMs),
        hybridTime: hybridNow,
        observeTime: (time) => void hybrid.observe(time, clock.now(), TIME_AHEAD_BOUNDS * timings.clockBoundMs),
        digests: () => ({ members: membership.digest, settings: buckets.digest }),
        onHeartbeatDigests: (member, members, settings) => corrector.noteDigests(member, members, settings),
        members: () => membership.peers,
      },
    })
    const membership: Membership = new Membership({
      storage,
      logger,
      self: { name, storage: identity, peerAddress: this.#options.advertisedPeerAddress ?? this.#options.peerAddress, clientAddress: this.#options.clientAddress },
      terms: { clusterName, partitions, defaults: JSON.stringify(DEFAULT_BUCKET) },
      expect: this.#options.expect,
      monotonic: () => clock.monotonic(),
      silenceMs: 2 * timings.failureTimeoutMs,
      heard: (member) => (links.reachable(member) ? links.storageOf(member) : null),
      onChange: () => {
        this.#directory = null
        links.membersChanged()
        corrector.push(links.status().map(({ member }) => member))
        for (const { member, storage: heard } of links.status()) {
          const current = membership.table?.storageOf(member)
          if (current !== undefined && current !== heard) links.dismiss(member, 'replaced', `${member} has storage ${current} now`)
        }
      },
      onFatal: (error) => this.#fail(error),
      onNewStorage: () => filling.begin(identity.slice(0, 8)),
    })
    const buckets: BucketRegistry = new BucketRegistry({
      storage,
      peers: links,
      clock,
      members: () => membership.table?.names ?? [],
      self: name,
      defaults: () => this.#bucketDefaults(membership),
      budgetMs: timings.healingBudgetMs,
    })
    const corrector: Corrector = new Corrector({ peers: links, membership, buckets, background: (work) => this.#background.own(work), budgetMs: timings.healingBudgetMs })
    const replicas = new Replicas({ directory: known, peers: links, service, corrections: corrector, monotonic: () => clock.monotonic(), hybridNow })
    const listing = { storage, filling, hybrid, clock }
    const requests = new PeerRequests({
      service,
      exchange,
      membership,
      buckets,
      storage,
      list: (question) => listKeys(listing, question),
      // What was acknowledged elsewhere must find its place even here, only more slowly.
      handoffBytes: (pendingBytes) =>
        Math.min(pendingBytes, storage.isFull ? Math.ceil(limits.handoffBytesMax / 16) : limits.handoffBytesMax),
      serving,
    })
    const healer = new Healer({
      options: this.#options,
      directory: known,
      storage,
      links,
      filling,
      antiEntropy: new AntiEntropy({ ...repair, peers: links, filling, budgetMs: timings.healingBudgetMs, pageBytes: limits.exchangeBytesMax }),
      handoff: new HintDelivery({
        self: name,
        storage,
        peers: links,
        budgetMs: timings.healingBudgetMs,
        concurrency: 16,
        now: () => clock.now(),
        onDelivered: (ageMs) => this.#toLastHome.observe(ageMs / 1000),
        send: async (hint, budgetMs) => {
          const durable = known().settingsOf(hint.bucket).settings.durability === 'durable'
          const keyName = { partition: hint.partition, bucket: hint.bucket, key: hint.key }
          const write = { name: keyName, view: hint.view, intent: 'handoff', durable } as const
          const answer = await replicas.write(hint.target, write, null, clock.monotonic() + budgetMs)
          return answer.type === 'written'
        },
      }),
      collection: new Collection({ ...repair, clock, hybrid, clockBoundMs: timings.clockBoundMs }),
      indexes,
    })
    const parts: KeyCoordinatorParts = {
      directory,
      notServing: () => this.#whyNotServing(),
      replicas,
      clock: new CoarseClock(clock),
      hybrid,
      random,
      mint: new DotMint(random),
      clockBoundMs: timings.clockBoundMs,
      hedgeMs: timings.hedgeMs,
      reachGraceMs: timings.reachGraceMs,
      readAllRate: this.#options.healing.readAllRate,
      readRepair: this.#options.healing.readRepair,
      onReadRepair: () => healer.noteReadRepair(),
      keepHint: (write, target) => {
        if (!this.#options.healing.handoff) return
        const { conflict } = known().settingsOf(write.name.bucket).settings
        try {
          storage.hints.add(target, write.name, conflict, write.view)
        } catch (error) {
          // A disk that failed stops the node by itself; nobody waits for this.
          if (!(error instanceof QuorateError)) throw error
        }
      },
      onEverywhere: (elapsedMs) => this.#toLastHome.observe(elapsedMs / 1000),
      background: (work) => this.#background.own(work),
    }
    const keys = new KeyCoordinator(parts)
    const askHome = async (member: string, ask: Parameters<typeof listKeys>[1], deadlineAt: number): Promise<ReturnType<typeof listKeys> | null> => {
      try {
        if (member === name) {
          const reply = listKeys(listing, ask)
          await storage.synced(storage.lastLsn)
          return reply
        }
        const { reply, storage: theirs } = await links.request(member, { type: 'list', ...ask }, { budgetMs: deadlineAt - clock.monotonic() })
        return reply.type === 'refused' || theirs !== known().storageOf(member) ? null : reply
      } catch (error) {
        if (!(error instanceof QuorateError)) throw error
        return null
      }
    }
    const counted = <T>(work: Promise<T>): Promise<T> => {
      this.#inFlight++
      const end = (): void => void this.#inFlight--
      work.then(end, end)
      return work
    }
    const coordinator: Coordinator = {
      get: (given) => counted(keys.get(given)),
      put: (given) => counted(keys.put(given)),
      delete: (given) => counted(keys.delete(given)),
      list: (given) => counted(list({ ...parts, askHome }, given)),
    }
    return { storage, membership, buckets, links, filling, replica, replicas, indexes, coordinator, healer, identity }
  }

  /** The storage's name to others. After damage it is a new one: what the old one reported or acknowledged holds no more. */
  async #identity(storage: Storage, damaged: boolean): Promise<string> {
    const kept = storage.catalog(STORAGE_ID)
    if (!damaged) return kept ? Buffer.from(kept).toString('latin1') : storage.identity
    const fresh = uuidOf(Buffer.from(this.#options.random.bytes(16)).toString('hex'))
    await storage.synced(storage.setCatalog(STORAGE_ID, Buffer.from(fresh, 'latin1')))
    return fresh
  }

  #advertised(links: PeerLinks): string {
    return this.#options.advertisedPeerAddress ?? links.address
  }

  #currentDirectory(): Directory | null {
    const rooms = this.#rooms
    const table = rooms?.membership.table
    const ring = rooms?.membership.ring
    if (!rooms || !table || !ring) return null
    this.#directory ??= {
      self: this.name,
      clusterId: table.clusterId,
      ring,
      membersDigest: table.digest,
      storageOf: (member) => table.storageOf(member),
      settingsOf: (bucket) => rooms.buckets.settingsOf(bucket),
    }
    return this.#directory
  }

  #bucketDefaults(membership: Membership): BucketSettings {
    const text = membership.table?.terms.defaults
    return text === undefined ? DEFAULT_BUCKET : { ...DEFAULT_BUCKET, ...(JSON.parse(text) as Partial<BucketSettings>) }
  }

  /** For a start that may be overtaken by the end. */
  #mustGoOn(): void {
    if (this.#failure) throw this.#failure
    if (this.#state === 'stopped') throw new QuorateError('closed', 'this node was stopped before it served')
  }

  #fail(error: QuorateError): void {
    if (this.#failure) return
    this.#failure = error
    this.#options.logger.error({ code: error.code, error: error.message, cause: String(error.cause ?? '') }, 'this node must stop')
    for (const listener of this.#fatalListeners) listener(error)
  }

  #whyNotServing(): string | null {
    if (this.#failure) return this.#failure.message
    if (this.#state === 'draining' || this.#state === 'stopped') return 'this node is shutting down'
    if (this.#state === 'starting') return this.#rooms?.membership.waitingFor ?? 'starting'
    if (this.#clockWatch.isOff) return `this node's clock is ${Math.round(this.#clockWatch.greatestOffsetMs)} ms away from its peers'`
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

  readiness(): { readonly ready: true } | { readonly ready: false; readonly reason: string } {
    const reason = this.#whyNotServing()
    return reason === null ? { ready: true } : { ready: false, reason }
  }

  nowMs(): number {
    return this.#options.clock.now()
  }

  listBuckets(): readonly { readonly name: string; readonly settings: BucketSettings; readonly configured: boolean }[] {
    const { buckets } = this.#opened()
    return [...buckets.configured.keys()].sort().map((name) => ({ name, settings: buckets.settingsOf(name).settings, configured: true }))
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
    const { membership, links, filling } = this.#opened()
    return clusterStatus({ membership, links, filling, clock: this.#options.clock, self: this.#options })
  }

  ring(n?: number): RingStatus {
    return ringStatus(this.#known(), n ?? this.#bucketDefaults(this.#opened().membership).n)
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

  async repairNow(): Promise<RepairStatus> {
    const { healer } = this.#opened()
    await healer.repairNow(this.#background.signal)
    return healer.status()
  }

  stats(): Record<string, unknown> {
    const { storage, links, healer } = this.#opened()
    return {
      storage: storage.stats,
      recovery: storage.recovery,
      links: links.status(),
      traffic: { ...links.counters, sent: Object.fromEntries(links.counters.sent), received: Object.fromEntries(links.counters.received), closed: Object.fromEntries(links.counters.closed) },
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
        links.cut(member, cut.some(([a, b]) => (a === this.name && b === member) || (b === this.name && a === member)))
      }
      links.impair(delayMs, dropRate)
    }
  }

  #opened(): Rooms {
    if (!this.#rooms) throw new QuorateError('closed', 'this node has not started yet')
    return this.#rooms
  }

  #known(): Directory {
    const directory = this.#currentDirectory()
    if (!directory) throw new QuorateError('cluster', 'not part of a cluster yet')
    return directory
  }
}

