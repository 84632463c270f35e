// How many copies may be destroyed, and when the next may be: at most W − 1 disks between two completed repairs (G1). Knows what was
// destroyed since the last one. Invariant: without `mayLose()` nothing is destroyed.

import { formatDot } from '../../core/causality/dot.ts'
import type { Storage } from '../../storage/storage.ts'
import { homeKnows, homesOf, recordAt } from '../holdings.ts'
import type { KeyHistory } from '../history.ts'
import type { Host } from '../simulated-cluster.ts'
import type { World } from '../world.ts'

export class Losses {
  readonly #world: World
  /** Hosts whose copies were destroyed since the last completed repair. */
  readonly #lost = new Set<string>()
  /** Keys on which strict reads prove nothing until they are repaired. */
  readonly #suspended = new Set<KeyHistory>()
  /** Of keys that are only promised to memory: whose process ended since the key was last repaired, with something of it not on disk. */
  readonly #ended = new Map<KeyHistory, Set<string>>()

  constructor(world: World) {
    this.#world = world
  }

  mayLose(host: string): boolean {
    this.tick()
    const { lossesMax } = this.#world.plan
    return lossesMax > 0 && (this.#lost.has(host) ? false : this.#lost.size < lossesMax)
  }

  /** Only when nothing else is lost. */
  get isWhole(): boolean {
    this.tick()
    return this.#lost.size === 0
  }

  note(host: string): void {
    this.#lost.add(host)
  }

  /** A copy of these keys was lost without the node's knowing. */
  suspend(keys: Iterable<KeyHistory>): void {
    for (const key of keys) {
      key.suspended = true
      key.suspendedAt = this.#world.cluster.time.now
      this.#suspended.add(key)
    }
  }

  /**
   * What is only promised to memory goes with its process, as far as the disk had not taken it: such a write survives the loss of fewer
   * than W processes (of all that a power cut ends at once, its injector takes care).
   */
  processEnded(host: Host): void {
    const { plan, history, cluster } = this.#world
    const departed = host.departed.at(-1)
    if (plan.memory || departed?.at !== cluster.time.now) return
    for (const key of history.keys.values()) {
      if (key.settings.durability !== 'memory' || !isAtRisk(departed.storage, key)) continue
      this.note(host.name)
      this.suspend([key])
      const ended = (this.#ended.get(key) ?? new Set()).add(host.name)
      this.#ended.set(key, ended)
      for (const write of key.writes) {
        if (write.open > 0) write.copiesLost = ended.size
        if (write.required <= ended.size) key.release(write)
      }
    }
  }

  /** Notices completed repairs. */
  tick(): void {
    const { cluster, history, trace } = this.#world
    if (this.#lost.size === 0 && this.#suspended.size === 0) return
    const isUp = cluster.hosts.every((host) => host.serving && host.node?.rooms?.filling.isActive === false)
    if (!isUp) return
    for (const key of this.#suspended) {
      if (!this.#isEverywhere(key)) continue
      key.suspended = false
      key.quiet = false
      key.suspendedAt = cluster.time.now
      this.#suspended.delete(key)
      this.#ended.delete(key)
      trace(`repaired ${key.name}`)
    }
    if (this.#lost.size === 0 || this.#suspended.size > 0) return
    if (![...history.keys.values()].every((key) => this.#isEverywhere(key))) return
    trace(`repair complete: ${[...this.#lost].join()}`)
    this.#lost.clear()
  }

  /** Every home knows every acknowledged write, and holds what any of them holds. */
  #isEverywhere(key: KeyHistory): boolean {
    const { cluster } = this.#world
    const storages = homesOf(cluster, key).map((home) => cluster.host(home).node?.rooms?.storage)
    return storages.every((storage) => {
      if (!storage) return false
      if (key.suspended && storages.some((other) => other && heldAt(other, key) !== heldAt(storage, key))) return false
      return key.writes.every((write) => write.acknowledgedDots.every((dot) => homeKnows(storage, key, dot)))
    })
  }
}

function isAtRisk(storage: Storage, key: KeyHistory): boolean {
  const { memtable, hints, syncedLsn } = storage
  const record = memtable.get(key.partition, key.bucket, key.key)
  return (record?.lsn ?? 0) > syncedLsn || hints.get(key).some(({ revision }) => revision > syncedLsn)
}

function heldAt(storage: Storage, key: KeyHistory): string {
  return (
    recordAt(storage, key)
      ?.versions.map(({ dot }) => formatDot(dot))
      .join() ?? ''
  )
}
