// A world made by hand, line by line: who wrote what on top of what, what a read showed, what each home's storage holds. The checkers
// are the real ones, and so are the storages; only the nodes around them are cut down to what checkers look at. Nothing happens here by
// itself: no time passes, no message travels.

import type { DeadTag } from '../../../src/core/causality/attempts.ts'
import type { Dot } from '../../../src/core/causality/dot.ts'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import type { Content, Version } from '../../../src/core/causality/version.ts'
import { writeView } from '../../../src/core/causality/view.ts'
import { type BucketSettings, DEFAULT_BUCKET } from '../../../src/core/membership/bucket-settings.ts'
import { PartitionIndexes } from '../../../src/replica/partition-index.ts'
import { HybridClock } from '../../../src/core/causality/hybrid-clock.ts'
import { Replica } from '../../../src/replica/replica.ts'
import { Ring } from '../../../src/core/ring/ring.ts'
import { Filling } from '../../../src/replica/filling.ts'
import type { QuorateNode } from '../../../src/node/node.ts'
import { History, type KeyHistory, WriteRecord } from '../../../src/simulator/history.ts'
import { planOf, type SeedPlan } from '../../../src/simulator/seed-plan.ts'
import { type Host, SIMULATED_LIMITS, SimulatedCluster } from '../../../src/simulator/simulated-cluster.ts'
import { SimulatedProcess } from '../../../src/simulator/simulated-process.ts'
import { SeededRandom } from '../../../src/simulator/seeded-random.ts'
import { valueFor } from '../../../src/simulator/values.ts'
import { type Violation, Violations } from '../../../src/simulator/violation.ts'
import type { World } from '../../../src/simulator/world.ts'
import { PackedMemtable } from '../../../src/storage/packed-memtable.ts'
import { Storage } from '../../../src/storage/storage.ts'
import { SILENT_LOGGER } from '../../../src/telemetry/log.ts'

export const LIFE = 'aaaaaaaaaaaaaaaa'
export const OTHER_LIFE = 'bbbbbbbbbbbbbbbb'

const PARTITIONS = 4

export interface SceneOptions {
  readonly nodes?: number
  readonly bucket?: Partial<BucketSettings>
  readonly plan?: Partial<SeedPlan>
  /** Storages on simulated disks; else in memory. */
  readonly disks?: boolean
}

/** What the checkers see of a node; the tests bend it. */
export interface Rooms {
  storage: Storage
  filling: Pick<Filling, 'isActive' | 'isFilling'>
  readonly indexes: PartitionIndexes
  readonly replica: Replica
  membership: { ring: Ring | null; waitingFor: string | null }
  links: {
    reachable: (member: string) => boolean
    status: () => { member: string; pendingBytes: number; inFlight: number }[]
  }
}

/** One attempt of a write, as whoever tells the story names it. */
export interface Told {
  readonly write: WriteRecord
  readonly version: Version
  /** All that it supersedes, and itself. */
  readonly seen: DotSet
}

export interface WriteTold {
  /** What its client had seen, itself or through others. */
  readonly on?: readonly Told[]
  readonly kind?: 'put' | 'delete'
  readonly fate?: WriteRecord['fate']
  readonly startedAt?: number
  readonly endedAt?: number
  readonly stamp?: number
  readonly ttlMs?: number
  readonly tagged?: boolean
  /** Its client knew of those writes only, and not of what they had seen. */
  readonly barely?: boolean
  /** Another attempt of this write. */
  readonly again?: Told
  /** Never left its coordinator. */
  readonly unsent?: boolean
  readonly required?: number
}

export class Scene {
  readonly world: World
  readonly settings: BucketSettings
  #counter = 0

  private constructor(world: World, settings: BucketSettings) {
    this.world = world
    this.settings = settings
  }

  static async open({ nodes = 3, bucket = {}, plan = {}, disks = false }: SceneOptions = {}): Promise<Scene> {
    const settings = { ...DEFAULT_BUCKET, ...bucket }
    const cluster = new SimulatedCluster({ seed: 'scene', nodes, partitions: PARTITIONS })
    const ring = Ring.ofFounders(
      cluster.hosts.map(({ name }) => name),
      PARTITIONS,
    )
    for (const host of cluster.hosts) await equip(host, cluster, ring, disks)
    const history = new History(
      () => settings,
      (bucketName, key) => ring.partitionIdOf(bucketName, key, settings.n),
    )
    const world: World = {
      plan: { ...planOf(1), nodes, memory: false, clockOffsetMsMax: 20, lossesMax: 0, ...plan },
      cluster,
      history,
      violations: new Violations(
        () => 0,
        () => {},
      ),
      trace: () => {},
      operations: new Map(),
      faults: new Map(),
      leftOut: { faults: new Set(), operations: new Set() },
      begun: { faults: new Set(), operations: new Set() },
      load: null,
      disksTrusted: true,
      clocksTrusted: true,
    }
    return new Scene(world, settings)
  }

