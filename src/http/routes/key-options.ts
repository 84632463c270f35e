// What all requests on a key bring along, as options of an operation, and whether the node takes one now. Decides what is refused before
// anything is tried; knows nothing of outcomes. Invariant: what is absent stays absent, so that the bucket's settings count.

import type { DeleteOptions, KeyOptions } from '../../coordinator/operations.ts'
import type { NodeApi } from '../../node/api.ts'
import { openToken } from '../causal-context.ts'
import { notReady } from '../failures.ts'
import type { KeyExchange } from '../key-exchange.ts'
import { checkBucket, checkKey } from '../key-target.ts'
import { Refusal } from '../problems.ts'
import {
  type Mutable,
  readContextToken,
  readLevel,
  readPrecondition,
  readSloppy,
  readTimeoutMs,
  readTrace,
} from '../request-headers.ts'
import { ValueRequest } from '../value-request.ts'

/** Refuses names that cannot be a key's, and everything while the node is not ready; what began before it ended is finished. */
export function requireUsable(node: NodeApi, { bucket, key, request }: KeyExchange): void {
  checkBucket(bucket)
  checkKey(key)
  const isLate = request instanceof ValueRequest && request.isLate
  requireReady(node, !isLate)
}

/** What all requests on a key share. */
export function readKeyOptions({ headers, query }: KeyExchange, options: Mutable<KeyOptions>): void {
  options.timeoutMs = readTimeoutMs(headers)
  options.trace = readTrace(headers)
  const r = readLevel(headers, 'quorate-r')
  if (r !== undefined) options.r = r
  const w = readLevel(headers, 'quorate-w')
  if (w !== undefined) options.w = w
  const sloppy = readSloppy(headers)
  if (sloppy !== undefined) options.sloppy = sloppy
  if (query.explain === '1') options.explain = true
}

export function readWriteOptions(
  node: NodeApi,
  exchange: KeyExchange,
  options: Mutable<Pick<DeleteOptions, 'bucket' | 'key' | 'context' | 'precondition'>>,
): void {
  if (exchange.query.sibling !== undefined) {
    const detail =
      'sibling: only reads take it. A write supersedes what its Quorate-Context has seen: under the context of that version’s own PUT it leaves the other siblings, under that of a GET it replaces all'
    throw new Refusal('bad-query', detail)
  }
  const token = readContextToken(exchange.headers)
  if (token === 'latest') options.context = token
  else if (token !== undefined) options.context = openToken(node, options.bucket, options.key, token)
  const precondition = readPrecondition(exchange.headers)
  if (precondition !== undefined) options.precondition = precondition
}

export function requireReady(node: NodeApi, hasBegun = false): void {
  const readiness = node.readiness()
  if (readiness.ready || (hasBegun && readiness.finishes)) return
  const { code, detail, ...more } = notReady(readiness.reason)
  throw new Refusal(code, detail, more)
}
