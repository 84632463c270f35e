// What destroys copies: a wiped disk, damage at rest, a record gone from memory, a disk from the past. How much may be lost at a time is
// `losses.ts`. Invariant: whatever is destroyed is noted there first, or at once, and damage that a node overlooks is told.

import { sameDeadTags } from '../../core/causality/attempts.ts'
import { DotSet } from '../../core/causality/dot-set.ts'
import type { KeyRecord } from '../../core/causality/record.ts'
import type { PartitionId } from '../../core/ring/partition.ts'
import { PackedMemtable } from '../../storage/packed-memtable.ts'
import type { Storage } from '../../storage/storage.ts'
import type { KeyHistory } from '../history.ts'
import { homesOf, recordAt } from '../holdings.ts'
import type { Host } from '../simulated-cluster.ts'
import { wait } from '../virtual-clock.ts'
import type { Means } from './means.ts'

/** Longer than any operation. */
const QUIET_MS = 3000
/** Milliseconds to wait for a moment in which all is synced. */
const STILL_TRIES = 50

export class DestructiveKinds {
  readonly #means: Means

  constructor(means: Means) {
    this.#means = means
  }

  async wipe(durationMs: number): Promise<void> {
    const { world, random, losses } = this.#means
    const host = this.#expendable()
    if (!host) return
    this.#means.note('wipe', `${host.name} for ${durationMs.toFixed(0)}`)
    losses.note(host.name)
    world.cluster.crash(host, random.pick(['reset', 'silent']), true)
    host.disk.wipe()
    await this.#backWithNewStorage(host, durationMs)
  }

  /** Damage at rest, in the middle of a file: it must be noticed, or do no harm. */
  async rot(durationMs: number): Promise<void> {
    const { time, random, losses } = this.#means
    const host = this.#expendable()
    const before = host?.node?.rooms?.storage
    if (!host || !before) return
    const clocks = await this.#clocksWhenSynced(before)
    if (host.node?.rooms?.storage !== before || !losses.mayLose(host.name)) return
    losses.note(host.name)
    this.#means.end(host, 'reset', true)
    const flips = random.integer(1, 4)
    const where = Array.from({ length: flips }, () => host.disk.rotBeforeLastSync())
    this.#means.note('bit-rot', `${host.name} ${where.map((at) => (at ? `${at.name}@${at.position}` : '-')).join(' ')}`)
    const { starts } = host
    await this.#backWithNewStorage(host, durationMs)
    const { node } = host
    // Another fault may have let it start before: then that start was told.
    if (!node || host.starts !== starts + 1 || where.every((at) => at === null)) return
    while (host.node === node && !host.serving) await wait(time, 50)
    const after = host.node?.rooms?.storage
    if (host.node !== node || !after) return
    // It says that nothing is damaged: then nothing that was synced may be missing.
    if (after.recovery.damaged.length === 0 && !after.recovery.isNew) this.#expectAll(host, clocks, after)
  }

