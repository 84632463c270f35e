// How many replicas a request or a bucket asks for, and what that is for the N in force.
// Knows nothing of replies. Invariant: a resolved quorum is an integer from 1 to N.

import type { Level } from '../membership/bucket-settings.ts'

/** What a request asks for. More than N is an error of the request's, never silently less. */
export function resolveQuorum(level: Level, n: number): number | 'bad-quorum' {
  switch (level) {
    case 'one':
      return 1
    case 'quorum':
      return Math.floor(n / 2) + 1
    case 'all':
      return n
    default:
      return Number.isInteger(level) && level >= 1 && level <= n ? level : 'bad-quorum'
  }
}

/** What a bucket's setting means now: a cluster with fewer members than its n can give no more than all of them. */
export function quorumInForce(level: Level, n: number): number {
  const resolved = resolveQuorum(level, n)
  return resolved === 'bad-quorum' ? n : resolved
}
