// G4 before anybody reads: no home lets go of a deletion, or of an expired version, while another home has never heard of it and may
// still show what it superseded. Reads only.

import type { Dot } from '../../core/causality/dot.ts'
import { homeKnows, homesOf, recordAt, storageOf } from '../holdings.ts'
import type { KeyHistory, WriteRecord } from '../history.ts'
import type { ObservedWrite } from '../observed.ts'
import type { World } from '../world.ts'
import { describe } from './inclusion.ts'

interface Watched {
  readonly key: KeyHistory
  readonly write: WriteRecord
  readonly dot: Dot
}

export class Collected {
  readonly #world: World
  /** What some home may still have to hear of. */
  #watched: Watched[] = []

  constructor(world: World) {
    this.#world = world
  }

  note({ key, write, outcome }: ObservedWrite): void {
    // Another attempt of an idempotent write may come where the tag is dead already: it goes at once, unheard of.
    if (!write || write.tagged || !outcome.version || key.settings.durability === 'memory') return
    if (write.kind === 'delete' || write.ttlMs !== null) this.#watched.push({ key, write, dot: outcome.version })
  }

  /** `isWhole`: nothing that was destroyed is still to be repaired. */
  tick(isWhole: boolean): void {
    if (!isWhole || !this.#world.disksTrusted) return
    this.#watched = this.#watched.filter((watched) => this.#isOpen(watched))
  }

  /** False: nothing more can go wrong with it. */
  #isOpen({ key, write, dot }: Watched): boolean {
    const { cluster, violations } = this.#world
    const homes = homesOf(cluster, key).map((name) => ({ name, storage: storageOf(cluster.host(name)) }))
    const unaware = homes.find(({ storage }) => !storage || !homeKnows(storage, key, dot))
    if (!unaware) return homes.length === 0
    if (key.suspended) return true
    for (const { name, storage } of homes) {
      if (!storage || storage !== cluster.host(name).node?.rooms?.storage) continue
      const clock = storage.clockOf(key.partition)
      if (!clock.has(dot)) continue
      const record = recordAt(storage, key)
      if (record?.versions.some((version) => key.writeOf(version) === write)) continue
      const hasFollower = key.writes.some(
        (other) => other !== write && (other.covers(write) || isLater(key, other, write)) && other.isIn(clock),
      )
      if (hasFollower) continue
      violations.add(
        'G4',
        `${name} has let go of ${describe(write)} of ${key.name}, which ${unaware.name} has never heard of`,
      )
      return false
    }
    return true
  }
}

/** Wins where the last write does. */
function isLater(key: KeyHistory, other: WriteRecord, write: WriteRecord): boolean {
  return key.conflict === 'lww' && other.stamp >= write.leastStamp
}
