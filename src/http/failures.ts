// The one place where outcomes and coded errors of the rooms below become problems. Decides codes, fields and Retry-After; knows
// nothing of requests. Invariant: Retry-After is given only where nothing was applied.

import type { Failure, ListOutcome } from '../coordinator/operations.ts'
import type { BucketOutcome } from '../node/api.ts'
import { type ErrorCode, QuorateError } from '../errors.ts'
import type { Problem, ProblemCode } from './problems.ts'

const RETRY: Readonly<Record<string, string>> = { 'retry-after': '1' }

export function problemOfFailure(failure: Failure): Problem {
  switch (failure.type) {
    case 'bad-quorum':
      return { code: 'bad-quorum', detail: failure.detail }
    case 'quorum-not-met': {
      const { operation, required, acknowledged, replicas, outcome } = failure
      const wanted = operation === 'read' ? 'answers' : 'acknowledgements'
      const inReach = replicas.filter(({ answer }) => answer === 'not-asked').length
      // Where nobody was left to ask the failure is told at once: nothing was late.
      const isLate = replicas.some(({ answer }) => answer === 'in-flight' || answer === 'failed')
      const came = isLate ? 'came in time' : 'could be had; no other replica can be asked'
      const fate =
        operation === 'read' ? '' : outcome === 'unknown' ? '; the write may surface later' : '; nothing was written'
      return {
        code: 'quorum-not-met',
        detail:
          inReach > 0
            ? `${required} ${wanted} are required, but only ${inReach} of ${replicas.length} replicas ${inReach === 1 ? 'is' : 'are'} in reach; nothing was sent`
            : `${acknowledged} of ${required} required ${wanted} ${came}${fate}`,
        fields: { operation, required, acknowledged, replicas, outcome },
        ...(outcome === 'not-applied' && { headers: RETRY }),
      }
    }
    case 'context-not-reached':
      return { code: 'context-not-reached', detail: 'no set of reachable replicas includes what Quorate-Context names' }
    case 'precondition-failed':
      return {
        code: 'precondition-failed',
        detail: failure.etag === null ? 'there is no live value now' : 'the key holds something else now',
        ...(failure.etag !== null && { headers: { etag: `"${failure.etag}"` } }),
      }
    case 'too-many-siblings':
      return { code: 'too-many-siblings', detail: 'read the key, merge its siblings and write with their context' }
    case 'idempotency-mismatch':
      return { code: 'idempotency-mismatch', detail: 'another body was sent under this Idempotency-Key before' }
    case 'context-too-large':
      return {
        code: 'context-too-large',
        detail: 'the context that would result does not fit in 4 KiB; nothing was written',
      }
    case 'storage-full':
      return { code: 'storage-full', detail: 'too few replicas have room for this write; reads and deletions go on' }
    case 'clock-ahead':
      return {
        code: 'clock-ahead',
        detail: 'a clock that this write builds on is too far ahead; nothing was written',
        headers: RETRY,
      }
    case 'not-serving':
      return notReady(failure.detail)
  }
}

export function problemOfListing(outcome: Exclude<ListOutcome, { readonly type: 'page' }>): Problem {
  switch (outcome.type) {
    case 'bad-cursor':
      return {
        code: 'bad-cursor',
        detail: 'cursors are opaque and belong to the listing that gave them: the same bucket and prefix',
      }
    case 'bad-quorum':
      return { code: 'bad-quorum', detail: outcome.detail }
    case 'quorum-not-met': {
      const { partition, required, acknowledged, cursor } = outcome
      return {
        code: 'quorum-not-met',
        detail: `partition ${partition}: ${acknowledged} of ${required} required answers came`,
        fields: { operation: 'read', partition, required, acknowledged, cursor, outcome: 'not-applied' },
        headers: RETRY,
      }
    }
    case 'not-serving':
      return notReady(outcome.detail)
  }
}

export function problemOfBucket(outcome: Exclude<BucketOutcome, { readonly type: 'ok' }>): Problem {
  switch (outcome.type) {
    case 'bucket-fixed':
      return {
        code: 'bucket-fixed',
        detail: `${outcome.property} is settled: the bucket is configured or holds keys`,
        fields: { property: outcome.property },
      }
    case 'members-unreachable':
      return {
        code: 'members-unreachable',
        detail: `these members must acknowledge first: ${outcome.members.join(', ')}`,
        fields: { members: outcome.members },
      }
    case 'not-serving':
      return notReady(outcome.detail)
  }
}

export function notReady(reason: string): Problem {
  return { code: 'not-ready', detail: reason, fields: { reason }, headers: RETRY }
}

const CODED: Readonly<Record<ErrorCode, ProblemCode>> = {
  closed: 'not-ready',
  unreachable: 'quorum-not-met',
  timeout: 'quorum-not-met',
  refused: 'quorum-not-met',
  overloaded: 'overloaded',
  protocol: 'internal',
  'storage-failed': 'not-ready',
  'storage-damaged': 'internal',
  'storage-full': 'storage-full',
  config: 'internal',
  cluster: 'not-ready',
}

/** Null: not an operating failure, so a defect. Whether something was applied is not known here. */
export function problemOfError(error: unknown): Problem | null {
  if (!(error instanceof QuorateError)) return null
  const code = CODED[error.code]
  if (code === 'quorum-not-met') return { code, detail: error.message, fields: { outcome: 'unknown' } }
  return {
    code,
    detail: code === 'internal' ? 'see this node’s log' : error.message,
    ...((code === 'overloaded' || error.code === 'cluster') && { headers: RETRY }),
  }
}
