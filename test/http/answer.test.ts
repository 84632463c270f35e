// Whichever way an answer takes to the socket, its bytes are those that Node's own `writeHead` and `end` would send.

import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import fc from 'fast-check'
import { type HeaderList, writeAnswer } from '../../src/http/answer.ts'
import { exchange, isWhole } from './exchange.ts'

interface Answer {
  readonly status: number
  readonly headers: HeaderList
  readonly body: Uint8Array | null
  readonly before: boolean
}

let next: Answer
const answering = (write: (response: ServerResponse, answer: Answer) => void): Server =>
  createServer({ keepAliveTimeout: 7000 }, (_request, response) => {
    if (next.before) response.setHeader('Connection', 'close')
    write(response, next)
  })
const ours = answering((response, { status, headers, body }) => writeAnswer(response, status, [...headers], body))
const nodes = answering((response, { status, headers, body }) => {
  const length = status === 204 || status === 304 ? [] : ['content-length', String(body?.length ?? 0)]
  response.writeHead(status, [...headers, ...length])
  if (body === null) response.end()
  else response.end(body)
})
beforeAll(async () => {
  for (const server of [ours, nodes]) await once(server.listen(0, '127.0.0.1'), 'listening')
})
afterAll(() => {
  for (const server of [ours, nodes]) server.close()
})

const name = fc.stringMatching(/^[a-z][a-z-]{0,10}[a-z]$/).map((text) => `quorate-${text}`)
const value = fc.stringMatching(/^[!-~\xa0-\xff]([\t -~\xa0-\xff]{0,60}[!-~\xa0-\xff])?$/)
const answer: fc.Arbitrary<Answer> = fc.record({
  status: fc.constantFrom(200, 201, 204, 300, 304, 404, 503),
  headers: fc.array(fc.tuple(name, value), { maxLength: 8 }).map((pairs) => pairs.flat()),
  body: fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 200 }), fc.constant(new Uint8Array(5000).fill(0xe4))),
  before: fc.boolean(),
})
const request = fc
  .record({
    method: fc.constantFrom('GET', 'PUT', 'HEAD'),
    minor: fc.constantFrom(0, 1),
    connection: fc.constantFrom('', 'Connection: close\r\n', 'Connection: keep-alive\r\n'),
  })
  .map(({ method, minor, connection }) => `${method} / HTTP/1.${minor}\r\nHost: x\r\n${connection}\r\n`)

test('the bytes are Node’s own', async () => {
  const bytesFrom = async (server: Server, text: string): Promise<string> => {
    const { port } = server.address() as AddressInfo
    const bodiless = text.startsWith('HEAD')
    const answered = await exchange(port, text, (all) => (bodiless ? all.includes('\r\n\r\n') : isWhole(all)))
    return answered.replace(/\r\nDate: [^\r]*\r\n/, '\r\nDate: now\r\n')
  }
  await fc.assert(
    fc.asyncProperty(request, answer, async (text, wanted) => {
      next = { ...wanted, body: wanted.status === 204 || wanted.status === 304 ? null : wanted.body }
      expect(await bytesFrom(ours, text)).toBe(await bytesFrom(nodes, text))
    }),
    { numRuns: 300 },
  )
})

test('a head of the plain way is whole: nothing of it comes from Node', async () => {
  next = { status: 200, headers: ['a', 'b'], body: Buffer.from('\xe4', 'latin1'), before: false }
  const { port } = ours.address() as AddressInfo
  const text = await exchange(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', isWhole)
  expect(text).toMatch(
    /^HTTP\/1\.1 200 OK\r\na: b\r\ncontent-length: 1\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=7\r\n\r\n\xe4$/,
  )
})