  /**
   * One record vanishes from one home's memory, and the tree with it: only a comparison of trees can find that. While all homes say the
   * same of the key: what comes to it afterwards makes a new record there, which nothing tells from one that has superseded the rest.
   */
  async loseRecord(): Promise<void> {
    const { world, time, random, losses } = this.#means
    const { cluster, history, plan } = world
    if (!plan.healing.antiEntropy || !losses.isWhole) return
    const keys = [...history.keys.values()].filter((key) => !key.quiet && this.#canLoseRecord(key))
    if (keys.length === 0) return
    const key = random.pick(keys)
    // What is under way (repair behind answers, too) must not touch it any more.
    key.quiet = true
    await wait(time, QUIET_MS)
    const homes = homesOf(cluster, key)
    const host = homes.length > 0 ? cluster.host(random.pick(homes)) : null
    const rooms = host?.node?.rooms
    const isPossible = losses.isWhole && key.busy === 0 && this.#canLoseRecord(key)
    if (!isPossible || !host || !rooms || !(rooms.storage.memtable instanceof PackedMemtable)) {
      key.quiet = false
      return
    }
    this.#means.note('lost-record', `${key.name} at ${host.name}`)
    losses.note(host.name)
    losses.suspend([key])
    rooms.storage.memtable.remove(key.partition, key.bucket, key.key)
    rooms.indexes.forget(key.partition)
  }

  /** A directory is put back as it was some time ago: nothing but unique dots is promised from then on. */
  async oldDisk(durationMs: number): Promise<void> {
    const { world, time, losses, operator } = this.#means
    const host = this.#expendable()
    if (!host) return
    const image = host.disk.syncedImage()
    await wait(time, durationMs)
    if (!losses.mayLose(host.name) || operator.keepsDown(host)) return
    this.#means.note('old-disk', `${host.name} as ${durationMs.toFixed(0)} ago`)
    losses.note(host.name)
    world.disksTrusted = false
    world.cluster.crash(host, 'reset', true)
    host.disk.restore(image)
    await operator.backAfter(host, durationMs)
  }

  /** Also one that does not run. */
  #expendable(): Host | null {
    return this.#means.victim(({ name }) => this.#means.losses.mayLose(name))
  }

  /** Links are told to the new storage and dismissed for the old one: everybody's way is disturbed for a while. */
  async #backWithNewStorage(host: Host, durationMs: number): Promise<void> {
    const { stability, operator } = this.#means
    stability.disturb('everything')
    await operator.backAfter(host, durationMs)
    stability.disturb('everything')
  }

  /**
   * All that it ever received, by partition, at a moment when everything is on the disk: what a lost batch would be missing from, though
   * its writes were superseded since. Empty: there was no such moment in a while.
   */
  async #clocksWhenSynced(storage: Storage): Promise<ReadonlyMap<PartitionId, DotSet>> {
    for (let left = STILL_TRIES; storage.lastLsn > storage.syncedLsn; left--) {
      if (left === 0) return new Map()
      await wait(this.#means.time, 1)
    }
    return new Map(storage.partitions().map((partition) => [partition, storage.clockOf(partition).clone()]))
  }

  #expectAll(host: Host, clocks: ReadonlyMap<PartitionId, DotSet>, after: Storage): void {
    const { violations, trace } = this.#means.world
    for (const [partition, clock] of clocks) {
      const lost = clock.subtract(after.clockOf(partition))
      if (lost.isEmpty) continue
      violations.add(
        'G13',
        `${host.name} started over damaged bytes without a word, and lacks ${lost.toString()} of partition ${partition}`,
      )
    }
    trace(`bit rot on ${host.name} did no harm`)
  }

  #canLoseRecord(key: KeyHistory): boolean {
    const { cluster } = this.#means.world
    if (key.suspended || key.settings.durability === 'memory' || cluster.serving.length < cluster.hosts.length)
      return false
    if (cluster.hosts.some(({ node }) => (node?.rooms?.storage.hints.get(key).length ?? 0) > 0)) return false
    const records = homesOf(cluster, key).map((home) => {
      const storage = cluster.host(home).node?.rooms?.storage
      return (storage && recordAt(storage, key)) ?? null
    })
    const [first] = records
    return (
      records.length > 1 && !!first && records.every((record) => record && holdsLasting(record) && agree(record, first))
    )
  }
}

function holdsLasting({ versions }: KeyRecord): boolean {
  return versions.length > 0 && versions.every((version) => version.content !== null && version.deadlineMs === null)
}

function agree(a: KeyRecord, b: KeyRecord): boolean {
  const dots = ({ versions }: KeyRecord): DotSet => DotSet.of(...versions.map(({ dot }) => dot))
  return dots(a).equals(dots(b)) && sameDeadTags(a.deadTags, b.deadTags)
}
