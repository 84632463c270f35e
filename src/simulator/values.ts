// What the workload writes: every value says which write of which key it is and carries a hash of all that, so that a value can be judged
// wherever it turns up. Pure. Invariant: no two writes have equal values, and a damaged one is never taken for another.

import { hash64, hexOf } from '../core/hash64.ts'

export interface ValueClaim {
  readonly bucket: string
  readonly key: string
  readonly writeId: string
}

const FILLER = 'leaderless '
const HASH_DIGITS = 16

/** What was written lately, by its hash: most values that turn up are equal to one of these, byte for byte. Saves time, decides nothing. */
const lately = new Map<string, { readonly value: Uint8Array; readonly claim: ValueClaim }>()
const LATELY_MAX = 4096

export function valueFor(claim: ValueClaim, bytes: number): Uint8Array {
  const head = `${claim.bucket}\n${claim.key}\n${claim.writeId}\n`
  const body = head + FILLER.repeat(Math.ceil(Math.max(0, bytes - head.length) / FILLER.length))
  const hash = hexOf(hash64(body))
  const value = Buffer.from(`${hash}\n${body}`)
  if (lately.size >= LATELY_MAX) lately.clear()
  lately.set(hash, { value, claim })
  return value
}

/** A value that holds a text of its client's own. */
export function valueWith(claim: ValueClaim, payload: string): Uint8Array {
  const body = `${claim.bucket}\n${claim.key}\n${claim.writeId}\n${payload}`
  return Buffer.from(`${hexOf(hash64(body))}\n${body}`)
}

/** The text of `valueWith`; null: these are not the bytes of any one write. */
export function payloadOf(value: Uint8Array): string | null {
  if (claimOf(value) === null) return null
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8').split('\n').slice(4).join('\n')
}

/** Null: these are not the bytes of any one write. */
export function claimOf(value: Uint8Array): ValueClaim | null {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const known = lately.get(bytes.toString('latin1', 0, HASH_DIGITS))
  if (known && bytes.equals(known.value)) return known.claim
  const text = bytes.toString('utf8')
  const end = text.indexOf('\n')
  const body = text.slice(end + 1)
  const [bucket, key, writeId] = body.split('\n')
  if (end !== HASH_DIGITS || bucket === undefined || key === undefined || writeId === undefined) return null
  return hexOf(hash64(body)) === text.slice(0, end) ? { bucket, key, writeId } : null
}
