// The mark of an idempotent write: every attempt, through whatever node, carries the same. Pure.

import { hashOfFields, hashOfLongBytes, hexOf } from '../core/hash64.ts'
import type { Content, Mark } from '../core/causality/version.ts'

export function markOf(bucket: string, key: string, idempotencyKey: string, content: Content): Mark {
  const meta = content.meta.flat()
  const bytes = hexOf(hashOfLongBytes(content.bytes))
  return {
    id: hexOf(hashOfFields(['tag', bucket, key, idempotencyKey])),
    fingerprint: hexOf(hashOfFields(['body', content.contentType, ...meta, bytes])).slice(0, 8),
  }
}
