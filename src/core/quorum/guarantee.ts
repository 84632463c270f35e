// What a receipt may claim: strict, sloppy or eventual. Decides from numbers alone, after the tally. Invariant: any two
// operations on a key that both said strict have a home in common that the later one hears and that held the earlier
// one's result, so the later includes it (guarantees: freshness).
//
// Why R + W > N is not enough: requests choose their own R and W. A strict read relies on W(bucket), since it knows
// nothing of the writer's request, so whatever claims strict must be on W(bucket) homes; and a write relies on
// R(bucket) likewise.
//   strict write or read result held by   h ≥ max(N − R + 1, W(bucket)) homes     (R: the bucket's, or the read's own)
//   strict read counts                    R(request) > N − W(bucket) homes
//   h + R(request) > N: they meet.

export type Guarantee = 'strict' | 'sloppy' | 'eventual'

export interface WriteFacts {
  /** N in force. */
  readonly n: number
  readonly requestW: number
  readonly bucketR: number
  readonly bucketW: number
  /** Homes that acknowledged. */
  readonly homesHolding: number
  /** Hints that were counted toward W. */
  readonly standIns: number
}

export interface ReadFacts {
  readonly n: number
  readonly requestR: number
  readonly bucketW: number
  /** Complete homes whose replies were counted. */
  readonly homesCounted: number
  /** Fallbacks that were counted toward R. */
  readonly standIns: number
  /** Homes known to hold all that is returned: they agreed, or acknowledged a write-back. */
  readonly homesHolding: number
}

/**
 * On how many homes a result must be before it may be called strict; `r` is the bucket's for a write, the request's
 * for a read.
 */
export function strictHomesNeeded(n: number, r: number, bucketW: number): number {
  return Math.max(n - r + 1, bucketW)
}

export function writeGuarantee(facts: WriteFacts): Guarantee {
  if (facts.standIns > 0) return 'sloppy'
  const overlaps = facts.requestW + facts.bucketR > facts.n
  const needed = strictHomesNeeded(facts.n, facts.bucketR, facts.bucketW)
  return overlaps && facts.homesHolding >= needed ? 'strict' : 'eventual'
}

export function readGuarantee(facts: ReadFacts): Guarantee {
  if (facts.standIns > 0) return 'sloppy'
  const overlaps = facts.requestR + facts.bucketW > facts.n && facts.homesCounted >= facts.requestR
  const needed = strictHomesNeeded(facts.n, facts.requestR, facts.bucketW)
  return overlaps && facts.homesHolding >= needed ? 'strict' : 'eventual'
}
