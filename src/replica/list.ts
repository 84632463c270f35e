// One home's part of a listing page: the keys of one bucket in one partition, in (hash, key) order, with what is needed to tell whether
// homes agree. Reads only.

import { liveOf } from '../core/causality/attempts.ts'
import type { HybridClock } from '../core/causality/hybrid-clock.ts'
import { msFromHybrid } from '../core/causality/hybrid-clock.ts'
import { decodeRecord } from '../core/causality/record.ts'
import { hash64FromHex, hexOf } from '../core/hash64.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import type { Clock } from '../ports/clock.ts'
import type { ListReply } from '../protocol/messages.ts'
import type { Storage } from '../storage/storage.ts'
import type { Filling } from './filling.ts'
import { digestOf } from './partition-index.ts'

export interface ListQuestion {
  readonly bucket: string
  readonly partition: PartitionId
  readonly prefix: string
  readonly after: { readonly hash: string; readonly key: string } | null
  readonly limit: number
}

export function listKeys(
  parts: { readonly storage: Storage; readonly filling: Filling; readonly hybrid: HybridClock; readonly clock: Clock },
  question: ListQuestion,
): ListReply {
  const { bucket, partition, prefix, after, limit } = question
  const nowMs = msFromHybrid(parts.hybrid.read(parts.clock.now()))
  const keys: ListReply['keys'][number][] = []
  const hash = after && hash64FromHex(after.hash)
  const position = hash && after ? { hash, key: after.key, bucket } : null
  for (const entry of parts.storage.memtable.scan(partition, position)) {
    if (entry.bucket !== bucket || !entry.key.startsWith(prefix)) continue
    if (keys.length === limit) return { type: 'list', filling: parts.filling.isFilling(partition), keys, more: true }
    const record = decodeRecord(entry.bytes)
    const digest = digestOf(entry.hash, record)
    const live = liveOf(record.versions, nowMs).length > 0
    // The digest of nothing: a stub says no more than a record that is not there.
    if (digest !== null) keys.push({ hash: hexOf(entry.hash), key: entry.key, digest: hexOf(digest), live })
  }
  return { type: 'list', filling: parts.filling.isFilling(partition), keys, more: false }
}
