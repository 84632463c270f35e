// The causal context as a client holds it: opaque, canonical base64url, sealed to one cluster and key. Decides what a well-formed
// token is; the seal itself (a keyed hash) is handed in. Invariant: `open(seal(x)) = x`, and any other text is refused.

import { ByteReader, ByteWriter, MalformedBytes } from '../bytes.ts'
import { DotSet } from './dot-set.ts'
import type { HybridTime } from './hybrid-clock.ts'
import { type DeadTag, decodeDeadTags, encodeDeadTags, uniteDeadTags } from './view.ts'

export interface CausalContext {
  /** Every dot that the holder has seen of this key. */
  readonly seen: DotSet
  /** The greatest stamp among what was seen; a write under this context gets a later one. */
  readonly stamp: HybridTime
  /** Tags of the versions that were seen: they die with the write that supersedes them. */
  readonly tags: readonly DeadTag[]
}

export const EMPTY_CONTEXT: CausalContext = { seen: DotSet.empty(), stamp: 0, tags: [] }

/** Longest token in characters. */
export const CONTEXT_TOKEN_MAX = 4096

export const SEAL_BYTES = 8

/** A keyed hash over (scope, payload); `scope` names the cluster, bucket and key. */
export interface Sealer {
  seal(scope: string, payload: Uint8Array): Uint8Array
  verify(scope: string, payload: Uint8Array, seal: Uint8Array): boolean
}

const FORMAT = 1

/** Returns null when the token would be longer than `CONTEXT_TOKEN_MAX`: never truncated. */
export function sealContext(context: CausalContext, scope: string, sealer: Sealer): string | null {
  const writer = new ByteWriter(64)
  writer.u8(FORMAT)
  writer.varint(context.stamp)
  context.seen.encode(writer)
  encodeDeadTags(writer, context.tags)
  const payload = writer.finish()
  writer.raw(sealer.seal(scope, payload))
  const token = writer.finish().toString('base64url')
  return token.length <= CONTEXT_TOKEN_MAX ? token : null
}

/** Null: malformed, altered, not canonical, or sealed for another cluster or key. */
export function openContext(token: string, scope: string, sealer: Sealer): CausalContext | null {
  if (token.length > CONTEXT_TOKEN_MAX || !/^[A-Za-z0-9_-]+$/.test(token)) return null
  const bytes = Buffer.from(token, 'base64url')
  if (bytes.length <= SEAL_BYTES || bytes.toString('base64url') !== token) return null
  const payload = bytes.subarray(0, bytes.length - SEAL_BYTES)
  if (!sealer.verify(scope, payload, bytes.subarray(payload.length))) return null
  try {
    const reader = new ByteReader(payload)
    if (reader.u8() !== FORMAT) return null
    const stamp = reader.varint()
    // What is written under it gets a later stamp, which must be a number still.
    if (stamp === Number.MAX_SAFE_INTEGER) return null
    const seen = DotSet.decode(reader)
    const tags = decodeDeadTags(reader)
    reader.end()
    return { seen, stamp, tags }
  } catch (error) {
    if (error instanceof MalformedBytes) return null
    throw error
  }
}

/** What a client knows that got both. */
export function uniteContexts(a: CausalContext, b: CausalContext): CausalContext {
  return {
    seen: a.seen.union(b.seen),
    stamp: Math.max(a.stamp, b.stamp),
    tags: uniteDeadTags(a.tags, b.tags, []),
  }
}

/** Characters that `sealContext` would need; lets a coordinator refuse before it writes. */
export function contextTokenLength(context: CausalContext): number {
  const writer = new ByteWriter(64)
  writer.u8(FORMAT)
  writer.varint(context.stamp)
  context.seen.encode(writer)
  encodeDeadTags(writer, context.tags)
  return Math.ceil(((writer.length + SEAL_BYTES) * 4) / 3)
}
