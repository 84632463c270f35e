// The mark of an idempotent write: every attempt, through whatever node, carries the same. Pure.

import { hashOfFields, hexOf } from '../core/hash64.ts'
import type { Content, Mark } from '../core/causality/version.ts'

export function markOf(bucket: string, key: string, idempotencyKey: string, content: Content): Mark {
  const bytes = Buffer.from(content.bytes.buffer, content.bytes.byteOffset, content.bytes.byteLength)
  const meta = content.meta.flat()
  return {
    id: hexOf(hashOfFields(['tag', bucket, key, idempotencyKey])),
    fingerprint: hexOf(hashOfFields(['body', content.contentType, ...meta, bytes.toString('latin1')])).slice(0, 8),
  }
}
