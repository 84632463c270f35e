// What orchestrators and tools ask of a process: does it live, does it serve, what are its figures, what is its interface.
// Decides nothing: readiness is the node's, the document is made from the routes' own schemas.

import type {} from '@fastify/swagger'
import type { FastifyInstance, FastifySchema } from 'fastify'
import type { TSchema } from 'typebox'
import type { NodeApi } from '../../node/api.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import { COMMON_PROBLEMS, jsonDoc, problemDocs } from '../docs.ts'
import { notReady } from '../failures.ts'
import { sendJson } from '../json-reply.ts'
import { sendProblem } from '../problems.ts'
import { FreeJson } from '../schemas.ts'
import { HealthJson, ReadyJson } from '../status-schemas.ts'

export function processRoutes(app: FastifyInstance, node: NodeApi, metrics: Metrics): void {
  const schema = (operationId: string, summary: string, description: string, answer: TSchema): FastifySchema => ({
    tags: ['process'],
    operationId,
    summary,
    response: { 200: jsonDoc(description, answer), ...problemDocs(...COMMON_PROBLEMS) },
  })
  app.get(
    '/healthz',
    { schema: schema('health', 'Does the process live?', 'It does.', HealthJson) },
    (_request, reply) => sendJson(reply, { status: 'alive', node: node.name, version: node.version }),
  )
  app.get(
    '/readyz',
    {
      schema: schema(
        'readiness',
        'Does the node serve?',
        'It has joined and serves; otherwise 503 with the reason.',
        ReadyJson,
      ),
    },
    (_request, reply) => {
      const readiness = node.readiness()
      if (!readiness.ready) return sendProblem(reply, notReady(readiness.reason))
      return sendJson(reply, { status: 'ready', node: node.name })
    },
  )
  app.get(
    '/metrics',
    {
      schema: {
        tags: ['process'],
        operationId: 'metrics',
        summary: 'Figures for Prometheus',
        response: {
          200: { description: 'Prometheus text.', content: { 'text/plain': { schema: { type: 'string' } } } },
          ...problemDocs(...COMMON_PROBLEMS),
        },
      },
    },
    async (_request, reply) => {
      reply.header('cache-control', 'no-store').header('content-type', metrics.contentType)
      return reply.send(Buffer.from(await metrics.scrape()))
    },
  )
  let document: Buffer | null = null
  app.get(
    '/openapi.json',
    { schema: schema('openapi', 'This interface', 'The OpenAPI 3.1 document.', FreeJson) },
    (_request, reply) => {
      document ??= Buffer.from(`${JSON.stringify(app.swagger())}\n`)
      return reply.header('content-type', 'application/json').send(document)
    },
  )
}
