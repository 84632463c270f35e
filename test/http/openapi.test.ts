// The document is made from the routes; these tests hold it and the table of problems together.

import { expect, test } from 'vitest'
import { buildHttpApp } from '../../src/http/app.ts'
import { HEADERS } from '../../src/http/header-schemas.ts'
import { PROBLEM_CODES, PROBLEMS } from '../../src/http/problems.ts'
import { FakeNode } from './fake-node.ts'

interface Operation {
  readonly operationId: string
  readonly parameters?: readonly { readonly in: string; readonly name: string }[]
  readonly requestBody?: object
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: object; readonly headers?: object }>
  >
}
interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly schemas: { readonly Problem: { readonly properties: { readonly code: { readonly enum: string[] } } } }
  }
}

async function openApi(): Promise<Document> {
  const app = await buildHttpApp({ node: new FakeNode(), logger: null })
  const answer = await app.inject({ method: 'GET', url: '/openapi.json' })
  await app.close()
  expect(answer.headers['content-type']).toBe('application/json')
  return answer.json<Document>()
}

test('every code of the table is documented under its status, and no other', async () => {
  const { paths, components } = await openApi()
  const documented = new Map<string, Set<number>>()
  for (const operations of Object.values(paths)) {
    for (const { responses } of Object.values(operations)) {
      for (const [status, response] of Object.entries(responses)) {
        if (Number(status) < 400) continue
        expect(Object.keys(response.content ?? {})).toEqual(['application/problem+json'])
        for (const [, code] of response.description.matchAll(/`([a-z-]+)`:/g)) {
          documented.set(String(code), (documented.get(String(code)) ?? new Set()).add(Number(status)))
        }
      }
    }
  }
  expect([...documented.keys()].sort()).toEqual([...PROBLEM_CODES].sort())
  for (const code of PROBLEM_CODES) expect([...(documented.get(code) ?? [])], code).toEqual([PROBLEMS[code].status])
  expect(components.schemas.Problem.properties.code.enum).toEqual(PROBLEM_CODES)
})

test('every route and header stands in it', async () => {
  const { openapi, paths } = await openApi()
  expect(openapi).toMatch(/^3\.1/)
  expect(
    Object.entries(paths)
      .map(([path, operations]) => `${path} ${Object.keys(operations).sort().join(',')}`)
      .sort(),
  ).toEqual([
    '/healthz get',
    '/metrics get',
    '/openapi.json get',
    '/readyz get',
    '/v1/buckets get',
    '/v1/buckets/{bucket} get,put',
    '/v1/cluster get',
    '/v1/dev/links put',
    '/v1/hints get',
    '/v1/kv/{bucket} get',
    '/v1/kv/{bucket}/{key} delete,get,head,put',
    '/v1/repair get,post',
    '/v1/ring get',
    '/v1/ring/{bucket}/{key} get',
    '/v1/stats get',
  ])
  const operations = Object.values(paths).flatMap((path) => Object.values(path))
  expect(new Set(operations.map((operation) => operation.operationId)).size).toBe(operations.length)
  const key = Object.values(paths['/v1/kv/{bucket}/{key}'] ?? {}).flatMap((operation) => operation.parameters ?? [])
  for (const name of Object.keys(HEADERS))
    expect(
      key.some((parameter) => parameter.in === 'header' && parameter.name === name),
      name,
    ).toBe(true)
  expect(paths['/v1/kv/{bucket}/{key}']?.['get']?.responses['200']?.headers).toMatchObject({
    'Quorate-Receipt': { schema: { type: 'string' } },
  })
})

test('a value’s body, its metadata, and every header of an answer stand in it', async () => {
  const { paths } = await openApi()
  const { get, put, delete: remove, head } = paths['/v1/kv/{bucket}/{key}'] ?? {}
  expect(put?.requestBody).toMatchObject({ content: { '*/*': { schema: { type: 'string', format: 'binary' } } } })
  expect(put?.parameters).toContainEqual(expect.objectContaining({ in: 'header', name: 'quorate-meta-*' }))
  const headersOf = (operation: Operation | undefined, status: number): string[] =>
    Object.keys(operation?.responses[status]?.headers ?? {})
  for (const name of ['Quorate-Explain', 'Quorate-Expires', 'Quorate-Meta-*', 'Last-Modified', 'ETag'])
    for (const operation of [get, put]) expect(headersOf(operation, 200), name).toContain(name)
  for (const operation of [get, put, remove, head]) {
    expect(headersOf(operation, 405)).toContain('Allow')
    expect(headersOf(operation, 412)).toContain('ETag')
    for (const status of [429, 503]) expect(headersOf(operation, status)).toContain('Retry-After')
    for (const status of [400, 404, 405, 412, 503])
      expect(headersOf(operation, status)).toEqual(expect.arrayContaining(['Quorate-Receipt', 'Quorate-Explain']))
  }
  for (const operations of Object.values(paths))
    for (const operation of Object.values(operations)) expect(headersOf(operation, 503)).toContain('Retry-After')
})
