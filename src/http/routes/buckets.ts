// The routes of buckets: their settings, and the listing of their keys. Decides what a change may say; whether it can be made is
// the node's business. Invariant: an unknown property changes nothing.

import type {} from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import type { ListOptions } from '../../coordinator/operations.ts'
import type { BucketSettings, Level } from '../../core/membership/bucket-settings.ts'
import type { NodeApi } from '../../node/api.ts'
import { COMMON_PROBLEMS, jsonDoc, problemDocs } from '../docs.ts'
import { problemOfBucket, problemOfListing } from '../failures.ts'
import { HEADERS } from '../header-schemas.ts'
import { sendJson } from '../json-reply.ts'
import { checkBucket, checkPrefix } from '../key-target.ts'
import { Refusal, sendProblem } from '../problems.ts'
import { readLevel, readSloppy, readTimeoutMs } from '../request-headers.ts'
import {
  BucketChangesJson,
  BucketJson,
  BucketPath,
  BucketsJson,
  LIST_LIMIT_DEFAULT,
  ListQuery,
  type ListQueryShape,
  PageJson,
} from '../schemas.ts'
import { Type } from 'typebox'
import { requireReady } from './key-options.ts'

interface BucketRoute {
  Params: { readonly bucket: string }
}

export function listingRoute(app: FastifyInstance, node: NodeApi): void {
  app.get<BucketRoute & { Querystring: ListQueryShape }>(
    '/v1/kv/:bucket',
    {
      schema: {
        tags: ['keys'],
        summary: 'Lists keys',
        operationId: 'listKeys',
        description:
          'In the order of (64-bit hash, key), each partition read at the bucket’s R. A page may be short while `more` is true. A cursor goes on with the bucket and prefix that it came of.',
        params: BucketPath,
        querystring: ListQuery,
        headers: Type.Object({
          'quorate-r': HEADERS['quorate-r'],
          'quorate-sloppy': Type.Optional(Type.String({ description: '`?1` or `?0`; fallbacks never count here.' })),
          'quorate-timeout': HEADERS['quorate-timeout'],
        }),
        response: {
          200: jsonDoc('A page.', PageJson),
          ...problemDocs(
            ...COMMON_PROBLEMS,
            'bad-key',
            'bad-query',
            'bad-header',
            'bad-quorum',
            'bad-cursor',
            'key-too-long',
            'quorum-not-met',
          ),
        },
      },
    },
    async (request, reply) => {
      const bucket = checkBucket(request.params.bucket)
      const { prefix, limit, cursor } = request.query
      requireReady(node)
      const r = readLevel(request.headers, 'quorate-r')
      // No fallback stands in here; but what is malformed is refused, as on a key.
      readSloppy(request.headers)
      const options: ListOptions = {
        bucket,
        prefix: checkPrefix(prefix ?? ''),
        limit: limit ?? LIST_LIMIT_DEFAULT,
        cursor: cursor === undefined || cursor === '' ? null : cursor,
        timeoutMs: readTimeoutMs(request.headers),
        ...(r !== undefined && { r }),
      }
      const outcome = await node.coordinator.list(options)
      if (outcome.type !== 'page') return sendProblem(reply, problemOfListing(outcome))
      return sendJson(reply, { keys: outcome.keys, cursor: outcome.cursor, more: outcome.more })
    },
  )
}

export function bucketRoutes(app: FastifyInstance, node: NodeApi): void {
  app.get(
    '/v1/buckets',
    {
      schema: {
        tags: ['buckets'],
        summary: 'Lists buckets',
        operationId: 'listBuckets',
        response: {
          200: jsonDoc('The buckets that this node knows of.', BucketsJson),
          ...problemDocs(...COMMON_PROBLEMS),
        },
      },
    },
    (_request, reply) => {
      requireReady(node)
      return sendJson(reply, { buckets: node.listBuckets() })
    },
  )
  app.get<BucketRoute>(
    '/v1/buckets/:bucket',
    {
      schema: {
        tags: ['buckets'],
        summary: 'Shows a bucket’s settings',
        operationId: 'getBucket',
        description: 'A bucket that nobody configured has the cluster’s defaults.',
        params: BucketPath,
        response: {
          200: jsonDoc('The settings in force.', BucketJson),
          ...problemDocs(...COMMON_PROBLEMS, 'bad-key', 'key-too-long'),
        },
      },
    },
    (request, reply) => {
      const bucket = checkBucket(request.params.bucket)
      requireReady(node)
      return sendJson(reply, node.getBucket(bucket).settings)
    },
  )
  app.put<BucketRoute & { Body: Partial<BucketSettings> }>(
    '/v1/buckets/:bucket',
    {
      schema: {
        tags: ['buckets'],
        summary: 'Changes a bucket’s settings',
        operationId: 'putBucket',
        description:
          'Absent properties stay. `n`, `conflict` and `durability` are fixed once configured or once the bucket holds keys.',
        params: BucketPath,
        body: BucketChangesJson,
        response: {
          200: jsonDoc('The settings now in force.', BucketJson),
          ...problemDocs(
            ...COMMON_PROBLEMS,
            'bad-key',
            'bad-header',
            'key-too-long',
            'bad-body',
            'bad-quorum',
            'bucket-fixed',
            'unsupported-media-type',
            'unsupported-encoding',
            'unknown-property',
            'members-unreachable',
          ),
        },
      },
    },
    async (request, reply) => {
      const bucket = checkBucket(request.params.bucket)
      const changes = request.body
      requireReady(node)
      const { n, r, w } = { ...node.getBucket(bucket).settings, ...changes }
      requireLevel('r', r, n)
      requireLevel('w', w, n)
      const outcome = await node.putBucket(bucket, changes)
      if (outcome.type !== 'ok') return sendProblem(reply, problemOfBucket(outcome))
      return sendJson(reply, outcome.settings)
    },
  )
}

function requireLevel(name: string, level: Level, n: number): void {
  if (typeof level === 'number' && level > n) throw new Refusal('bad-quorum', `${name}: ${level} of ${n} replicas`)
}
