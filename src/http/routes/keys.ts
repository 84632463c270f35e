// The routes of one key: GET, HEAD, PUT, DELETE /v1/kv/{bucket}/{key}. Translates requests into operations of the coordinator and
// outcomes into answers; decides nothing about replicas. Invariant: only a complete body is acted upon, and every answer of the
// coordinator carries its receipt.

import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type {
  DeleteOptions,
  Deleted,
  Failure,
  Found,
  GetOptions,
  GetOutcome,
  NotFound,
  PutOptions,
  PutOutcome,
  Stored,
} from '../../coordinator/operations.ts'
import { formatDot } from '../../core/causality/dot.ts'
import type { NodeApi } from '../../node/api.ts'
import type { HeaderList } from '../answer.ts'
import { openToken, sealToken } from '../causal-context.ts'
import { formatHttpDate, judgeConditions } from '../conditions.ts'
import { problemOfFailure } from '../failures.ts'
import { KeyExchange, type KeyQueryShape, noStore } from '../key-exchange.ts'
import { KEY_ROUTE, type KeyParams } from '../key-target.ts'
import type { HttpLimits } from '../limits.ts'
import { Refusal } from '../problems.ts'
import { explained, formatExplain, formatReceipt } from '../receipt.ts'
import {
  isFieldValue,
  type Mutable,
  prefersRepresentation,
  readContextToken,
  readIdempotencyKey,
  readMeta,
  readTtlMs,
} from '../request-headers.ts'
import { lastModifiedMs, type LiveVersion, onlyLive, sendVersion, siblingListing } from '../version-reply.ts'
import { DELETE_SCHEMA, GET_SCHEMA, HEAD_SCHEMA, PUT_SCHEMA } from './key-docs.ts'
import { readKeyOptions, readWriteOptions, requireUsable } from './key-options.ts'

const OCTETS = 'application/octet-stream'

interface KeyRoute {
  Params: KeyParams
  Querystring: KeyQueryShape
}
type KeyRequest = FastifyRequest<KeyRoute>

declare module 'fastify' {
  interface FastifyRequest {
    /** The Content-Type as it came; fastify's own parsing refuses what it does not understand, but a value may have any. */
    valueContentType: string
  }
}

/** Carries an exchange out: its answer is sent sooner or later, whatever happens. */
export type KeyOperation = (exchange: KeyExchange) => void

export interface KeyOperations {
  readonly get: KeyOperation
  readonly put: KeyOperation
  readonly delete: KeyOperation
}

/** `refuse` answers with the problem that an error is. */
export function keyOperations(
  node: NodeApi,
  limits: HttpLimits,
  refuse: (exchange: KeyExchange, error: unknown) => void,
): KeyOperations {
  /** What either function throws is refused, and so is what the coordinator rejects with. */
  const operation =
    <Outcome>(
      ask: (node: NodeApi, exchange: KeyExchange, limits: HttpLimits) => Promise<Outcome>,
      send: (node: NodeApi, exchange: KeyExchange, outcome: Outcome) => void,
    ): KeyOperation =>
    (exchange) => {
      try {
        ask(node, exchange, limits).then(
          (outcome) => {
            try {
              send(node, exchange, outcome)
            } catch (error) {
              refuse(exchange, error)
            }
          },
          (error: unknown) => refuse(exchange, error),
        )
      } catch (error) {
        refuse(exchange, error)
      }
    }
  return {
    get: operation(getKey, sendGot),
    put: operation(putKey, sendPut),
    delete: operation(deleteKey, sendDeleted),
  }
}

/** Registers them with fastify, which serves what `KeyFront` does not take. */
export function keyRoutes(app: FastifyInstance, operations: KeyOperations): void {
  app.decorateRequest('valueContentType', '')
  const onRequest: onRequestHookHandler = (request, _reply, done) => {
    const { headers } = request
    if (headers['content-type'] !== undefined) {
      request.valueContentType = headers['content-type']
      delete headers['content-type']
    }
    done()
  }
  const over =
    (operation: KeyOperation) =>
    (request: KeyRequest, reply: FastifyReply): void => {
      const { bucket, key } = request.params
      const exchange = new KeyExchange(request.raw, reply.hijack().raw, bucket, key, request.query)
      exchange.contentType = request.valueContentType
      if (Buffer.isBuffer(request.body)) exchange.body = request.body
      operation(exchange)
    }
  app.get<KeyRoute>(KEY_ROUTE, { schema: GET_SCHEMA, exposeHeadRoute: false }, over(operations.get))
  app.head<KeyRoute>(
    KEY_ROUTE,
    { schema: HEAD_SCHEMA, config: { swagger: { exposeHeadRoute: true } } },
    over(operations.get),
  )
  app.put<KeyRoute>(KEY_ROUTE, { schema: PUT_SCHEMA, onRequest }, over(operations.put))
  app.delete<KeyRoute>(KEY_ROUTE, { schema: DELETE_SCHEMA, onRequest }, over(operations.delete))
}

