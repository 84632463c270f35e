// Who the members are, which storage stands behind each name, and where they are: a value that all nodes bring
// together. Knows nothing of who is reachable. Invariants: `merge` is commutative, associative and idempotent, since
// every entry is the greatest in a total order; tables of different clusters never merge; the set of names is what the
// founders settled.

import { ByteReader, ByteWriter, MalformedBytes } from '../bytes.ts'
import { hexOf } from '../hash64.ts'
import { isPartitionCount } from '../ring/key-hash.ts'
import {
  MEMBERS_MAX,
  compareText,
  pairsHash,
  readIdentity,
  readText,
  readUuid,
  writeIdentity,
  writeUuid,
} from './identity.ts'
import type { Identity } from './identity.ts'

/** What the founders settled; no node changes it alone. */
export interface ClusterTerms {
  readonly clusterName: string
  /** Q */
  readonly partitions: number
  /** Settings of a bucket that nobody configured, as canonical text; this room does not read it. */
  readonly defaults: string
}

export interface Member extends Identity {
  /** One more for each storage that took this name: the higher one is the current. */
  readonly generation: number
  /** One more for each move of this storage. */
  readonly addressVersion: number
}

const FORMAT = 1
const CLUSTER_NAME_BYTES_MAX = 255
const DEFAULTS_BYTES_MAX = 16_384

export class MemberTable {
  readonly clusterId: string
  readonly terms: ClusterTerms
  /** By name, ascending. */
  readonly members: readonly Member[]
  /** 16 hex digits; equal on two nodes iff they agree on which storage stands behind each name. */
  readonly digest: string
  readonly #byName: ReadonlyMap<string, Member>

  /** `members` in any order, each name once. */
  constructor(clusterId: string, terms: ClusterTerms, members: readonly Member[]) {
    this.clusterId = clusterId
    this.terms = terms
    this.members = members.toSorted((a, b) => compareText(a.name, b.name))
    this.digest = hexOf(pairsHash(members))
    this.#byName = new Map(this.members.map((member) => [member.name, member]))
    if (this.#byName.size !== members.length) throw new RangeError('a member name occurs twice')
  }

  /** The table that a cluster starts with. */
  static founded(clusterId: string, terms: ClusterTerms, founders: readonly Identity[]): MemberTable {
    return new MemberTable(
      clusterId,
      terms,
      founders.map(({ name, storage, peerAddress, clientAddress }) => {
        return { name, storage, peerAddress, clientAddress, generation: 1, addressVersion: 1 }
      }),
    )
  }

  /** Ascending. */
  get names(): readonly string[] {
    return this.members.map(({ name }) => name)
  }

  member(name: string): Member | undefined {
    return this.#byName.get(name)
  }

  storageOf(name: string): string | undefined {
    return this.#byName.get(name)?.storage
  }

  /** The member that this storage stands behind. */
  ownerOf(storage: string): string | undefined {
    return this.members.find((member) => member.storage === storage)?.name
  }

  /**
   * Both tables' knowledge; this very table where the other adds nothing. `foreign-cluster` where the other is not of
   * this cluster: another id, or other terms or names under the same id.
   */
  merge(other: MemberTable): MemberTable | 'foreign-cluster' {
    if (!this.#sameCluster(other)) return 'foreign-cluster'
    let changed = false
    const members = this.members.map((mine) => {
      const theirs = other.member(mine.name) ?? mine
      if (compareMembers(theirs, mine) <= 0) return mine
      changed = true
      return theirs
    })
    return changed ? new MemberTable(this.clusterId, this.terms, members) : this
  }

  /**
   * The table in which this storage stands behind its name, at these addresses: a new storage is a new generation, a
   * known one that moved a new address. Whether the newcomer may take the name is cluster's decision.
   */
  announce(identity: Identity): MemberTable | 'unknown-member' {
    const { name, storage, peerAddress, clientAddress } = identity
    const known = this.member(name)
    if (known === undefined) return 'unknown-member'
    const same = known.storage === storage
    if (same && known.peerAddress === peerAddress && known.clientAddress === clientAddress) return this
    const generation = same ? known.generation : known.generation + 1
    const addressVersion = same ? known.addressVersion + 1 : 1
    const announced: Member = { name, storage, peerAddress, clientAddress, generation, addressVersion }
    return new MemberTable(
      this.clusterId,
      this.terms,
      this.members.map((member) => (member.name === name ? announced : member)),
    )
  }

  encode(): Buffer {
    const writer = new ByteWriter(64 + 96 * this.members.length)
    writer.u8(FORMAT)
    writeUuid(writer, this.clusterId)
    writer.text(this.terms.clusterName)
    writer.varint(this.terms.partitions)
    writer.text(this.terms.defaults)
    writer.varint(this.members.length)
    for (const member of this.members) {
      writeIdentity(writer, member)
      writer.varint(member.generation)
      writer.varint(member.addressVersion)
    }
    return writer.finish()
  }

  /** Throws `MalformedBytes`. Equal tables have equal bytes, and only those bytes. */
  static decode(bytes: Uint8Array): MemberTable {
    const reader = new ByteReader(bytes)
    if (reader.u8() !== FORMAT) throw new MalformedBytes('unknown format of a member table')
    const clusterId = readUuid(reader)
    const terms = readTerms(reader)
    const count = reader.count(21)
    if (count < 1 || count > MEMBERS_MAX) throw new MalformedBytes('not a number of members')
    const members: Member[] = []
    for (let i = 0; i < count; i++) {
      const identity = readIdentity(reader)
      const previous = members.at(-1)
      if (previous !== undefined && previous.name >= identity.name) throw new MalformedBytes('members out of order')
      members.push({ ...identity, generation: reader.varint(), addressVersion: reader.varint() })
    }
    reader.end()
    return new MemberTable(clusterId, terms, members)
  }

  #sameCluster(other: MemberTable): boolean {
    return (
      this.clusterId === other.clusterId &&
      sameTerms(this.terms, other.terms) &&
      this.members.length === other.members.length &&
      this.members.every(({ name }) => other.#byName.has(name))
    )
  }
}

export function sameTerms(a: ClusterTerms, b: ClusterTerms): boolean {
  return a.clusterName === b.clusterName && a.partitions === b.partitions && a.defaults === b.defaults
}

/** The cluster's name, Q and defaults, as they stand in tables and founding views. Throws `MalformedBytes`. */
export function readTerms(reader: ByteReader): ClusterTerms {
  const clusterName = readText(reader, CLUSTER_NAME_BYTES_MAX)
  const partitions = reader.varint()
  if (!isPartitionCount(partitions)) throw new MalformedBytes('not a number of partitions')
  return { clusterName, partitions, defaults: readText(reader, DEFAULTS_BYTES_MAX) }
}

/**
 * A total order: the current storage first of all, then where it is. Addresses break ties so that merging stays
 * symmetric.
 */
function compareMembers(a: Member, b: Member): number {
  return (
    a.generation - b.generation ||
    compareText(a.storage, b.storage) ||
    a.addressVersion - b.addressVersion ||
    compareText(a.peerAddress, b.peerAddress) ||
    compareText(a.clientAddress, b.clientAddress)
  )
}
