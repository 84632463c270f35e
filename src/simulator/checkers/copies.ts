// G1 between the acknowledgement and the end: what was acknowledged at W stays with at least W hosts, but for what the injector destroyed;
// and a home whose clock names a write holds it, or a write that took its place. Looked at again and again, since repair hides what is
// lost for a moment. Reads only.

import { type Dot, formatDot } from '../../core/causality/dot.ts'
import { DotSet } from '../../core/causality/dot-set.ts'
import type { Storage } from '../../storage/storage.ts'
import { hintHolds, homeKnows, homesOf, recordAt, storageOf } from '../holdings.ts'
import type { KeyHistory, WriteRecord } from '../history.ts'
import type { ObservedWrite } from '../observed.ts'
import type { Host } from '../simulated-cluster.ts'
import type { World } from '../world.ts'
import { expirySlackMs } from './expiry.ts'
import { describe, judge } from './inclusion.ts'

interface Watched {
  readonly key: KeyHistory
  readonly write: WriteRecord
  readonly dot: Dot
  readonly required: number
  /** In which of its runs a home was found to hold it. Within one run a home loses nothing but what is destroyed. */
  readonly heldIn: Map<string, number>
  /** All homes hold it, in the runs that were under way then. */
  settledIn: number
  isLost: boolean
}

export class Copies {
  readonly #world: World
  readonly #watched: Watched[] = []
  /** Which hosts run, and for the how manieth time; and how often that changed. */
  #runs = ''
  #changes = 0

  constructor(world: World) {
    this.#world = world
  }

  note({ key, write, outcome }: ObservedWrite): void {
    if (!write || !outcome.version || (key.settings.durability === 'memory' && !this.#world.plan.memory)) return
    const { required } = outcome.receipt
    this.#watched.push({ key, write, dot: outcome.version, required, heldIn: new Map(), settledIn: -1, isLost: false })
  }

  /** `isWhole`: nothing that was destroyed is still to be repaired. */
  tick(isWhole: boolean): void {
    const { cluster, disksTrusted } = this.#world
    if (!disksTrusted) return
    const runs = cluster.hosts.map(runOf).join()
    if (runs !== this.#runs) this.#changes++
    this.#runs = runs
    for (const watched of this.#watched) {
      const { key } = watched
      if (watched.settledIn === this.#changes || key.suspended || watched.isLost) continue
      const homes = homesOf(cluster, key)
      // No node runs that could tell.
      if (homes.length === 0) return
      const inClocks = homes.filter((home) => this.#isInClock(cluster.host(home), watched))
      if (inClocks.length === homes.length) watched.settledIn = this.#changes
      if (inClocks.length >= watched.required || !isWhole) continue
      const holding = cluster.hosts.filter(({ name }) => inClocks.includes(name) || this.#holds(name, watched))
      if (holding.length >= watched.required) continue
      watched.isLost = true
      this.#world.violations.add(
        'G1',
        `${describe(watched.write)} of ${key.name}, acknowledged at W=${watched.required}, is left with ${holding.map(({ name }) => name).join() || 'nobody'}`,
      )
    }
  }

  #isInClock(host: Host, watched: Watched): boolean {
    const { key, dot, heldIn } = watched
    const rooms = host.node?.rooms
    const run = runOf(host)
    if (heldIn.get(host.name) === run) return true
    const storage = storageOf(host)
    if (!storage?.clockOf(key.partition).has(dot)) return false
    heldIn.set(host.name, run)
    if (rooms && !rooms.filling.isFilling(key.partition)) this.#expectHeld(host, watched, storage)
    return true
  }

  #holds(name: string, { key, dot }: Watched): boolean {
    const storage = storageOf(this.#world.cluster.host(name))
    return storage !== undefined && (homeKnows(storage, key, dot) || hintHolds(storage, key, dot))
  }

  #expectHeld(host: Host, { key, write, dot }: Watched, storage: Storage): void {
    const record = recordAt(storage, key)
    const clock = storage.clockOf(key.partition)
    const now = this.#world.cluster.time.now
    const answer = {
      versions: record?.versions ?? [],
      seen: record ? clock.union(record.past) : clock,
      startedAt: now,
      endedAt: now,
    }
    const { missing } = judge(key, DotSet.of(dot), answer, expirySlackMs(this.#world))
    if (!missing.includes(write)) return
    this.#world.violations.add(
      'G1',
      `${host.name} counts ${formatDot(dot)} of ${key.name} among what it received, and holds neither ${describe(write)} nor what took its place`,
    )
  }
}

/** Negative: it is over. */
function runOf(host: Host): number {
  return host.node?.rooms ? host.starts : -host.starts
}