  get key(): KeyHistory {
    return this.world.history.of('b', 'k')
  }

  get found(): readonly Violation[] {
    return this.world.violations.found
  }

  /** Of everything that was found, in order. */
  get guarantees(): string[] {
    return this.found.map(({ guarantee }) => guarantee)
  }

  /** The homes of the key, the first first. */
  get homes(): Host[] {
    const ring = this.rooms('node-0').membership.ring
    return (ring?.homes(this.key.partition) ?? []).map((name) => this.world.cluster.host(name))
  }

  rooms(host: string): Rooms {
    return this.world.cluster.host(host).node?.rooms as unknown as Rooms
  }

  /** One attempt of a write, sent to the replicas unless told otherwise. */
  write(id: string, told: WriteTold = {}): Told {
    const { on = [], kind = 'put', fate = 'acknowledged', startedAt = 0, endedAt = startedAt, ttlMs, again } = told
    const key = this.key
    const context = told.barely ? DotSet.of(...on.map(({ version: { dot } }) => dot)) : seenOf(...on)
    const write =
      again?.write ??
      new WriteRecord({
        id,
        kind,
        startedAt,
        ttlMs: ttlMs ?? null,
        context,
        tagged: told.tagged ?? again !== undefined,
      })
    if (!again) key.note(write)
    const dot: Dot = { life: LIFE, counter: ++this.#counter }
    const content = kind === 'put' ? contentOf(key, id) : null
    const deadlineMs = ttlMs === undefined ? null : startedAt + ttlMs
    const version: Version = { dot, stamp: told.stamp ?? this.#counter, deadlineMs, tag: null, content }
    const seen = context.union(DotSet.of(dot))
    if (!told.unsent) key.noteAttempt(write, version, seen, startedAt)
    if (fate === 'acknowledged') key.noteAcknowledged(write, dot, endedAt, told.required ?? 2)
    else if (write.fate !== 'acknowledged') write.fate = fate
    if (fate !== 'pending') write.lastEndedAt = Math.max(write.lastEndedAt, endedAt)
    return { write, version, seen }
  }

  /** Merges the attempt into the storage of each of these homes, as a client's write would. */
  async store({ version, seen }: Told, homes: readonly Host[], deadTags: readonly DeadTag[] = []): Promise<void> {
    const { partition, bucket, key, conflict } = this.key
    const view = { ...writeView(version, seen, []), deadTags }
    for (const { name } of homes) {
      const { replica } = this.rooms(name)
      const options = { intent: 'repair', conflict, durable: false, tellContext: false } as const
      const result = await replica.write({ partition, bucket, key }, view, options)
      if (result.type === 'refused') throw new Error(result.reason)
    }
  }
}

/** The record goes from this home; its clock still names what was there. */
export function forget(scene: Scene, { name }: Host): void {
  const { memtable } = scene.rooms(name).storage
  if (!(memtable instanceof PackedMemtable)) throw new TypeError('records cannot be taken out of this memtable')
  memtable.remove(scene.key.partition, scene.key.bucket, scene.key.key)
}

export function contentOf(key: Pick<KeyHistory, 'bucket' | 'key'>, id: string): Content {
  const bytes = valueFor({ bucket: key.bucket, key: key.key, writeId: id }, 60)
  return { contentType: 'text/plain', meta: [['write', id]], bytes }
}

/** Everything that somebody knows who saw these. */
export function seenOf(...told: readonly Told[]): DotSet {
  return told.reduce((union, { seen }) => union.union(seen), DotSet.empty())
}

async function equip(host: Host, cluster: SimulatedCluster, ring: Ring, disks: boolean): Promise<void> {
  const process = new SimulatedProcess(cluster.time, host.name)
  const opening = Storage.open({
    disk: disks ? host.disk.attach(process) : null,
    clock: process.clock,
    random: new SeededRandom(host.name),
    logger: SILENT_LOGGER,
    ...SIMULATED_LIMITS,
  })
  const storage = await (disks ? cluster.time.settle(opening) : opening)
  const indexes = new PartitionIndexes(storage.memtable, () => PARTITIONS)
  const filling = new Filling(storage)
  const limits = { siblingsMax: 100, siblingBytesMax: 1 << 20, clockBoundMs: 1e15 }
  const replica = new Replica({ storage, indexes, filling, hybrid: new HybridClock(), clock: process.clock, limits })
  const rooms: Rooms = {
    storage,
    filling,
    indexes,
    replica,
    membership: { ring, waitingFor: null },
    links: { reachable: () => true, status: () => [] },
  }
  host.process = process
  host.node = { rooms } as unknown as QuorateNode
  host.serving = true
}
