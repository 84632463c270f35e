// How the first members of a cluster agree on who they are, without a leader: each gathers candidates until it has the
// expected number, freezes that view for good, and is settled once every member of its view has published the very same
// view. Knows nothing of links. Invariant: two nodes never settle on different views with a member in common: that
// member froze once.
//
// Settling needs all, not most, of the founders, so any two settled views share nobody or are equal; with fewer
// candidates than twice the expected number they always share somebody. The price is that one absent founder holds it
// up, which is reported. What is frozen must be durable before it is published, or the storage's identity must be lost
// along with it.

import { QuorateError, invariant } from '../../errors.ts'
import { hashOfFields, hexOf } from '../hash64.ts'
import { foundingDigest } from './founding-view.ts'
import type { FoundingView } from './founding-view.ts'
import { compareText, uuidOf } from './identity.ts'
import type { Identity } from './identity.ts'
import { MemberTable, sameTerms } from './member-table.ts'
import type { ClusterTerms } from './member-table.ts'

export interface FoundingTerms extends ClusterTerms {
  /** How many founders there are. */
  readonly expect: number
}

/** Reads aloud in a log line: what is still missing, and who is in the way. */
export type FoundingStatus =
  | {
      readonly state: 'gathering'
      readonly known: readonly string[]
      readonly missing: number
      readonly refused: readonly Refused[]
    }
  | {
      readonly state: 'frozen'
      /** Founders of my view that have not published a full view yet. */
      readonly silent: readonly string[]
      /**
       * Founders of my view that froze another one: there are more candidates than expected. Only a new start
       * resolves it.
       */
      readonly disagreeing: readonly string[]
      /** Founders of my view whose name came back with another storage. Only a new start resolves it. */
      readonly replaced: readonly string[]
      readonly refused: readonly Refused[]
    }
  | { readonly state: 'settled'; readonly table: MemberTable }

/** A candidate that cannot found this cluster, and why. */
export interface Refused {
  readonly name: string
  readonly reason: 'cluster-name' | 'partitions' | 'defaults' | 'expect' | 'name-taken'
}

const HEARD_MAX = 1000

export class Founding {
  readonly #self: Identity
  readonly #terms: FoundingTerms
  /** By name, mine among them. */
  #candidates: ReadonlyMap<string, Identity> = new Map()
  #frozen: boolean
  /** What each founder published last, by name. */
  readonly #published = new Map<string, { readonly storage: string; readonly digest: string; readonly full: boolean }>()
  readonly #refused = new Map<string, Refused>()
  #settled: MemberTable | null = null

  /**
   * `kept`: the view that this storage froze before a restart, to be held on to. Throws `config` where settings
   * changed since.
   */
  constructor(self: Identity, terms: FoundingTerms, kept: FoundingView | null = null) {
    invariant(terms.expect >= 1, 'a cluster has a founder')
    this.#self = self
    this.#terms = terms
    if (kept !== null) this.#holdOnTo(kept)
    this.#candidates = this.#with(self)
    this.#frozen = this.#candidates.size === terms.expect
    this.#settle()
  }

