// G1 at the moment of the acknowledgement: W distinct nodes hold the write, or a hint of it, in bytes that a power cut cannot take. The
// nodes' own word (what is synced) is checked for every write; a sample, and every doubt, against the platters.

import { formatDot, type Dot } from '../../core/causality/dot.ts'
import { hintHolds, homeKnows, homesOf, storagesSince } from '../holdings.ts'
import type { KeyHistory } from '../history.ts'
import type { ObservedWrite } from '../observed.ts'
import { SeededRandom } from '../seeded-random.ts'
import type { DiskImage } from '../simulated-disk.ts'
import { SimulatedDisk } from '../simulated-disk.ts'
import { SIMULATED_LIMITS } from '../simulated-cluster.ts'
import { SimulatedProcess } from '../simulated-process.ts'
import { Storage } from '../../storage/storage.ts'
import { SILENT_LOGGER } from '../../telemetry/log.ts'
import { VirtualTime } from '../virtual-clock.ts'
import type { World } from '../world.ts'

interface Sample {
  readonly key: KeyHistory
  readonly dot: Dot
  readonly what: string
  readonly required: number
  readonly at: number
  /** Of every host that says it holds the write. */
  readonly images: ReadonlyMap<string, DiskImage>
}

const SAMPLES_MAX = 16
const SAMPLE_RATE = 0.04
/** While a holder's disk fails to sync now and then. */
const AILING_RATE = 0.3

export class Durability {
  readonly #world: World
  readonly #random: SeededRandom
  readonly #samples: Sample[] = []
  #doubts = 0

  constructor(world: World) {
    this.#world = world
    this.#random = new SeededRandom(`samples ${world.plan.seed}`)
  }

  check(observed: ObservedWrite): void {
    const { cluster, violations, plan, disksTrusted } = this.#world
    const { key, outcome, startedAt } = observed
    const dot = outcome.version
    if (!dot || !disksTrusted || key.suspended) return
    const homes = homesOf(cluster, key)
    const holders: string[] = []
    let sure = 0
    let isDestroyed = false
    for (const host of cluster.hosts) {
      for (const storage of storagesSince(host, startedAt)) {
        const asHome = homes.includes(host.name) && homeKnows(storage, key, dot)
        if (!asHome && !hintHolds(storage, key, dot)) continue
        holders.push(host.name)
        // It acknowledged, and what it had is gone since: that is the injector's to allow.
        isDestroyed ||= host.departed.some((run) => run.storage === storage && run.harms < host.disk.harms)
        const entry = asHome ? storage.memtable.get(key.partition, key.bucket, key.key) : undefined
        if (asHome ? entry === undefined || entry.lsn <= storage.syncedLsn : storage.lastLsn <= storage.syncedLsn)
          sure++
        break
      }
    }
    const what = `${observed.write?.id ?? 'a write'} of ${key.name} (${formatDot(dot)}), acknowledged through ${observed.host}`
    if (holders.length < outcome.receipt.required) {
      violations.add('G1', `${what}, is held by ${holders.join() || 'nobody'}; W=${outcome.receipt.required}`)
      return
    }
    if (isDestroyed || plan.memory || key.settings.durability === 'memory') return
    const isAiling = holders.some((name) => cluster.host(name).disk.faults.syncError > 0)
    const doubtful = sure < outcome.receipt.required
    if (
      doubtful
        ? this.#doubts++ < 2 * SAMPLES_MAX
        : this.#samples.length < SAMPLES_MAX && this.#random.chance(isAiling ? AILING_RATE : SAMPLE_RATE)
    ) {
      // Of a host that died meanwhile only what is on its disk now counts; disks lost since then are the injector's to allow.
      const images = new Map(holders.map((name) => [name, cluster.host(name).disk.syncedImage()] as const))
      this.#samples.push({ key, dot, what, required: outcome.receipt.required, at: cluster.time.now, images })
    }
  }

  /** After the run: recovers each sampled platter on its own and looks. */
  async finish(): Promise<void> {
    for (const { key, dot, what, required, at, images } of this.#samples) {
      const holding: string[] = []
      for (const [name, image] of images) if (await holdsOnPlatter(image, key, dot)) holding.push(name)
      if (holding.length < required) {
        this.#world.violations.add(
          'G1',
          `${what}: at ${at.toFixed(1)} only ${holding.join() || 'nobody'} of ${[...images.keys()].join()} had synced it; W=${required}`,
        )
      }
    }
  }
}

async function holdsOnPlatter(image: DiskImage, key: KeyHistory, dot: Dot): Promise<boolean> {
  const random = new SeededRandom('platter')
  const time = new VirtualTime()
  const disk = new SimulatedDisk({ random })
  disk.restore(image)
  const process = new SimulatedProcess(time, 'platter')
  const storage = await time.settle(
    Storage.open({
      disk: disk.attach(process),
      clock: process.clock,
      random,
      logger: SILENT_LOGGER,
      ...SIMULATED_LIMITS,
    }),
  )
  const held = homeKnows(storage, key, dot) || hintHolds(storage, key, dot)
  process.kill()
  return held
}
