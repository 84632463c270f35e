// The composition of one node: every room over the ports and over each other, top to bottom. Decides nothing; whoever wants to know who
// knows whom reads here. Invariant: nothing is sent or served by composing; the node around it starts and stops what is made here.

import type { HybridClock } from '../core/causality/hybrid-clock.ts'
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
import type { WriteAnswer } from '../coordinator/replica-answers.ts'
import { Replicas } from '../coordinator/replicas.ts'
import { PeerLinks } from '../link/links.ts'
import { Seldom } from '../link/seldom.ts'
import { frameBounds } from '../link/settings.ts'
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
import type { LatencyRecorder } from '../telemetry/latency.ts'
import type { Background } from './background.ts'
import type { ClockWatch } from './clock-watch.ts'
import { CoarseClock } from './coarse-clock.ts'
import { Healer } from './healer.ts'
import type { NodeOptions } from './options.ts'
import { PeerRequests } from './peer-requests.ts'

const STORAGE_ID = 'storage-id'

/** Times from peers are taken over up to so many clock bounds ahead: a peer that is one ahead may have taken over as much again. */
export const TIME_AHEAD_BOUNDS = 2

/** Everything that exists once the storage is open. */
export interface Rooms {
  /** Throws `cluster` before the cluster is known. */
  readonly directory: () => Directory
  readonly storage: Storage
  readonly membership: Membership
  readonly buckets: BucketRegistry
  readonly corrector: Corrector
  readonly links: PeerLinks
  readonly filling: Filling
  readonly replica: Replica
  readonly replicas: Replicas
  readonly indexes: PartitionIndexes
  readonly coordinator: Coordinator
  readonly healer: Healer
  readonly identity: string
}

/** What the rooms need of the node around them. */
export interface Lifecycle {
  readonly hybrid: HybridClock
  readonly clockWatch: ClockWatch
  readonly background: Background
  /** From a write's acknowledgement to its last home's, hints included. */
  readonly toLastHome: LatencyRecorder
  /** Peers may be answered. */
  readonly serving: () => boolean
  /** Why clients may not be answered; null: they may. */
  readonly notServing: () => string | null
  readonly fail: (error: QuorateError) => void
  /** Counts work for a client as long as it goes on. */
  readonly counted: <T>(work: Promise<T>) => Promise<T>
}