  /** What to tell everybody; once it is full it never changes but for addresses. */
  get view(): FoundingView {
    const candidates = [...this.#candidates.values()].sort((a, b) => compareText(a.name, b.name))
    return { ...this.#terms, candidates }
  }

  get frozen(): boolean {
    return this.#frozen
  }

  get status(): FoundingStatus {
    if (this.#settled !== null) return { state: 'settled', table: this.#settled }
    const refused = [...this.#refused.values()].sort((a, b) => compareText(a.name, b.name))
    const known = [...this.#candidates.keys()].sort(compareText)
    if (!this.#frozen) return { state: 'gathering', known, missing: this.#terms.expect - known.length, refused }
    const mine = foundingDigest(this.view)
    const others = [...this.#candidates.values()].filter(({ name }) => name !== this.#self.name)
    const namesOf = (matches: (candidate: Identity) => boolean): readonly string[] =>
      others
        .filter(matches)
        .map(({ name }) => name)
        .sort(compareText)
    return {
      state: 'frozen',
      silent: namesOf(({ name }) => this.#published.get(name)?.full !== true),
      disagreeing: namesOf(({ name, storage }) => {
        const said = this.#published.get(name)
        return said !== undefined && said.full && said.storage === storage && said.digest !== mine
      }),
      replaced: namesOf(({ name, storage }) => (this.#published.get(name)?.storage ?? storage) !== storage),
      refused,
    }
  }

  /**
   * A candidate, proven by the handshake, says which view it has. Candidates that others only tell of are not taken
   * up.
   */
  hear(from: Identity, view: FoundingView): void {
    if (this.#settled !== null) return
    const reason = this.#objection(from, view)
    if (reason !== null) {
      if (this.#refused.size < HEARD_MAX) this.#refused.set(from.name, { name: from.name, reason })
      return
    }
    this.#refused.delete(from.name)
    const full = view.candidates.length === this.#terms.expect
    // Taking up a frozen view that names me, while I am free, keeps surplus candidates from splitting the founders.
    if (!this.#frozen && full && this.#names(view)) {
      this.#candidates = byName(view)
      this.#candidates = this.#with(this.#self)
      this.#frozen = true
    }
    const mayEnter = this.#candidates.get(from.name)?.storage === from.storage || !this.#frozen
    if (mayEnter) this.#candidates = this.#with(from)
    if (this.#candidates.size === this.#terms.expect) this.#frozen = true
    if (this.#published.size < HEARD_MAX || this.#published.has(from.name)) {
      this.#published.set(from.name, { storage: from.storage, digest: foundingDigest(view), full })
    }
    this.#settle()
  }

  #holdOnTo(kept: FoundingView): void {
    if (!sameTerms(kept, this.#terms) || kept.expect !== this.#terms.expect || !this.#names(kept)) {
      throw new QuorateError('config', 'this node began to found its cluster under other settings')
    }
    this.#candidates = byName(kept)
  }

  #objection(from: Identity, view: FoundingView): Refused['reason'] | null {
    if (from.name === this.#self.name) return 'name-taken'
    if (view.clusterName !== this.#terms.clusterName) return 'cluster-name'
    if (view.partitions !== this.#terms.partitions) return 'partitions'
    if (view.expect !== this.#terms.expect) return 'expect'
    return sameTerms(view, this.#terms) ? null : 'defaults'
  }

  #names(view: FoundingView): boolean {
    return view.candidates.some(({ name, storage }) => name === this.#self.name && storage === this.#self.storage)
  }

  #with(candidate: Identity): ReadonlyMap<string, Identity> {
    return new Map(this.#candidates).set(candidate.name, candidate)
  }

  #settle(): void {
    if (!this.#frozen) return
    const mine = foundingDigest(this.view)
    // An equal digest is a full view, and of this very storage: every view names its own.
    for (const name of this.#candidates.keys()) {
      if (name !== this.#self.name && this.#published.get(name)?.digest !== mine) return
    }
    const { candidates, clusterName, partitions, defaults } = this.view
    const terms: ClusterTerms = { clusterName, partitions, defaults }
    this.#settled = MemberTable.founded(clusterIdOf(this.view), terms, candidates)
  }
}

function byName(view: FoundingView): ReadonlyMap<string, Identity> {
  return new Map(view.candidates.map((candidate) => [candidate.name, candidate]))
}

/**
 * The same for all founders without another round: a custom UUID (RFC 9562, version 8) made from what they agreed
 * on.
 */
export function clusterIdOf(view: FoundingView): string {
  const digest = foundingDigest(view)
  const hex = hexOf(hashOfFields(['cluster id', digest])) + hexOf(hashOfFields(['cluster id, second half', digest]))
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16)
  return uuidOf(`${hex.slice(0, 12)}8${hex.slice(13, 16)}${variant}${hex.slice(17)}`)
}
