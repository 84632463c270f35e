// The document is made from the routes; these tests hold it and the table of problems together.

import { expect, test } from 'vitest'
import { Compile } from 'typebox/compile'
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

test('its schemas are those of JSON Schema 2020-12, not of an older draft', async () => {
  const old: string[] = []
  const look = (value: unknown, at: string): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [name, part] of Object.entries(value)) {
      if (
        (name === 'items' && Array.isArray(part)) ||
        ['additionalItems', 'definitions', 'dependencies'].includes(name)
      )
        old.push(`${at}/${name}`)
      look(part, `${at}/${name}`)
    }
  }
  look(await openApi(), '')
  expect(old).toEqual([])
})

interface FieldsSchema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, FieldsSchema>>
  readonly items?: FieldsSchema
  readonly additionalProperties?: unknown
}

/** The names in a value that its schema does not mention. */
function unmentioned(value: unknown, schema: FieldsSchema | undefined, at: string): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => unmentioned(one, schema?.items, `${at}[]`))
  if (typeof value !== 'object' || value === null || typeof schema?.additionalProperties === 'object') return []
  return Object.entries(value).flatMap(([name, part]) => {
    const known = schema?.properties?.[name]
    return known === undefined ? [`${at}.${name}`] : unmentioned(part, known, `${at}.${name}`)
  })
}

test('every field of a status stands in it, and may be joined by others', async () => {
  const { paths } = await openApi()
  const app = await buildHttpApp({ node: new FakeNode(), logger: null })
  for (const [method, path, url] of [
    ['get', '/v1/cluster', '/v1/cluster'],
    ['get', '/v1/ring', '/v1/ring'],
    ['get', '/v1/ring/{bucket}/{key}', '/v1/ring/b/k'],
    ['get', '/v1/hints', '/v1/hints'],
    ['get', '/v1/repair', '/v1/repair'],
    ['post', '/v1/repair', '/v1/repair'],
    ['get', '/v1/stats', '/v1/stats'],
    ['get', '/healthz', '/healthz'],
    ['get', '/readyz', '/readyz'],
    ['put', '/v1/dev/links', '/v1/dev/links'],
  ] as const) {
    const payload = method === 'put' ? { payload: { cut: [['node-0', 'node-1']] } } : {}
    const answer = await app.inject({ method: method.toUpperCase() as 'GET', url, ...payload })
    expect(answer.statusCode, path).toBe(200)
    const { content } = paths[path]?.[method]?.responses['200'] ?? {}
    const { schema } = (content as Record<string, { schema: FieldsSchema }>)['application/json'] ?? {}
    expect(unmentioned(answer.json(), schema, path)).toEqual([])
    expect(schema?.additionalProperties, path).not.toBe(false)
    const check = Compile(schema as object)
    expect([...check.Errors(answer.json())], path).toEqual([])
    expect(check.Check({ ...answer.json<object>(), more: 1 }), path).toBe(true)
  }
  await app.close()
})

test('no answer on a key has a header that does not stand in it', async () => {
  const { paths } = await openApi()
  const app = await buildHttpApp({ node: new FakeNode(), logger: null })
  const url = '/v1/kv/b/k'
  const seen = new Set<string>()
  const ask = async (
    method: 'GET' | 'HEAD' | 'PUT' | 'DELETE',
    headers: Record<string, string> = {},
    query = '',
  ): Promise<void> => {
    const answer = await app.inject({ method, url: url + query, headers, ...(method === 'PUT' && { payload: 'x' }) })
    const operation = paths['/v1/kv/{bucket}/{key}']?.[method.toLowerCase()]
    const documented = Object.keys(operation?.responses[answer.statusCode]?.headers ?? {}).map((n) => n.toLowerCase())
    const told = Object.keys(answer.headers).filter((name) => /^(?:quorate-(?!meta-)|etag$|last-mod)/.test(name))
    for (const name of told) expect(documented, `${method} ${query} ${answer.statusCode}`).toContain(name)
    seen.add(`${method} ${answer.statusCode}`)
  }
  const bad = { 'if-none-match': 'x' }
  await ask('GET')
  await ask('PUT', { prefer: 'return=representation', 'quorate-ttl': '9', 'quorate-meta-a': 'b' }, '?explain=1')
  for (const method of ['GET', 'HEAD'] as const) {
    await ask(method, {}, '?explain=1')
    await ask(method, { 'if-match': '"x"' })
    await ask(method, bad)
    await ask(method, { 'if-none-match': '*' })
    await ask(method, {}, '?sibling=x')
    await ask(method, {}, '?explain=2')
  }
  await ask('PUT', {}, '?explain=1')
  await ask('GET')
  for (const method of ['PUT', 'DELETE'] as const) {
    await ask(method, { 'if-match': '"x"' })
    await ask(method, bad)
    await ask(method, {}, '?sibling=x')
  }
  await ask('DELETE', {}, '?explain=1')
  await ask('GET')
  await app.close()
  expect([...seen].sort()).toEqual([
    'DELETE 204',
    'DELETE 400',
    'DELETE 412',
    'GET 200',
    'GET 300',
    'GET 304',
    'GET 400',
    'GET 404',
    'GET 412',
    'HEAD 200',
    'HEAD 304',
    'HEAD 400',
    'HEAD 404',
    'HEAD 412',
    'PUT 200',
    'PUT 204',
    'PUT 400',
    'PUT 412',
  ])
})
