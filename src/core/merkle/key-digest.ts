// What a tree says of one key: 64 bits that differ when the dots of its versions, or its dead tags, differ. Knows nothing of values: equal
// dots name equal versions. Invariant: the same on all homes that hold the same versions.

import type { Hash64 } from '../hash64.ts'
import type { KeyHash } from '../ring/key-hash.ts'
import { WordHash } from '../word-hash.ts'

interface NamedTag {
  readonly id: string
  readonly dot: { readonly life: string; readonly counter: number }
  readonly kills: boolean
}

/** `dots`: of the versions, in one order on all nodes. Ids of tags and lives are 16 hex digits. */
export function keyDigest(
  hash: KeyHash,
  versions: readonly { readonly dot: NamedTag['dot'] }[],
  deadTags: readonly NamedTag[],
): Hash64 {
  const digest = new WordHash()
  digest.add(hash.hi, hash.lo)
  digest.add(versions.length, deadTags.length)
  for (const { dot } of versions) {
    digest.addLife(dot.life)
    digest.addNumbers(dot.counter, 0)
  }
  for (const { id, dot, kills } of deadTags) {
    digest.addLife(id)
    digest.addLife(dot.life)
    digest.addNumbers(dot.counter, kills ? 1 : 0)
  }
  return digest.finish()
}