function getKey(node: NodeApi, exchange: KeyExchange): Promise<GetOutcome> {
  requireUsable(node, exchange)
  const options: Mutable<GetOptions> = { bucket: exchange.bucket, key: exchange.key, timeoutMs: 0, trace: null }
  readKeyOptions(exchange, options)
  const token = readContextToken(exchange.headers)
  if (token !== undefined) options.context = openToken(node, options.bucket, options.key, token)
  return node.coordinator.get(options)
}

function sendGot(node: NodeApi, exchange: KeyExchange, outcome: GetOutcome): void {
  const headers = told(node, exchange, outcome)
  if (outcome.type === 'found') return sendFound(node, exchange, outcome, headers)
  if (outcome.type !== 'not-found') return exchange.sendProblem(headers, problemOfFailure(outcome))
  sendNotFound(node, exchange, outcome, headers)
}

function sendNotFound(node: NodeApi, exchange: KeyExchange, outcome: NotFound, headers: HeaderList): void {
  if (outcome.context !== null) {
    const token = sealToken(node, exchange.bucket, exchange.key, outcome.context)
    if (token === null) return exchange.sendProblem(headers, CONTEXT_TOO_LARGE)
    headers.push('quorate-context', token)
  }
  exchange.sendProblem(headers, { code: 'not-found', detail: 'the key has no live value' })
}

function sendFound(node: NodeApi, exchange: KeyExchange, found: Found, headers: HeaderList): void {
  const { bucket, key } = exchange
  const { sibling } = exchange.query
  const token = sealToken(node, bucket, key, found.context)
  if (token === null) return exchange.sendProblem(headers, CONTEXT_TOO_LARGE)
  const versions = onlyLive(found.versions)
  const modifiedMs = lastModifiedMs(versions, node.nowMs())
  const one =
    sibling === undefined
      ? versions.length === 1
        ? versions[0]
        : undefined
      : versions.find((version) => formatDot(version.dot) === sibling)
  if (one !== undefined) {
    // Preconditions count only where the answer would be a 200 (RFC 9110, section 13.2.1).
    switch (judgeConditions(exchange.headers, { etag: found.etag, lastModifiedMs: modifiedMs })) {
      case 'send':
        addWhatIsThere(headers, token, versions.length, found.etag, modifiedMs)
        return sendVersion(exchange, one, headers)
      case 'not-modified':
        addWhatIsThere(headers, token, versions.length, found.etag, modifiedMs)
        return exchange.send(304, headers, null)
      case 'not-modified-since':
        // Without the context: whoever names no tag may hold an earlier version, of the same second, and would overwrite this one unseen.
        addWhatIsThere(headers, null, versions.length, found.etag, modifiedMs)
        return exchange.send(304, headers, null)
      case 'precondition-failed':
        headers.push('etag', `"${found.etag}"`)
        return exchange.sendProblem(headers, {
          code: 'precondition-failed',
          detail: 'the key holds something else now',
        })
      case 'malformed':
        return exchange.sendProblem(headers, {
          code: 'bad-header',
          detail: 'If-Match and If-None-Match take * or quoted entity tags',
        })
    }
  }
  if (sibling !== undefined) {
    return exchange.sendProblem(headers, {
      code: 'not-found',
      detail: 'no live version of this key has that name (any more)',
    })
  }
  addWhatIsThere(headers, token, versions.length, found.etag, modifiedMs)
  headers.push('content-type', 'application/json')
  exchange.send(300, headers, siblingListing(bucket, key, token, versions))
}

/** What tells the live versions apart from earlier ones; `token` null: not the context that covers them. */
function addWhatIsThere(
  headers: HeaderList,
  token: string | null,
  siblings: number,
  etag: string,
  modifiedMs: number,
): void {
  if (token !== null) headers.push('quorate-context', token)
  headers.push('quorate-siblings', String(siblings))
  headers.push('etag', `"${etag}"`)
  headers.push('last-modified', formatHttpDate(modifiedMs))
}

