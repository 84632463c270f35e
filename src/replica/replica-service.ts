// The door of a replica: admits or refuses what a coordinator or a healing peer asks (is it built on my ring, my settings?), and
// routes it to the records or to the hints. The coordinator's own node comes through the same door, without the bytes.
// Invariant: a refused request leaves no trace.

import { DotSet } from '../core/causality/dot-set.ts'
import { EMPTY_VIEW, mergeViews, type View } from '../core/causality/view.ts'
import type { BucketSettings } from '../core/membership/bucket-settings.ts'
import { type Directory, UNSETTLED } from '../core/membership/directory.ts'
import { replicationOf } from '../core/ring/partition.ts'
import type { RefusalReason } from '../protocol/messages.ts'
import type { Storage } from '../storage/storage.ts'
import type { KeyName, Look, Replica, WriteOptions, WriteResult } from './replica.ts'

/** What a request was built on. */
export interface Basis {
  readonly membersDigest: string
  readonly settingsVersion: number
}

/** `budgetMs`: how long whoever asks waits for the sync. */
type DoorOptions = Pick<WriteOptions, 'intent' | 'durable' | 'budgetMs'>

export type HintResult =
  | { readonly type: 'hinted'; readonly durable: boolean }
  | { readonly type: 'refused'; readonly reason: RefusalReason }

export type LookResult =
  | ({
      readonly type: 'look'
      /** The part of the required context that is not known here. */
      readonly missing: DotSet
    } & Look)
  | { readonly type: 'refused'; readonly reason: RefusalReason }

// Shared, since answers are never changed.
const NOTHING_MISSING: DotSet = DotSet.empty()

export class ReplicaService {
  readonly #directory: () => Directory | null
  readonly #replica: Replica
  readonly #storage: Storage
  readonly #serving: () => boolean

  constructor(parts: {
    directory: () => Directory | null
    replica: Replica
    storage: Storage
    serving: () => boolean
  }) {
    this.#directory = parts.directory
    this.#replica = parts.replica
    this.#storage = parts.storage
    this.#serving = parts.serving
  }

  /** `asker`: the member that asks. Its own context serves a home of the key as well as this one's would, at half the cost. */
  write(
    asker: string,
    name: KeyName,
    view: View,
    basis: Basis,
    { intent, durable, budgetMs = Infinity }: DoorOptions,
  ): WriteResult | Promise<WriteResult> {
    const admitted = this.#admit(name, basis)
    if (admitted.type === 'refused') return admitted
    const { settings, directory } = admitted
    const homes = directory.ring.homes(name.partition)
    if (!homes.includes(directory.self)) return { type: 'refused', reason: 'not-home' }
    return this.#replica.write(name, view, {
      intent,
      durable: durable && settings.durability === 'durable',
      budgetMs,
      conflict: settings.conflict,
      tellContext: asker === directory.self || !homes.includes(asker),
    })
  }

  /** Holds a view for an absent home: a client's only as far as the home would take it. */
  async hint(
    name: KeyName,
    view: View,
    basis: Basis,
    target: string,
    { intent, durable, budgetMs }: DoorOptions,
  ): Promise<HintResult> {
    const admitted = this.#admit(name, basis)
    if (admitted.type === 'refused') return admitted
    if (!admitted.directory.ring.isHome(name.partition, target)) return { type: 'refused', reason: 'not-home' }
    if (this.#storage.isFull && view.versions.some(({ content }) => content !== null))
      return { type: 'refused', reason: 'storage-full' }
    const { hints } = this.#storage
    const { conflict } = admitted.settings
    if (intent === 'client') {
      const held = hints.get(name).find((hint) => hint.target === target)?.view ?? EMPTY_VIEW
      const reason = this.#replica.reasonNotToHold(held, view, conflict)
      if (reason) return { type: 'refused', reason }
    }
    const added = hints.add(target, name, conflict, view, intent === 'client' ? Infinity : this.#replica.hintBytesMax)
    if (!added.held) return { type: 'refused', reason: 'hints-full' }
    const result: HintResult = { type: 'hinted', durable: durable && this.#storage.durable }
    return durable ? this.#replica.waits.synced(added.lsn, result, budgetMs) : result
  }

  /** As a home: the record. */
  look(name: KeyName, basis: Basis, mustInclude: DotSet | null, budgetMs?: number): LookResult | Promise<LookResult> {
    const admitted = this.#admit(name, basis)
    if (admitted.type === 'refused') return admitted
    if (!admitted.directory.ring.isHome(name.partition, admitted.directory.self))
      return { type: 'refused', reason: 'not-home' }
    const look = this.#replica.look(name, admitted.settings.durability === 'durable', budgetMs)
    // Of the same moment as the view: what comes while that is synced is not in it.
    const missing = mustInclude === null ? NOTHING_MISSING : this.#replica.missing(name, mustInclude)
    return look instanceof Promise ? look.then((seen) => looked(seen, missing)) : looked(look, missing)
  }

  /** Of whatever was found here: tells it once all that it rests on is durable. */
  synced<T>(found: T, budgetMs: number): Promise<T> {
    return this.#replica.waits.synced(this.#storage.lastLsn, found, budgetMs)
  }

  /** As a fallback: the union of the hints held for the key, or null where there is none. */
  async lookAtHints(name: KeyName, basis: Basis, mustInclude: DotSet | null, budgetMs?: number): Promise<LookResult> {
    const admitted = this.#admit(name, basis)
    if (admitted.type === 'refused') return admitted
    const hints = this.#storage.hints.get(name)
    if (hints.length === 0) return looked(NO_HINTS, mustInclude ?? NOTHING_MISSING)
    const view = hints.reduce((union, hint) => mergeViews(union, hint.view, hint.conflict), EMPTY_VIEW)
    const look = looked({ view, filling: false }, mustInclude?.subtract(view.seen) ?? NOTHING_MISSING)
    if (admitted.settings.durability !== 'durable') return look
    return this.#replica.waits.synced(this.#storage.lastLsn, look, budgetMs)
  }

  #admit(
    name: KeyName,
    basis: Basis,
  ): { type: 'admitted'; directory: Directory; settings: BucketSettings } | { type: 'refused'; reason: RefusalReason } {
    const directory = this.#directory()
    if (!directory || !this.#serving()) return { type: 'refused', reason: 'not-serving' }
    if (basis.membersDigest !== directory.membersDigest) return { type: 'refused', reason: 'stale-members' }
    const { settings, version } = directory.settingsOf(name.bucket)
    if (version === UNSETTLED || basis.settingsVersion !== version || settings.n !== replicationOf(name.partition)) {
      return { type: 'refused', reason: 'stale-settings' }
    }
    // Also keeps partitions that do not exist from whoever asks below. What is stored there passed by here when it came: no key moves.
    if (
      !this.#storage.memtable.has(name.partition, name.bucket, name.key) &&
      directory.ring.partitionIdOf(name.bucket, name.key, settings.n) !== name.partition
    ) {
      return { type: 'refused', reason: 'not-home' }
    }
    return { type: 'admitted', directory, settings }
  }
}

const NO_HINTS: Look = { view: null, filling: false }

function looked({ view, filling }: Look, missing: DotSet): LookResult {
  return { type: 'look', view, filling, missing }
}
