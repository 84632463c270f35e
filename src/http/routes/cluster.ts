// The routes that show the cluster and its repair: members, ring, placement, hints, anti-entropy, figures; and, in dev only, the
// one that cuts links. Passes on what the node tells; decides nothing.

import type {} from '@fastify/swagger'
import type { FastifyInstance, FastifySchema } from 'fastify'
import { Type } from 'typebox'
import type { NodeApi } from '../../node/api.ts'
import type { ProcessFigures } from '../../telemetry/process-figures.ts'
import { COMMON_PROBLEMS, jsonDoc, problemDocs, type ResponseDoc } from '../docs.ts'
import { sendJson } from '../json-reply.ts'
import { checkBucket, checkKey, type KeyParams } from '../key-target.ts'
import { checkPairs, FORWARDED, tellMembers } from '../member-links.ts'
import { type ProblemCode, Refusal } from '../problems.ts'
import { DevLinksJson, type DevLinksShape, KeyPath, LinksSetJson, RingQuery, type RingQueryShape } from '../schemas.ts'
import {
  ClusterJson,
  HintsJson,
  PlacementJson,
  RepairDoneJson,
  RepairJson,
  RingJson,
  StatsJson,
} from '../status-schemas.ts'

function schema(
  operationId: string,
  summary: string,
  answer: ResponseDoc,
  ...problems: readonly ProblemCode[]
): FastifySchema {
  return {
    tags: ['cluster'],
    operationId,
    summary,
    response: { 200: answer, ...problemDocs(...COMMON_PROBLEMS, ...problems) },
  }
}

export function clusterRoutes(app: FastifyInstance, node: NodeApi, ofProcess: () => ProcessFigures): void {
  app.get(
    '/v1/cluster',
    {
      schema: schema(
        'getCluster',
        'Shows the members',
        jsonDoc('The cluster and its members, as this node knows them.', ClusterJson),
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
          jsonDoc('Each partition’s preference list, as indexes into members.', RingJson),
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
          jsonDoc('Its homes in order, its fallbacks, each replica’s state.', PlacementJson),
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
    { schema: schema('getHints', 'Shows hints held for others', jsonDoc('Totals, and each target.', HintsJson)) },
    (_request, reply) => sendJson(reply, node.hints()),
  )
  const repair =
    'Rounds, comparisons, keys repaired, bytes, and each peer with its last round; after POST also what failed in the round asked for.'
  app.get(
    '/v1/repair',
    { schema: schema('getRepair', 'Shows anti-entropy', jsonDoc(repair, RepairJson)) },
    (_request, reply) => sendJson(reply, node.repairStatus()),
  )
  app.post(
    '/v1/repair',
    {
      schema: schema(
        'startRepair',
        'Runs a round with every reachable peer',
        jsonDoc(repair, RepairDoneJson),
        'unsupported-media-type',
        'unsupported-encoding',
        'bad-body',
      ),
    },
    async (_request, reply) => sendJson(reply, await node.repairNow()),
  )
  app.get(
    '/v1/stats',
    { schema: schema('getStats', 'Shows figures by area', jsonDoc('Plain JSON; /metrics has the same.', StatsJson)) },
    (_request, reply) => sendJson(reply, { ...node.stats(), process: ofProcess() }),
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
          jsonDoc('The state of the links.', LinksSetJson),
          'unsupported-media-type',
          'unsupported-encoding',
          'bad-header',
          'bad-body',
          'unknown-property',
        ),
        description:
          'Through any node for the whole cluster: the node that is asked tells all other members, within a second, and names under `unreached` those that did not take it: not reachable, or not in dev mode. They keep what they had; a pair is cut as soon as one of the two has taken it. Names that are no members, and pairs of one name twice, are refused, and nothing is changed anywhere.',
        headers: Type.Object({
          [FORWARDED]: Type.Optional(Type.String({ description: '`?1`: for the links of this node alone.' })),
        }),
        body: DevLinksJson,
      },
    },
    async (request, reply) => {
      const { cut, delayMs, dropRate } = request.body
      const forwarded = request.headers[FORWARDED]
      if (forwarded !== undefined && forwarded !== '?1' && forwarded !== '?0')
        throw new Refusal('bad-header', `${FORWARDED}: ?1 or ?0`)
      const links = { cut: cut ?? [], delayMs: delayMs ?? 0, dropRate: dropRate ?? 0 }
      checkPairs(
        links,
        node.cluster().members.map(({ name }) => name),
      )
      setLinks(links)
      const unreached = forwarded === '?1' ? [] : await tellMembers(node, links)
      return sendJson(reply, { ...links, unreached })
    },
  )
}
