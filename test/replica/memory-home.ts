// One home's rooms over a storage in memory, with a clock that stands still: what replica, repair and coordinator tests ask.

import { DotSet } from '../../src/core/causality/dot-set.ts'
import type { Dot } from '../../src/core/causality/dot.ts'
import { HybridClock, hybridFromMs } from '../../src/core/causality/hybrid-clock.ts'
import type { Tag, Version } from '../../src/core/causality/version.ts'
import { type View, writeView } from '../../src/core/causality/view.ts'
import { type BucketSettings, DEFAULT_BUCKET } from '../../src/core/membership/bucket-settings.ts'
import type { Directory } from '../../src/core/membership/directory.ts'
import { Ring } from '../../src/core/ring/ring.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { Filling } from '../../src/replica/filling.ts'
import { PartitionIndexes } from '../../src/replica/partition-index.ts'
import { type KeyName, Replica } from '../../src/replica/replica.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { Storage } from '../../src/storage/storage.ts'
import { SILENT_LOGGER } from '../../src/telemetry/log.ts'

export const PARTITIONS = 4
export const NOW_MS = 1_700_000_000_000

export const STILL_CLOCK: Clock = {
  now: () => NOW_MS,
  monotonic: () => 0,
  after: () => ({ cancel() {} }),
}

export const A = 'aaaaaaaaaaaaaaaa'
export const B = 'bbbbbbbbbbbbbbbb'

export function version(dot: Dot, text: string | null, tag: Tag | null = null): Version {
  const content = text === null ? null : { contentType: 'text/plain', meta: [], bytes: Buffer.from(text) }
  return { dot, stamp: hybridFromMs(NOW_MS), deadlineMs: null, tag, content }
}

export function write(of: Version, context: DotSet = DotSet.empty()): View {
  return writeView(of, context, [])
}

export interface MemoryHome {
  readonly name: string
  storageId: string
  readonly storage: Storage
  readonly filling: Filling
  readonly indexes: PartitionIndexes
  readonly replica: Replica
  readonly directory: Directory
  /** Merges as a client's write would, here alone. */
  receive(key: KeyName, view: View): Promise<void>
  texts(key: KeyName): Promise<string[]>
}

/** Homes that know each other; `storageId` of each may be changed, and all see it. */
export async function memoryHomes(
  names: readonly string[],
  settings: { bucket: BucketSettings; version: number } = { bucket: DEFAULT_BUCKET, version: 0 },
): Promise<MemoryHome[]> {
  const ring = Ring.ofFounders(names, PARTITIONS)
  const homes: MemoryHome[] = []
  for (const name of names) {
    const storage = await Storage.open({
      disk: null,
      clock: STILL_CLOCK,
      random: new SeededRandom(name),
      logger: SILENT_LOGGER,
      segmentBytesMax: 1 << 20,
      checkpointBytesMin: 1 << 20,
      hintBytesMax: 1 << 20,
      bytesMax: 1 << 30,
    })
    const filling = new Filling(storage)
    const indexes = new PartitionIndexes(storage.memtable, () => PARTITIONS)
    const limits = { siblingsMax: 100, siblingBytesMax: 1 << 20, clockBoundMs: 500 }
    const hybrid = new HybridClock()
    const replica = new Replica({ storage, indexes, filling, hybrid, clock: STILL_CLOCK, limits })
    homes.push({
      name,
      storageId: `storage of ${name}`,
      storage,
      filling,
      indexes,
      replica,
      directory: {
        self: name,
        clusterId: 'cluster',
        ring,
        get membersDigest() {
          return homes.map((home) => home.storageId).join()
        },
        storageOf: (member) => homes.find((home) => home.name === member)?.storageId,
        settingsOf: () => ({ settings: settings.bucket, version: settings.version }),
      },
      receive: async (key, view) => {
        const options = { intent: 'client', conflict: 'siblings', durable: false, tellContext: true } as const
        const result = await replica.write(key, view, options)
        if (result.type === 'refused') throw new Error(result.reason)
      },
      texts: async (key) => {
        const { view } = await replica.look(key, false)
        return (view?.versions ?? []).flatMap(({ content }) => (content ? [Buffer.from(content.bytes).toString()] : []))
      },
    })
  }
  return homes
}

/** A key of bucket `b`, told by a number, where it belongs. */
export function keyIn(directory: Directory, number: number): KeyName {
  const key = `k${number}`
  return { partition: directory.ring.partitionIdOf('b', key, 3), bucket: 'b', key }
}
