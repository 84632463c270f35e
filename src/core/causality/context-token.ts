// The causal context as a client holds it: opaque, canonical base64url, sealed to one cluster and key. Decides what a well-formed
// token is; the seal itself (a keyed hash) is handed in. Invariant: `open(seal(x)) = x`, and any other text is refused.

import { ByteReader, ByteWriter, MalformedBytes } from '../bytes.ts'
import { DotSet } from './dot-set.ts'
import { hybridFromMs, type HybridTime } from './hybrid-clock.ts'
import {
  type DeadTag,
  decodeDeadTags,
  encodeDeadTags,
  IDEMPOTENCY_WINDOW_MS,
  latestTags,
  tagsSince,
  uniteDeadTags,
} from './attempts.ts'

export interface CausalContext {
  /** Every dot that the holder has seen of this key. */
  readonly seen: DotSet
  /** The greatest stamp among what was seen; a write under this context gets a later one. */
  readonly stamp: HybridTime
  /**
   * Tags of the versions that were seen, and of those which these had superseded: they are dead wherever a write under this context comes.
   * A home that a partition keeps from hearing of the one would take another attempt of the other for a sibling.
   */
  readonly tags: readonly DeadTag[]
}

export const EMPTY_CONTEXT: CausalContext = { seen: DotSet.empty(), stamp: 0, tags: [] }

/** Beside the tags of the versions seen, those of superseded writes go along until there are so many in all; some 30 characters each. */
export const CONTEXT_TAGS_MAX = 32

const WINDOW: HybridTime = hybridFromMs(IDEMPOTENCY_WINDOW_MS)

/** Of these tags, all of superseded writes, those that a context with this stamp carries: the latest, and as long as a client may retry. */
export function tagsToCarry(tags: readonly DeadTag[], stamp: HybridTime, max: number): readonly DeadTag[] {
  return latestTags(tagsSince(tags, stamp - WINDOW), Math.max(0, max))
}

/** Longest token in characters. */
export const CONTEXT_TOKEN_MAX = 4096

/** A multiple of four: payload and seal are groups of four characters each, so a token is canonical base64url without any check. */
export const SEAL_CHARS = 12

/** A keyed hash, as `SEAL_CHARS` base64url characters, over the cluster, bucket, key and payload (as text). */
export interface Sealer {
  seal(bucket: string, key: string, payload: string): string
  verify(bucket: string, key: string, payload: string, seal: string): boolean
}

const FORMAT = 3

/**
 * Returns null when the token would be longer than `CONTEXT_TOKEN_MAX`: what was seen is never truncated. The earlier tags are left out
 * where they do not fit: who writes then may be told less of a retry, but supersedes nothing else.
 */
export function sealContext(context: CausalContext, bucket: string, key: string, sealer: Sealer): string | null {
  const bytes = encodeToFit(context)
  if (charsOf(bytes) > CONTEXT_TOKEN_MAX) return null
  const payload = bytes.finish().toString('base64url')
  return payload + sealer.seal(bucket, key, payload)
}

function encodeToFit(context: CausalContext): ByteWriter {
  let bytes = encode(context)
  for (let max = context.tags.length >> 1; charsOf(bytes) > CONTEXT_TOKEN_MAX; max >>= 1) {
    bytes = encode({ ...context, tags: latestTags(context.tags, max) })
    if (max === 0) break
  }
  return bytes
}

/** The bytes are groups of three, and each is four characters. */
function charsOf(bytes: ByteWriter): number {
  return (bytes.length / 3) * 4 + SEAL_CHARS
}

/** Null: malformed, altered, not canonical, or sealed for another cluster or key. */
export function openContext(token: string, bucket: string, key: string, sealer: Sealer): CausalContext | null {
  const end = token.length - SEAL_CHARS
  if (end < 4 || end % 4 !== 0 || token.length > CONTEXT_TOKEN_MAX) return null
  const payload = token.slice(0, end)
  // The seal covers the payload's text, not its bytes: no other spelling of the same bytes passes.
  if (!sealer.verify(bucket, key, payload, token.slice(end))) return null
  const bytes = Buffer.from(payload, 'base64url')
  // What is not in the alphabet is skipped by the decoder.
  if (bytes.length * 4 !== end * 3) return null
  try {
    return decode(new ByteReader(bytes))
  } catch (error) {
    if (error instanceof MalformedBytes) return null
    throw error
  }
}

/** Zeros follow until the bytes are groups of three, which are four characters each. */
function encode(context: CausalContext): ByteWriter {
  const writer = new ByteWriter(64)
  writer.u8(FORMAT)
  writer.varint(context.stamp)
  context.seen.encode(writer)
  encodeDeadTags(writer, context.tags, context.seen.lives())
  while (writer.length % 3 !== 0) writer.u8(0)
  return writer
}

function decode(reader: ByteReader): CausalContext | null {
  if (reader.u8() !== FORMAT) return null
  const stamp = reader.varint()
  // What is written under it gets a later stamp, which must be a number still.
  if (stamp === Number.MAX_SAFE_INTEGER) return null
  const seen = DotSet.decode(reader)
  const tags = decodeDeadTags(reader, seen.lives())
  if (reader.remaining > 2) return null
  while (reader.remaining > 0) if (reader.u8() !== 0) return null
  return { seen, stamp, tags }
}

/** What a client knows that got both. */
export function uniteContexts(a: CausalContext, b: CausalContext): CausalContext {
  return {
    seen: a.seen.union(b.seen),
    stamp: Math.max(a.stamp, b.stamp),
    tags: uniteDeadTags(a.tags, b.tags),
  }
}

/** Characters that `sealContext` would need; lets a coordinator refuse before it writes. */
export function contextTokenLength(context: CausalContext): number {
  return charsOf(encodeToFit(context))
}
