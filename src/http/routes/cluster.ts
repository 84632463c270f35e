// The routes that show the cluster and its repair: members, ring, placement, hints, anti-entropy, figures; and, in dev only, the
// one that cuts links. Passes on what the node tells; decides nothing.

import type {} from '@fastify/swagger'
import type { FastifyInstance, FastifySchema } from 'fastify'
import type { NodeApi } from '../../node/api.ts'
import { COMMON_PROBLEMS, jsonDoc, problemDocs } from '../docs.ts'
import { sendJson } from '../json-reply.ts'
import { checkBucket, checkKey, type KeyParams } from '../key-target.ts'
import type { ProblemCode } from '../problems.ts'
import { DevLinksJson, type DevLinksShape, FreeJson, KeyPath, RingQuery, type RingQueryShape } from '../schemas.ts'

function schema(
  operationId: string,
  summary: string,
  answer: string,
  ...problems: readonly ProblemCode[]
): FastifySchema {
  return {
    tags: ['cluster'],
    operationId,
    summary,
    response: { 200: jsonDoc(answer, FreeJson), ...problemDocs(...COMMON_PROBLEMS, ...problems) },
  }
}

export function clusterRoutes(app: FastifyInstance, node: NodeApi): void {
  app.get(
    '/v1/cluster',
    {
      schema: schema(
        'getCluster',
        'Shows the members',
        'id, name, partitions, and members: name, storage, addresses, zone, weight, status, last heartbeat, owned partitions, version.',
      ),
    },
    (_request, reply) => sendJson(reply, node.cluster()),
  )
  app.get<{ Querystring: RingQueryShape }>(
    '/v1/ring',
    {
      schema: {
        ...schema(
          'getRing',
          'Shows the ring',
          'Each partition’s preference list, as indexes into members.',
          'bad-query',
        ),
        querystring: RingQuery,
      },
    },
    (request, reply) => sendJson(reply, node.ring(request.query.n)),
  )
  app.get<{ Params: KeyParams }>(
    '/v1/ring/:bucket/:key',
    {
      schema: {
        ...schema(
          'getPlacement',
          'Shows where a key lives',
          'hash, partition, preferenceList in order, fallbacks, each replica’s state.',
          'bad-key',
          'key-too-long',
        ),
        params: KeyPath,
      },
    },
    (request, reply) => {
      const { bucket, key } = request.params
      return sendJson(reply, node.place(checkBucket(bucket), checkKey(key)))
    },
  )
  app.get(
    '/v1/hints',
    { schema: schema('getHints', 'Shows hints held for others', 'Totals, and each target.') },
    (_request, reply) => sendJson(reply, node.hints()),
  )
  const repair = 'Rounds, comparisons, keys repaired, bytes, and each peer.'
  app.get('/v1/repair', { schema: schema('getRepair', 'Shows anti-entropy', repair) }, (_request, reply) =>
    sendJson(reply, node.repairStatus()),
  )
  app.post(
    '/v1/repair',
    {
      schema: schema(
        'startRepair',
        'Runs a round with every reachable peer',
        repair,
        'unsupported-media-type',
        'unsupported-encoding',
        'bad-body',
      ),
    },
    async (_request, reply) => sendJson(reply, await node.repairNow()),
  )
  app.get(
    '/v1/stats',
    { schema: schema('getStats', 'Shows figures by area', 'Plain JSON; /metrics has the same.') },
    (_request, reply) => sendJson(reply, node.stats()),
  )
  const setLinks = node.devLinks
  if (setLinks === null) return
  app.put<{ Body: DevLinksShape }>(
    '/v1/dev/links',
    {
      schema: {
        ...schema(
          'setLinks',
          'Cuts or slows peer links, for experiments',
          'The state of the links.',
          'unsupported-media-type',
          'unsupported-encoding',
          'bad-header',
          'bad-body',
          'unknown-property',
        ),
        body: DevLinksJson,
      },
    },
    (request, reply) => {
      const { cut, delayMs, dropRate } = request.body
      const links = { cut: cut ?? [], delayMs: delayMs ?? 0, dropRate: dropRate ?? 0 }
      setLinks(links)
      return sendJson(reply, links)
    },
  )
}
