// Shows what is sent for each task, and that no answer counts as right but the right one.

import { expect, test } from 'vitest'
import { KeptContexts } from '../../scripts/bench/parts/contexts.ts'
import { ABSENT, type Dialect, QuorateDialect, RedisDialect, type Task } from '../../scripts/bench/parts/dialects.ts'
import { keyOf, valueOf } from '../../scripts/bench/parts/key-space.ts'
import { RESP } from '../../scripts/bench/parts/wire.ts'

const PUT: Task = { kind: 'put', index: 5, version: 2, ttlSeconds: null, creates: false }
const GET: Task = { ...PUT, kind: 'get' }
const [key, value] = [keyOf(5), valueOf(5, 2).toString('latin1')]

function said(dialect: Dialect, task: Task): string {
  const target = Buffer.alloc(dialect.bytesMax + 10)
  return target.toString('latin1', 3, dialect.write(target, 3, task))
}

function isRight(dialect: Dialect, task: Task, status: number, head: string, body: string): boolean {
  const bytes = Buffer.from(`..${head}${body}`, 'latin1')
  return dialect.isRight(task, status, bytes, 2 + head.length, bytes.length, 2)
}

const HEAD = 'HTTP/1.1 204 No Content\r\nquorate-context: abc_-1\r\nquorate-siblings: 1\r\n\r\n'

test('a put says its expiry, and what it replaces', () => {
  const dialect = new QuorateDialect(80, 'b', 'latest')
  const start = `PUT /v1/kv/b/${key} HTTP/1.1\r\nHost: 127.0.0.1:80\r\nContent-Length: 100\r\n`
  expect(said(dialect, PUT)).toBe(`${start}Quorate-Context: latest\r\n\r\n${value}`)
  expect(said(dialect, { ...PUT, creates: true })).toBe(`${start}\r\n${value}`)
  expect(said(dialect, { ...PUT, creates: true, ttlSeconds: 60 })).toBe(`${start}Quorate-TTL: 60\r\n\r\n${value}`)
  expect(said(new QuorateDialect(80, 'b', 'blindly'), PUT)).toBe(`${start}\r\n${value}`)
  expect(said(dialect, GET)).toBe(`GET /v1/kv/b/${key} HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n`)
  expect(said(dialect, { ...PUT, kind: 'delete' })).toBe(
    `DELETE /v1/kv/b/${key} HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n`,
  )
})

test('a carried context is that of the last answer', () => {
  const dialect = new QuorateDialect(80, 'b', new KeptContexts(10))
  expect(said(dialect, PUT)).toContain('\r\nQuorate-Context: latest\r\n\r\n')
  expect(isRight(dialect, PUT, 204, HEAD, '')).toBe(true)
  expect(said(dialect, PUT)).toContain(`\r\nQuorate-Context: abc_-1\r\n\r\n${value}`)
  expect(said(dialect, { ...PUT, index: 6 })).toContain('\r\nQuorate-Context: latest\r\n\r\n')
  // Too long to be kept.
  expect(isRight(dialect, PUT, 204, HEAD.replace('abc_-1', 'x'.repeat(200)), '')).toBe(true)
  expect(said(dialect, PUT)).toContain('\r\nQuorate-Context: latest\r\n\r\n')
})

test('a put is right with its status and without siblings', () => {
  const dialect = new QuorateDialect(80, 'b', 'latest')
  expect(isRight(dialect, PUT, 204, HEAD, '')).toBe(true)
  expect(isRight(dialect, PUT, 201, HEAD, '')).toBe(false)
  expect(isRight(dialect, { ...PUT, creates: true }, 201, HEAD, '')).toBe(true)
  expect(isRight(dialect, PUT, 204, HEAD.replace('siblings: 1', 'siblings: 2'), '')).toBe(false)
  expect(isRight(dialect, PUT, 204, HEAD.replace('siblings: 1', 'siblings: 12'), '')).toBe(false)
  expect(isRight(dialect, PUT, 503, HEAD, '')).toBe(false)
})

test('a read is right with its value, or without any', () => {
  const dialect = new QuorateDialect(80, 'b', 'latest')
  expect(isRight(dialect, GET, 200, HEAD, value)).toBe(true)
  expect(isRight(dialect, GET, 200, HEAD, valueOf(5, 1).toString('latin1'))).toBe(false)
  expect(isRight(dialect, GET, 300, HEAD, value)).toBe(false)
  expect(isRight(dialect, GET, 404, HEAD, '')).toBe(false)
  expect(isRight(dialect, { ...GET, version: ABSENT }, 404, HEAD, '')).toBe(true)
  expect(isRight(dialect, { ...GET, version: ABSENT }, 200, HEAD, value)).toBe(false)
})

test('the same in the words of Redis', () => {
  const dialect = new RedisDialect()
  const set = `$3\r\nSET\r\n$11\r\n${key}\r\n$100\r\n${value}\r\n`
  expect(said(dialect, PUT)).toBe(`*3\r\n${set}`)
  expect(said(dialect, { ...PUT, ttlSeconds: 3600 })).toBe(`*5\r\n${set}$2\r\nEX\r\n$4\r\n3600\r\n`)
  expect(said(dialect, GET)).toBe(`*2\r\n$3\r\nGET\r\n$11\r\n${key}\r\n`)
  expect(isRight(dialect, PUT, RESP.ok, '+', 'OK')).toBe(true)
  expect(isRight(dialect, PUT, RESP.error, '-', 'ERR')).toBe(false)
  expect(isRight(dialect, GET, RESP.bulk, '$100\r\n', value)).toBe(true)
  expect(isRight(dialect, GET, RESP.nil, '$-1\r\n', '')).toBe(false)
  expect(isRight(dialect, { ...PUT, kind: 'delete' }, RESP.integer, ':', '1')).toBe(true)
  expect(isRight(dialect, { ...PUT, kind: 'delete' }, RESP.integer, ':', '0')).toBe(false)
})
