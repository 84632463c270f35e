// What the workload writes: every value says which write of which key it is and carries a hash of all that, so that a value can be judged
// wherever it turns up. Pure. Invariant: no two writes have equal values, and a damaged one is never taken for another.

import { hash64, hexOf } from '../core/hash64.ts'

export interface ValueClaim {
  readonly bucket: string
  readonly key: string
  readonly writeId: string
}

const FILLER = 'leaderless '

export function valueFor(claim: ValueClaim, bytes: number): Uint8Array {
  const head = `${claim.bucket}\n${claim.key}\n${claim.writeId}\n`
  const body = head + FILLER.repeat(Math.ceil(Math.max(0, bytes - head.length) / FILLER.length))
  return Buffer.from(`${hexOf(hash64(body))}\n${body}`)
}

/** Null: these are not the bytes of any one write. */
export function claimOf(value: Uint8Array): ValueClaim | null {
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8')
  const end = text.indexOf('\n')
  const body = text.slice(end + 1)
  const [bucket, key, writeId] = body.split('\n')
  if (end !== 16 || bucket === undefined || key === undefined || writeId === undefined) return null
  return hexOf(hash64(body)) === text.slice(0, end) ? { bucket, key, writeId } : null
}
