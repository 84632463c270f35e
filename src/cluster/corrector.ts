// Brings two nodes' tables together when they find that they differ: by a heartbeat's digest, by a refusal, by a change here.
// Decides when to exchange; what a merge is belongs to the tables. Invariant: at most one exchange of a kind with a peer at a time.

import type { Peers } from '../link/peers.ts'
import type { BucketRegistry } from './bucket-registry.ts'
import type { Membership } from './membership.ts'
import { decodeTable } from './tables.ts'

type Kind = 'members' | 'settings'

export interface CorrectorParts {
  readonly peers: Peers
  readonly membership: Membership
  readonly buckets: BucketRegistry
  readonly background: (work: Promise<void>) => void
  readonly budgetMs: number
}

export class Corrector {
  readonly #parts: CorrectorParts
  readonly #underWay = new Map<string, Promise<void>>()

  constructor(parts: CorrectorParts) {
    this.#parts = parts
  }

  noteDigests(member: string, members: string, settings: string): void {
    const { membership, buckets, background } = this.#parts
    // Views of founders have no digest, and one that changed while an exchange was under way was in none of them: ask again until
    // there is a table, or both sides wait for ever for a word that was never said.
    const settled = membership.table !== null
    if (!settled || members !== membership.digest) background(this.#exchange(member, 'members'))
    if (settings !== buckets.digest) background(this.#exchange(member, 'settings'))
  }

  /** This node's table or view changed. */
  push(members: readonly string[]): void {
    for (const member of members) this.#parts.background(this.#exchange(member, 'members'))
  }

  /** After a refusal: takes the other's table over, then gives it this one where it still lacks something. */
  async exchange(member: string, what: Kind, correction: Uint8Array | null): Promise<void> {
    if (correction) this.#take(member, what, correction)
    await this.#exchange(member, what)
  }

  #exchange(member: string, what: Kind): Promise<void> {
    const at = `${what} ${member}`
    const underWay = this.#underWay.get(at)
    if (underWay) return underWay
    const exchange = this.#ask(member, what).finally(() => this.#underWay.delete(at))
    this.#underWay.set(at, exchange)
    return exchange
  }

  async #ask(member: string, what: Kind): Promise<void> {
    const { peers, membership, buckets, budgetMs } = this.#parts
    try {
      if (what === 'members') {
        const { reply } = await peers.request(member, { type: 'members', table: membership.encoded }, { budgetMs })
        if (reply.type === 'members') this.#take(member, what, reply.table)
      } else {
        const { reply } = await peers.request(member, { type: 'settings', settings: buckets.encode() }, { budgetMs })
        if (reply.type === 'settings') this.#take(member, what, reply.settings)
      }
    } catch {
      // The next heartbeat finds the difference again.
    }
  }

  #take(member: string, what: Kind, bytes: Uint8Array): void {
    const { membership, buckets } = this.#parts
    if (what === 'settings') return buckets.merge(bytes)
    const table = decodeTable(bytes)
    // A view counts only as its author's own word, which the handshake has proven.
    const author = table.type === 'founding' ? table.view.candidates.find(({ name }) => name === member) : undefined
    const identity = author ?? { name: member, storage: '', peerAddress: '', clientAddress: '' }
    if (table.type === 'founding' && !author) return
    membership.receive(identity, table)
  }
}
