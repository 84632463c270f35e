// What a node tells operators about the cluster, computed when asked. Reads only.

import { hexOf } from '../core/hash64.ts'
import type { Directory } from '../core/membership/directory.ts'
import { keyHash, partitionOfHash } from '../core/ring/key-hash.ts'
import { partitionId } from '../core/ring/partition.ts'
import type { Membership } from '../cluster/membership.ts'
import { QuorateError } from '../errors.ts'
import type { PeerLinks } from '../link/links.ts'
import type { Clock } from '../ports/clock.ts'
import type { Filling } from '../replica/filling.ts'
import type { Replica } from '../replica/replica.ts'
import type { HintStats } from '../storage/hint-store.ts'
import type { ClusterStatus, HintStatus, KeyPlacement, MemberStatus, RingStatus } from './api.ts'

export function clusterStatus(parts: {
  readonly membership: Membership
  readonly links: PeerLinks
  readonly filling: Filling
  readonly clock: Clock
  readonly self: {
    readonly name: string
    readonly version: string
    readonly zone: string | null
    readonly weight: number
  }
}): ClusterStatus {
  const { membership, links, filling, clock, self } = parts
  const { table, ring } = membership
  if (!table || !ring) throw new QuorateError('cluster', 'not part of a cluster yet')
  const defaults = JSON.parse(table.terms.defaults) as { n?: number }
  const members = table.members.map((member): MemberStatus => {
    const isSelf = member.name === self.name
    const heardAt = links.lastHeardAt(member.name)
    const alive = links.reachable(member.name) ? 'alive' : 'unreachable'
    return {
      name: member.name,
      storage: member.storage,
      peerAddress: member.peerAddress,
      clientAddress: member.clientAddress,
      zone: isSelf ? self.zone : null,
      weight: isSelf ? self.weight : 1,
      status: isSelf ? (filling.isActive ? 'filling' : 'self') : alive,
      lastHeartbeatMs: isSelf ? 0 : heardAt === null ? null : Math.round(clock.monotonic() - heardAt),
      ownedPartitions: ring.ownedPartitions(member.name, Math.min(defaults.n ?? 3, ring.members.length)).length,
      version: isSelf ? self.version : links.softwareOf(member.name),
    }
  })
  return { id: table.clusterId, name: table.terms.clusterName, partitions: table.terms.partitions, members }
}

export function ringStatus(directory: Directory, n: number): RingStatus {
  const { ring } = directory
  const index = new Map(ring.members.map((name, i) => [name, i] as const))
  return {
    partitions: ring.partitions,
    n: ring.nInForce(n),
    members: ring.members.map((name) => ({
      name,
      primary: ring.ownedPartitions(name, 1).length,
      owned: ring.ownedPartitions(name, ring.nInForce(n)).length,
    })),
    preferenceLists: Array.from({ length: ring.partitions }, (_, partition) =>
      ring.homes(partitionId(partition, ring.nInForce(n))).map((name) => index.get(name) as number),
    ),
  }
}

export function keyPlacement(
  directory: Directory,
  bucket: string,
  key: string,
  reachable: (member: string) => boolean,
  replica: Replica,
): KeyPlacement {
  const { ring, self } = directory
  const hash = keyHash(bucket, key)
  const partition = partitionOfHash(hash, ring.partitions)
  const id = partitionId(partition, directory.settingsOf(bucket).settings.n)
  const homes = ring.homes(id)
  const stateOf = (node: string): 'reachable' | 'unreachable' | 'filling' => {
    if (node === self) return replica.isFilling(id) ? 'filling' : 'reachable'
    return reachable(node) ? 'reachable' : 'unreachable'
  }
  return {
    hash: hexOf(hash),
    partition,
    ring: ring.version,
    preferenceList: homes,
    fallbacks: ring.fallbacks(id),
    replicas: homes.map((node) => ({ node, state: stateOf(node) })),
  }
}

export function hintStatus(
  stats: HintStats,
  bytesMax: number,
  nowMs: number,
  reachable: (member: string) => boolean,
): HintStatus {
  return {
    hints: stats.count,
    bytes: stats.bytes,
    bytesMax,
    targets: stats.perTarget.map(({ target, count, bytes, oldestMs }) => ({
      node: target,
      hints: count,
      bytes,
      // The store keeps since when; whoever watches wants to know how long.
      oldestMs: Math.max(0, Math.round(nowMs - oldestMs)),
      reachable: reachable(target),
    })),
  }
}
