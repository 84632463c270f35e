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
  KeyOptions,
  NotFound,
  PutOptions,
  Stored,
} from '../../coordinator/operations.ts'
import { formatDot } from '../../core/causality/dot.ts'
import type { NodeApi } from '../../node/api.ts'
import { openToken, sealToken } from '../causal-context.ts'
import { formatHttpDate, judgeConditions } from '../conditions.ts'
import { notReady, problemOfFailure } from '../failures.ts'
import { checkBucket, checkKey, type KeyParams } from '../key-target.ts'
import type { HttpLimits } from '../limits.ts'
import { Refusal, sendProblem } from '../problems.ts'
import { formatExplain, formatReceipt } from '../receipt.ts'
import {
  isFieldValue,
  prefersRepresentation,
  readContextToken,
  readIdempotencyKey,
  readKeyOptions,
  readMeta,
  readPrecondition,
  readTtlMs,
} from '../request-headers.ts'
import { type AnswerHeaders, lastModifiedMs, onlyLive, sendVersion, siblingListing } from '../version-reply.ts'
import { DELETE_SCHEMA, GET_SCHEMA, HEAD_SCHEMA, PUT_SCHEMA } from './key-docs.ts'

const OCTETS = 'application/octet-stream'
const NO_BYTES: Uint8Array = Buffer.alloc(0)

interface KeyRoute {
  Params: KeyParams
  Querystring: { readonly explain?: '0' | '1'; readonly sibling?: string }
}
type KeyRequest = FastifyRequest<KeyRoute>

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

declare module 'fastify' {
  interface FastifyRequest {
    /** The Content-Type as it came; fastify's own parsing refuses what it does not understand, but a value may have any. */
    valueContentType: string
  }
}

export function keyRoutes(app: FastifyInstance, node: NodeApi, limits: HttpLimits): void {
  const url = '/v1/kv/:bucket/:key'
  app.decorateRequest('valueContentType', '')
  const onRequest: onRequestHookHandler = (request, _reply, done) => {
    const { headers } = request
    if (headers['content-type'] !== undefined) {
      request.valueContentType = headers['content-type']
      delete headers['content-type']
    }
    done()
  }
  const get = (request: KeyRequest, reply: FastifyReply): Promise<FastifyReply> => getKey(node, request, reply)
  app.get<KeyRoute>(url, { schema: GET_SCHEMA, exposeHeadRoute: false }, get)
  app.head<KeyRoute>(url, { schema: HEAD_SCHEMA, config: { swagger: { exposeHeadRoute: true } } }, get)
  app.put<KeyRoute>(url, { schema: PUT_SCHEMA, onRequest }, (request, reply) => putKey(node, limits, request, reply))
  app.delete<KeyRoute>(url, { schema: DELETE_SCHEMA, onRequest }, (request, reply) => deleteKey(node, request, reply))
}

async function getKey(node: NodeApi, request: KeyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const options: Mutable<GetOptions> = keyOptions(node, request)
  const token = readContextToken(request.headers)
  if (token !== undefined) options.context = openToken(node, options.bucket, options.key, token)
  const outcome = await node.coordinator.get(options)
  if (outcome.type === 'found') return sendFound(node, request, reply, outcome)
  reply.headers(told(outcome))
  if (outcome.type === 'not-found') return sendNotFound(node, options, reply, outcome)
  return sendProblem(reply, problemOfFailure(outcome))
}

function sendFound(node: NodeApi, request: KeyRequest, reply: FastifyReply, found: Found): FastifyReply {
  const { bucket, key } = request.params
  const headers = told(found)
  const token = sealToken(node, bucket, key, found.context)
  if (token === null) return sendProblem(reply.headers(headers), CONTEXT_TOO_LARGE)
  const versions = onlyLive(found.versions)
  const modifiedMs = lastModifiedMs(versions, node.nowMs())
  headers['quorate-context'] = token
  headers['quorate-siblings'] = versions.length
  headers['etag'] = `"${found.etag}"`
  headers['last-modified'] = formatHttpDate(modifiedMs)
  const { sibling } = request.query
  const one =
    sibling === undefined
      ? versions.length === 1
        ? versions[0]
        : undefined
      : versions.find((version) => formatDot(version.dot) === sibling)
  if (one !== undefined) {
    // Preconditions count only where the answer would be a 200 (RFC 9110, section 13.2.1).
    const verdict = judgeConditions(request.headers, { etag: found.etag, lastModifiedMs: modifiedMs })
    if (verdict === 'send') return sendVersion(reply, one, headers)
    reply.headers(headers)
    if (verdict === 'not-modified') return reply.code(304).send()
    if (verdict === 'precondition-failed') {
      return sendProblem(reply, { code: verdict, detail: 'the key holds something else now' })
    }
    throw new Refusal('bad-header', 'If-Match and If-None-Match take * or quoted entity tags')
  }
  reply.headers(headers)
  if (sibling !== undefined) {
    return sendProblem(reply, { code: 'not-found', detail: 'no live version of this key has that name (any more)' })
  }
  reply.code(300).header('content-type', 'application/json')
  return reply.send(siblingListing(bucket, key, token, versions))
}

