// What a tree says of one key: 64 bits that differ when the dots of its versions differ. Knows nothing of values: equal
// dots name equal versions. Invariant: the same on all homes that hold the same versions.

import type { Hash64 } from '../hash64.ts'
import { keyedHash } from '../ring/key-hash.ts'

/** `dotsText`: the key's dots as canonical text, in one order on all nodes. */
export function keyDigest(bucket: string, key: string, dotsText: string): Hash64 {
  return keyedHash(bucket, key, dotsText)
}
