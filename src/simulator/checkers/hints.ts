// G1 of what waits for its home: a hint leaves a stand-in only once the home knows all that it held, and one that was synced outlives the
// stand-in's crash. Compares what each host holds from tick to tick. Reads only.

import { formatDot } from '../../core/causality/dot.ts'
import { decodeView } from '../../core/causality/view.ts'
import type { StoredHint } from '../../storage/entries.ts'
import { homeKnows, storageOf } from '../holdings.ts'
import type { Host } from '../simulated-cluster.ts'
import type { World } from '../world.ts'

interface Seen {
  readonly run: number
  readonly hints: ReadonlyMap<string, StoredHint>
}

export class HintsKept {
  readonly #world: World
  readonly #seen = new Map<string, Seen>()

  constructor(world: World) {
    this.#world = world
  }

  /** `isWhole`: nothing that was destroyed is still to be repaired. */
  tick(isWhole: boolean): void {
    if (!isWhole || !this.#world.disksTrusted) return this.#seen.clear()
    for (const host of this.#world.cluster.hosts) {
      const storage = host.node?.rooms?.storage
      if (!storage) continue
      const before = this.#seen.get(host.name)
      if (storage.hints.count === 0 && !before?.hints.size) continue
      const hints = new Map([...storage.hints.all()].map((hint) => [nameOf(hint), hint]))
      this.#seen.set(host.name, { run: host.starts, hints })
      for (const [name, hint] of before?.hints ?? []) {
        const now = hints.get(name)
        if (now?.view === hint.view) continue
        const isLeft = before?.run === host.starts || this.#wasSynced(host, hint)
        if (isLeft) this.#expectKnown(host, hint, now)
      }
    }
  }

  /** In the run before this one; what was not may be gone. */
  #wasSynced(host: Host, { revision }: StoredHint): boolean {
    const departed = host.departed.at(-1)
    return !this.#world.plan.memory && departed !== undefined && revision <= departed.storage.syncedLsn
  }

  #expectKnown(host: Host, hint: StoredHint, now: StoredHint | undefined): void {
    const { cluster, history, violations } = this.#world
    const key = history.of(hint.bucket, hint.key)
    const home = storageOf(cluster.host(hint.target))
    if (key.suspended || key.settings.durability === 'memory' || home === undefined) return
    const held = now && decodeView(now.view).seen
    const lost = decodeView(hint.view).versions.filter(({ dot }) => !held?.has(dot) && !homeKnows(home, key, dot))
    if (lost.length === 0) return
    violations.add(
      'G1',
      `${host.name} no longer holds the hint for ${hint.target} of ${key.name}, which lacks ${lost.map(({ dot }) => formatDot(dot)).join()}`,
    )
  }
}

function nameOf({ target, bucket, key }: StoredHint): string {
  return JSON.stringify([target, bucket, key])
}
