// Whatever is asked, the answer is one of HTTP's own: never a 500, never an error that is not a problem.

import { afterAll, beforeAll, expect, test } from 'vitest'
import fc from 'fast-check'
import type { FastifyInstance } from 'fastify'
import { buildHttpApp } from '../../src/http/app.ts'
import { PROBLEMS } from '../../src/http/problems.ts'
import { headerName, method, oddText, path, query } from '../../scripts/fuzz/http/requests.ts'
import { FakeNode } from './fake-node.ts'

let app: FastifyInstance
beforeAll(async () => {
  app = await buildHttpApp({ node: new FakeNode(), logger: null, limits: { valueBytesMax: 2048 } })
})
afterAll(async () => await app.close())

const headers = fc.dictionary(headerName, oddText, { maxKeys: 4 })
const body = fc.oneof(
  fc.constant(undefined),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  fc.json({ maxDepth: 3 }).map((text) => Buffer.from(text)),
  fc.constant(Buffer.alloc(3000)),
)
test('thousands of odd requests', { timeout: 120_000 }, async () => {
  const statuses = new Map<number, number>()
  await fc.assert(
    fc.asyncProperty(
      method,
      path.filter((where) => where.startsWith('/')),
      query,
      headers,
      body,
      fc.boolean(),
      async (verb, where, search, given, payload, json) => {
        const answer = await app.inject({
          method: verb as 'GET',
          url: where + search,
          headers: { ...given, ...(json && { 'content-type': 'application/json' }) },
          ...(payload !== undefined && { payload }),
        })
        const status = answer.statusCode
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (status >= 500) expect([503, 507]).toContain(status)
        if (where.startsWith('/v1')) expect(answer.headers['cache-control']).toBe('no-store')
        if (status >= 400 && verb !== 'HEAD') {
          expect(answer.headers['content-type']).toBe('application/problem+json')
          const problem = answer.json<{
            code: keyof typeof PROBLEMS
            status: number
            type: string
            title: string
            detail: string
          }>()
          expect(PROBLEMS[problem.code]).toEqual({ status, title: problem.title })
          expect(problem).toMatchObject({
            status,
            type: `urn:quorate:error:${problem.code}`,
            detail: expect.any(String) as string,
          })
        }
      },
    ),
    { numRuns: 4000 },
  )
  // Otherwise the generator asks for nonsense only.
  for (const status of [200, 201, 204, 400, 404, 405, 413, 414])
    expect(statuses.get(status), String(status)).toBeGreaterThan(0)
})
