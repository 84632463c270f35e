// G5 after all faults have ended: every home of a partition holds the same versions, deadlines and dead tags, with the same clock; trees
// equal those made anew from the data; no hints, nothing at those who are no homes; all are linked. Says what is not so yet, in words.

import { formatDot } from '../../core/causality/dot.ts'
import { decodeRecord } from '../../core/causality/record.ts'
import { MerkleTree, LEAVES } from '../../core/merkle/merkle-tree.ts'
import { leafOfHash } from '../../core/ring/key-hash.ts'
import { digestOf } from '../../replica/partition-index.ts'
import type { Storage } from '../../storage/storage.ts'
import type { World } from '../world.ts'

/** The first difference found; null: converged. `whole`: clocks and trees are compared too. */
export function whatDiffers(world: World, whole: boolean): string | null {
  const { cluster } = world
  const away = cluster.hosts.find((host) => !host.serving)
  if (away) return `${away.name} does not serve: ${away.fatal ?? away.node?.rooms?.membership.waitingFor ?? 'starting'}`
  const ring = cluster.hosts[0]?.node?.rooms?.membership.ring
  if (!ring) return 'no ring'
  const partitions = new Set<number>()
  for (const { name, node } of cluster.hosts) {
    const rooms = node?.rooms
    if (!rooms) return `${name} has no storage`
    if (rooms.storage.hints.count > 0) {
      const [target = ''] = rooms.storage.hints.targets()
      const keys = rooms.storage.hints.next(target, 1 << 20).map((hint) => `${hint.bucket}/${hint.key}`)
      return `${name} holds ${rooms.storage.hints.count} hints, for ${target} ${keys.join()}`
    }
    if (rooms.filling.isActive) return `${name} is filling`
    // Equal data may have needed no exchange: until the links are up again a read's quorum is not in reach.
    const unlinked = cluster.hosts.find((other) => other.name !== name && !rooms.links.reachable(other.name))
    if (unlinked) return `${name} has no link to ${unlinked.name}`
    for (const partition of rooms.storage.partitions()) {
      partitions.add(partition)
      if (!ring.isHome(partition, name)) return `${name} holds data of partition ${partition}, of which it is no home`
    }
  }
  for (const partition of [...partitions].sort((a, b) => a - b)) {
    const homes = ring.homes(partition)
    const [first, ...others] = homes.map((home) => ({
      home,
      contents: contentsOf(storageAt(world, home), partition, whole),
    }))
    for (const other of others) {
      if (first && other.contents !== first.contents) {
        return `partition ${partition}: ${first.home} holds ${first.contents}, ${other.home} ${other.contents}`
      }
    }
    if (!whole) continue
    for (const home of homes) {
      const rooms = cluster.host(home).node?.rooms
      const kept = rooms?.indexes.tree(partition).rootHex
      const anew = recomputedRoot(storageAt(world, home), partition, ring.partitions)
      if (kept !== anew) return `partition ${partition}: the tree of ${home} says ${kept}, its data ${anew}`
    }
  }
  return null
}

function storageAt(world: World, host: string): Storage {
  const storage = world.cluster.host(host).node?.rooms?.storage
  if (!storage) throw new RangeError(`${host} has no storage`)
  return storage
}

function contentsOf(storage: Storage, partition: number, withClock: boolean): string {
  const records: string[] = []
  for (const entry of storage.memtable.scan(partition, null)) {
    const { versions, deadTags } = decodeRecord(entry.bytes)
    // A stub of pure past says nothing to anybody.
    if (versions.length === 0 && (deadTags.length === 0 || !withClock)) continue
    const shown = versions.map(
      (v) => `${formatDot(v.dot)}${v.content ? '' : '†'}${v.deadlineMs === null ? '' : `@${v.deadlineMs}`}`,
    )
    const tags = withClock ? deadTags.map(({ id, dot, kills }) => `${kills ? '|' : '?'}${id}@${formatDot(dot)}`) : []
    records.push(`${entry.bucket}/${entry.key}=${shown.join('+')}${tags.join('')}`)
  }
  return `[${records.join(' ')}]${withClock ? storage.clockOf(partition).toString() : ''}`
}

function recomputedRoot(storage: Storage, partition: number, partitions: number): string {
  const tree = new MerkleTree()
  for (const entry of storage.memtable.scan(partition, null)) {
    tree.update(leafOfHash(entry.hash, partitions, LEAVES), null, digestOf(entry.hash, decodeRecord(entry.bytes)))
  }
  return tree.rootHex
}