function putKey(node: NodeApi, exchange: KeyExchange, limits: HttpLimits): Promise<PutOutcome> {
  const { bucket, key, headers, body: bytes } = exchange
  requireUsable(node, exchange)
  const contentType = exchange.contentType === '' ? OCTETS : exchange.contentType
  if (!isFieldValue(contentType)) throw new Refusal('bad-header', 'content-type: control characters cannot be returned')
  const content = { contentType, meta: readMeta(headers, limits.metaBytesMax), bytes }
  const options: Mutable<PutOptions> = { bucket, key, timeoutMs: 0, trace: null, content }
  readKeyOptions(exchange, options)
  readWriteOptions(node, exchange, options)
  const ttlMs = readTtlMs(headers)
  if (ttlMs !== undefined) options.ttlMs = ttlMs
  const idempotencyKey = readIdempotencyKey(headers)
  if (idempotencyKey !== undefined) options.idempotencyKey = idempotencyKey
  if (prefersRepresentation(headers)) options.returnRepresentation = true
  return node.coordinator.put(options)
}

function sendPut(node: NodeApi, exchange: KeyExchange, outcome: PutOutcome): void {
  const headers = told(node, exchange, outcome)
  if (outcome.type !== 'stored') return exchange.sendProblem(headers, problemOfFailure(outcome))
  sendStored(node, exchange, outcome, headers)
}

function sendStored(node: NodeApi, exchange: KeyExchange, stored: Stored, headers: HeaderList): void {
  const { bucket, key } = exchange
  // The coordinator refuses before writing what would not fit; should it not fit now all the same, the write still stands.
  const token = sealToken(node, bucket, key, stored.context)
  if (token !== null) headers.push('quorate-context', token)
  const { representation } = stored
  const shown =
    representation !== undefined && prefersRepresentation(exchange.headers) ? onlyLive(representation) : NO_VERSIONS
  const [first] = shown
  // A single one that is shown brings its own version with it.
  if (shown.length !== 1) headers.push('quorate-version', formatDot(stored.version))
  headers.push('quorate-siblings', String(stored.siblings))
  if (stored.etag !== null && stored.siblings === 1) headers.push('etag', `"${stored.etag}"`)
  if (first === undefined) return exchange.send(stored.created ? 201 : 204, headers, null)
  headers.push('preference-applied', 'return=representation')
  headers.push('last-modified', formatHttpDate(lastModifiedMs(shown, node.nowMs())))
  if (shown.length === 1) return sendVersion(exchange, first, headers)
  headers.push('content-type', 'application/json')
  exchange.send(200, headers, siblingListing(bucket, key, token, shown))
}

const NO_VERSIONS: readonly LiveVersion[] = []

function deleteKey(node: NodeApi, exchange: KeyExchange): Promise<Deleted | Failure> {
  requireUsable(node, exchange)
  const options: Mutable<DeleteOptions> = { bucket: exchange.bucket, key: exchange.key, timeoutMs: 0, trace: null }
  readKeyOptions(exchange, options)
  readWriteOptions(node, exchange, options)
  return node.coordinator.delete(options)
}

function sendDeleted(node: NodeApi, exchange: KeyExchange, outcome: Deleted | Failure): void {
  const headers = told(node, exchange, outcome)
  if (outcome.type !== 'deleted') return exchange.sendProblem(headers, problemOfFailure(outcome))
  if (outcome.context !== null) {
    const token = sealToken(node, exchange.bucket, exchange.key, outcome.context)
    if (token !== null) headers.push('quorate-context', token)
  }
  if (outcome.version !== null) headers.push('quorate-version', formatDot(outcome.version))
  exchange.send(204, headers, null)
}

const CONTEXT_TOO_LARGE = {
  code: 'context-too-large',
  detail: 'the key’s causal context does not fit in 4 KiB',
} as const

/** What every outcome tells, good or bad. */
function told(
  node: NodeApi,
  { bucket, key }: KeyExchange,
  outcome: GetOutcome | PutOutcome | Deleted | Failure,
): HeaderList {
  const headers = noStore()
  headers.push('quorate-receipt', formatReceipt(outcome.receipt))
  if (outcome.explain !== undefined) {
    const list = formatExplain(explained(outcome.explain, outcome, () => node.place(bucket, key).fallbacks))
    // A list without members has no header (RFC 9651, section 3.1).
    if (list !== '') headers.push('quorate-explain', list)
  }
  return headers
}
