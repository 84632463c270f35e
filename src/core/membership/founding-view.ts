// What a candidate for founding says: the terms it was started with and the candidates it has gathered. Value, digest,
// bytes. Knows nothing of how views come together. Invariant: the digest covers the terms and all (name, storage), not
// the addresses.

import { ByteReader, ByteWriter, MalformedBytes } from '../bytes.ts'
import { hashOfFields, hexOf } from '../hash64.ts'
import { MEMBERS_MAX, pairsHash, readIdentity, writeIdentity } from './identity.ts'
import type { Identity } from './identity.ts'
import { readTerms } from './member-table.ts'
import type { ClusterTerms } from './member-table.ts'

export interface FoundingView extends ClusterTerms {
  /** How many founders the candidate waits for. */
  readonly expect: number
  /** By name, ascending, itself included; at most `expect`. */
  readonly candidates: readonly Identity[]
}

const FORMAT = 1

/** Equal iff two candidates mean the same founders and the same terms. 32 hex digits. */
export function foundingDigest(view: FoundingView): string {
  const fields = [view.clusterName, String(view.partitions), view.defaults, String(view.expect)]
  return hexOf(hashOfFields(fields)) + hexOf(pairsHash(view.candidates))
}

export function encodeFoundingView(view: FoundingView): Buffer {
  const writer = new ByteWriter(64 + 96 * view.candidates.length)
  writer.u8(FORMAT)
  writer.text(view.clusterName)
  writer.varint(view.partitions)
  writer.text(view.defaults)
  writer.varint(view.expect)
  writer.varint(view.candidates.length)
  for (const candidate of view.candidates) writeIdentity(writer, candidate)
  return writer.finish()
}

/** Throws `MalformedBytes`. */
export function decodeFoundingView(bytes: Uint8Array): FoundingView {
  const reader = new ByteReader(bytes)
  if (reader.u8() !== FORMAT) throw new MalformedBytes('unknown format of a founding view')
  const terms = readTerms(reader)
  const expect = reader.varint()
  const count = reader.count(19)
  if (expect < 1 || expect > MEMBERS_MAX || count > expect) throw new MalformedBytes('too many candidates')
  const candidates: Identity[] = []
  for (let i = 0; i < count; i++) {
    const candidate = readIdentity(reader)
    const previous = candidates.at(-1)
    if (previous !== undefined && previous.name >= candidate.name) throw new MalformedBytes('candidates out of order')
    candidates.push(candidate)
  }
  reader.end()
  return { ...terms, expect, candidates }
}
