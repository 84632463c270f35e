// Who holds what, read from the nodes' memory: the ground truth that receipts and acknowledgements are measured by. Reads only.

import { decodeRecord, type KeyRecord, knows } from '../core/causality/record.ts'
import type { Dot } from '../core/causality/dot.ts'
import type { Storage } from '../storage/storage.ts'
import type { KeyHistory } from './history.ts'
import type { Host, SimulatedCluster } from './simulated-cluster.ts'

export function recordAt(storage: Storage, key: KeyHistory): KeyRecord | null {
  const entry = storage.memtable.get(key.partition, key.bucket, key.key)
  return entry ? decodeRecord(entry.bytes) : null
}

/** As a home: holds the version, or what superseded it, or has collected it. */
export function homeKnows(storage: Storage, key: KeyHistory, dot: Dot): boolean {
  const record = recordAt(storage, key)
  const clock = storage.clockOf(key.partition)
  return record ? knows(record, clock, dot) : clock.has(dot)
}

export function hintHolds(storage: Storage, key: KeyHistory, dot: Dot): boolean {
  return storage.hints.get(key).some((hint) => hint.view.seen.has(dot))
}

/** The storage that runs on a host, and those whose runs ended since. */
export function storagesSince(host: Host, since: number): Storage[] {
  const running = host.node?.rooms?.storage
  const departed = host.departed.filter(({ at }) => at >= since).map(({ storage }) => storage)
  return running ? [...departed, running] : departed
}

/** That of the last run, if the host is down. */
export function storageOf(host: Host): Storage | undefined {
  return host.node?.rooms?.storage ?? host.departed.at(-1)?.storage
}

/** The homes of a key, as every node computes them. */
export function homesOf(cluster: SimulatedCluster, key: KeyHistory): readonly string[] {
  for (const host of cluster.hosts) {
    const ring = host.node?.rooms?.membership.ring
    if (ring) return ring.homes(key.partition)
  }
  return []
}