function sendNotFound(node: NodeApi, options: KeyOptions, reply: FastifyReply, outcome: NotFound): FastifyReply {
  if (outcome.context !== null) {
    const token = sealToken(node, options.bucket, options.key, outcome.context)
    if (token === null) return sendProblem(reply, CONTEXT_TOO_LARGE)
    reply.header('quorate-context', token)
  }
  return sendProblem(reply, { code: 'not-found', detail: 'the key has no live value' })
}

async function putKey(
  node: NodeApi,
  limits: HttpLimits,
  request: KeyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { headers, body } = request
  const contentType = request.valueContentType === '' ? OCTETS : request.valueContentType
  if (!isFieldValue(contentType)) throw new Refusal('bad-header', 'content-type: control characters cannot be returned')
  const options: Mutable<PutOptions> = {
    ...keyOptions(node, request),
    content: {
      contentType,
      meta: readMeta(headers, limits.metaBytesMax),
      bytes: Buffer.isBuffer(body) ? body : NO_BYTES,
    },
  }
  readWriteOptions(node, request, options)
  const ttlMs = readTtlMs(headers)
  if (ttlMs !== undefined) options.ttlMs = ttlMs
  const idempotencyKey = readIdempotencyKey(headers)
  if (idempotencyKey !== undefined) options.idempotencyKey = idempotencyKey
  if (prefersRepresentation(headers)) options.returnRepresentation = true
  const outcome = await node.coordinator.put(options)
  if (outcome.type !== 'stored') return sendProblem(reply.headers(told(outcome)), problemOfFailure(outcome))
  return sendStored(node, options, reply, outcome)
}

function sendStored(node: NodeApi, options: PutOptions, reply: FastifyReply, stored: Stored): FastifyReply {
  const headers = told(stored)
  // The coordinator refuses before writing what would not fit; should it not fit now all the same, the write still stands.
  const token = sealToken(node, options.bucket, options.key, stored.context)
  if (token !== null) headers['quorate-context'] = token
  headers['quorate-version'] = formatDot(stored.version)
  headers['quorate-siblings'] = stored.siblings
  if (stored.etag !== null && stored.siblings === 1) headers['etag'] = `"${stored.etag}"`
  const shown = onlyLive(stored.representation ?? [])
  const [first] = shown
  if (options.returnRepresentation !== true || first === undefined) {
    return reply
      .headers(headers)
      .code(stored.created ? 201 : 204)
      .send()
  }
  headers['preference-applied'] = 'return=representation'
  headers['last-modified'] = formatHttpDate(lastModifiedMs(shown, node.nowMs()))
  if (shown.length === 1) return sendVersion(reply, first, headers)
  reply.headers(headers).header('content-type', 'application/json')
  return reply.send(siblingListing(options.bucket, options.key, token, shown))
}

async function deleteKey(node: NodeApi, request: KeyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const options: Mutable<DeleteOptions> = keyOptions(node, request)
  readWriteOptions(node, request, options)
  const outcome = await node.coordinator.delete(options)
  reply.headers(told(outcome))
  if (outcome.type !== 'deleted') return sendProblem(reply, problemOfFailure(outcome))
  if (outcome.context !== null) {
    const token = sealToken(node, options.bucket, options.key, outcome.context)
    if (token !== null) reply.header('quorate-context', token)
  }
  if (outcome.version !== null) reply.header('quorate-version', formatDot(outcome.version))
  return reply.code(204).send()
}

const CONTEXT_TOO_LARGE = {
  code: 'context-too-large',
  detail: 'the key’s causal context does not fit in 4 KiB',
} as const

/** Refuses while not ready, then reads what all requests on a key share. */
function keyOptions(node: NodeApi, request: KeyRequest): KeyOptions {
  const { params, query } = request
  const bucket = checkBucket(params.bucket)
  const key = checkKey(params.key)
  requireReady(node)
  return readKeyOptions(request.headers, bucket, key, query.explain === '1')
}

function readWriteOptions(
  node: NodeApi,
  request: KeyRequest,
  options: Mutable<Pick<DeleteOptions, 'bucket' | 'key' | 'context' | 'precondition'>>,
): void {
  const token = readContextToken(request.headers)
  if (token === 'latest') options.context = token
  else if (token !== undefined) options.context = openToken(node, options.bucket, options.key, token)
  const precondition = readPrecondition(request.headers)
  if (precondition !== undefined) options.precondition = precondition
}

export function requireReady(node: NodeApi): void {
  const readiness = node.readiness()
  if (readiness.ready) return
  const { code, detail, ...more } = notReady(readiness.reason)
  throw new Refusal(code, detail, more)
}

/** What every outcome tells, good or bad. */
function told(outcome: Found | NotFound | Stored | Deleted | Failure): AnswerHeaders {
  const headers: AnswerHeaders = { 'cache-control': 'no-store', 'quorate-receipt': formatReceipt(outcome.receipt) }
  if (outcome.explain !== undefined) headers['quorate-explain'] = formatExplain(outcome.explain)
  return headers
}