export async function openRooms(options: NodeOptions, life: Lifecycle): Promise<Rooms> {
  const { clock, random, logger, disk, limits, timings, name, clusterName, partitions, transport, secrets, join } =
    options
  const { processMemory, collectGarbage } = options
  const storage = await Storage.open({ disk, clock, random, logger, processMemory, collectGarbage, ...limits })
  storage.onFailed((error) => life.fail(diskFailure(error)))
  const damaged = storage.recovery.damaged.length > 0
  const identity = await identityOf(storage, damaged, options)
  // Q is the cluster's, whatever this node was started with: trees are only ever made once it is known.
  const indexes = new PartitionIndexes(storage.memtable, () => membership.table?.terms.partitions ?? partitions)
  const filling = new Filling(storage)
  const { hybrid } = life
  const replica = new Replica({
    storage,
    indexes,
    filling,
    hybrid,
    clock,
    limits: { ...limits, clockBoundMs: timings.clockBoundMs },
  })
  if (damaged) {
    logger.error(
      { damaged: storage.recovery.damaged },
      'stored bytes are damaged: quarantined, and every partition is filled anew',
    )
    await replica.rebuildAfterDamage(identity.slice(0, 8))
  }
  let current: Directory | null = null
  const directory = (): Directory | null => {
    if (current !== null) return current
    const { table, ring } = membership
    if (!table || !ring) return null
    current = {
      self: name,
      clusterId: table.clusterId,
      ring,
      membersDigest: table.digest,
      storageOf: (member) => table.storageOf(member),
      settingsOf: (bucket) => buckets.settingsOf(bucket),
    }
    return current
  }
  const known = (): Directory => {
    const now = directory()
    if (!now) throw new QuorateError('cluster', 'not part of a cluster yet')
    return now
  }
  const { serving } = life
  const service = new ReplicaService({ directory, replica, storage, serving })
  const reported = new ReportedClocks()
  const repair = { clock, directory, storage, replica, indexes, reported }
  const exchange = new ExchangeService(repair)
  const hybridNow = (): number => hybrid.read(clock.now())
  const seldom = new Seldom(() => clock.monotonic())

  const links = new PeerLinks({
    clock,
    transport,
    random,
    logger,
    listenAddress: options.peerAddress,
    seeds: join,
    secrets,
    settings: {
      heartbeatMs: timings.heartbeatMs,
      failureTimeoutMs: timings.failureTimeoutMs,
      ...frameBounds(limits.siblingBytesMax),
      partBytes: limits.partBytes,
    },
    ...(options.schedule && { schedule: options.schedule }),
    hooks: {
      localHello: () => ({
        version: PROTOCOL_VERSION,
        name,
        storage: identity,
        peerAddress: options.advertisedPeerAddress ?? links.address,
        clientAddress: options.clientAddress,
        clusterId: membership.table?.clusterId ?? null,
        clusterName,
        table: membership.encoded,
        software: options.version,
      }),
      admit: (hello) => membership.admit(hello),
      onHello: (hello) => membership.onHello(hello),
      onGoodbye: (peer, reason, detail) => {
        // These two are only told once this node is a member; and it is refused again at every attempt.
        const isTold = reason === 'wrong-cluster' || reason === 'bad-secret'
        if (isTold && !seldom.isDue(peer, reason)) return
        membership.onGoodbye(reason, peer === null ? detail : `${peer}: ${detail}`)
      },
      handler: (from, request, context) => requests.handle(from, request, context),
      onClockSample: (member, offsetMs, rttMs) => life.clockWatch.sample(member, offsetMs, rttMs),
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
    self: {
      name,
      storage: identity,
      peerAddress: options.advertisedPeerAddress ?? options.peerAddress,
      clientAddress: options.clientAddress,
    },
    terms: { clusterName, partitions, defaults: JSON.stringify(DEFAULT_BUCKET) },
    expect: options.expect,
    monotonic: () => clock.monotonic(),
    silenceMs: 2 * timings.failureTimeoutMs,
    heard: (member) => (links.reachable(member) ? links.storageOf(member) : null),
    onChange: () => {
      current = null
      links.membersChanged()
      corrector.push(links.status().map(({ member }) => member))
      for (const { member, storage: heard } of links.status()) {
        const current = membership.table?.storageOf(member)
        if (current !== undefined && current !== heard)
          links.dismiss(member, 'replaced', `${member} has storage ${current} now`)
      }
    },
    onFatal: (error) => life.fail(error),
    onNewStorage: () => filling.begin(identity.slice(0, 8)),
  })
  const buckets: BucketRegistry = new BucketRegistry({
    storage,
    peers: links,
    clock,
    members: () => membership.table?.names ?? [],
    self: name,
    defaults: () => bucketDefaults(membership),
    budgetMs: timings.healingBudgetMs,
  })
  const corrector: Corrector = new Corrector({
    peers: links,
    membership,
    buckets,
    background: (work) => life.background.own(work),
    budgetMs: timings.healingBudgetMs,
  })
  const replicas = new Replicas({
    directory: known,
    peers: links,
    service,
    corrections: corrector,
    monotonic: () => clock.monotonic(),
    hybridNow,
  })
  const listing = { storage, filling, hybrid, clock }
  const requests = new PeerRequests({
    service,
    exchange,
    membership,
    buckets,
    list: (question) => listKeys(listing, question),
    // A full node takes deletions; who brings more is to find out with little.
    handoffBytes: (pendingBytes) =>
      Math.min(pendingBytes, storage.isFull ? Math.ceil(limits.handoffBytesMax / 16) : limits.handoffBytesMax),
    serving,
  })
  const healer = new Healer({
    options,
    directory: known,
    storage,
    links,
    filling,
    antiEntropy: new AntiEntropy({
      ...repair,
      peers: links,
      filling,
      budgetMs: timings.healingBudgetMs,
      pageBytes: limits.exchangeBytesMax,
    }),
    handoff: new HintDelivery({
      self: name,
      storage,
      peers: links,
      budgetMs: timings.healingBudgetMs,
      concurrency: 16,
      now: () => clock.now(),
      onDelivered: (ageMs) => life.toLastHome.observe(ageMs / 1000),
      onPassedOver: ({ target, bucket, key }) => {
        if (seldom.isDue('hint', target))
          logger.warn({ target, bucket, key }, 'a hint was not taken by its home; tried again')
      },
      send: (hint, budgetMs) => {
        const durable = known().settingsOf(hint.bucket).settings.durability === 'durable'
        const keyName = { partition: hint.partition, bucket: hint.bucket, key: hint.key }
        const write = { name: keyName, view: hint.view, intent: 'handoff', durable } as const
        return new Promise((resolve) => {
          const done = ({ type }: WriteAnswer): void => resolve(type === 'written')
          replicas.write(hint.target, write, null, clock.monotonic() + budgetMs, done)
        })
      },
    }),
    collection: new Collection({ ...repair, hybrid, clockBoundMs: timings.clockBoundMs }),
    indexes,
  })
  const parts: KeyCoordinatorParts = {
    directory,
    notServing: () => life.notServing(),
    replicas,
    clock: new CoarseClock(clock),
    hybrid,
    random,
    mint: new DotMint(random),
    clockBoundMs: timings.clockBoundMs,
    hedgeMs: timings.hedgeMs,
    reachGraceMs: timings.reachGraceMs,
    readAllRate: options.healing.readAllRate,
    readRepair: options.healing.readRepair,
    onReadRepair: () => healer.noteReadRepair(),
    keepHint: (write, target) => {
      if (!options.healing.handoff) return
      const { conflict } = known().settingsOf(write.name.bucket).settings
      try {
        storage.hints.add(target, write.name, conflict, write.view, replica.hintBytesMax)
      } catch (error) {
        // A disk that failed stops the node by itself; nobody waits for this.
        if (!(error instanceof QuorateError)) throw error
      }
    },
    onEverywhere: (elapsedMs) => life.toLastHome.observe(elapsedMs / 1000),
    underWay: () => life.background.begin(),
  }
  const keys = new KeyCoordinator(parts)
  const askHome = async (
    member: string,
    ask: Parameters<typeof listKeys>[1],
    deadlineAt: number,
  ): Promise<ReturnType<typeof listKeys> | null> => {
    try {
      if (member === name) {
        return await service.synced(listKeys(listing, ask), deadlineAt - clock.monotonic())
      }
      const { reply, storage: theirs } = await links.request(
        member,
        { type: 'list', ...ask },
        { budgetMs: deadlineAt - clock.monotonic() },
      )
      return reply.type === 'refused' || theirs !== known().storageOf(member) ? null : reply
    } catch (error) {
      if (!(error instanceof QuorateError)) throw error
      return null
    }
  }
  const { counted } = life
  const coordinator: Coordinator = {
    get: (given) => counted(keys.get(given)),
    put: (given) => counted(keys.put(given)),
    delete: (given) => counted(keys.delete(given)),
    list: (given) => counted(list({ ...parts, askHome }, given)),
  }
  return {
    directory: known,
    storage,
    membership,
    buckets,
    corrector,
    links,
    filling,
    replica,
    replicas,
    indexes,
    coordinator,
    healer,
    identity,
  }
}

/** The storage's name to others. After damage it is a new one: what the old one reported or acknowledged holds no more. */
async function identityOf(storage: Storage, damaged: boolean, { random }: NodeOptions): Promise<string> {
  const kept = storage.catalog(STORAGE_ID)
  if (!damaged) return kept ? Buffer.from(kept).toString('latin1') : storage.identity
  const fresh = uuidOf(Buffer.from(random.bytes(16)).toString('hex'))
  await storage.synced(storage.setCatalog(STORAGE_ID, Buffer.from(fresh, 'latin1')))
  return fresh
}

/** In words that say what to do; the system's own words are the cause's cause. */
function diskFailure(error: Error): QuorateError {
  const { cause } = error
  const isFull = cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC'
  const what = isFull
    ? 'the disk is full; this node stops, free space and start it again'
    : 'the disk failed; this node stops'
  const why = cause instanceof Error ? cause.message : error.message
  return new QuorateError('storage-failed', `${what} (${why})`, { cause: error })
}

/** What the cluster's founders settled for buckets that nobody configured. */
export function bucketDefaults(membership: Membership): BucketSettings {
  const text = membership.table?.terms.defaults
  return text === undefined ? DEFAULT_BUCKET : { ...DEFAULT_BUCKET, ...(JSON.parse(text) as Partial<BucketSettings>) }
}
