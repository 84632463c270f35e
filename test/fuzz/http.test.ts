// A few thousand hostile requests to a real node, and the kept ones again.

import { expect, it } from 'vitest'
import { judgeAnswers } from '../../scripts/fuzz/http/answers.ts'
import { fuzzHttp } from '../../scripts/fuzz/http/run.ts'

const SEED = Number(process.env['QUORATE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

it(`a node takes what it is sent, seed ${SEED}`, { timeout: 120_000 }, async () => {
  const lines: string[] = []
  const failures = await fuzzHttp({
    executions: 3000,
    seconds: 60,
    seed: SEED,
    say: (line) => lines.push(line),
    keeps: false,
  })
  expect(failures, lines.join('\n')).toBe(0)
  // Otherwise the requests are nonsense only.
  for (const kind of ['grammar 200', 'grammar 201', 'grammar 204', 'mutated 400', 'grammar 404', 'grammar 405'])
    expect(lines.join('\n')).toContain(`${kind}: `)
})

const answer = (status: string, headers: string, body: string): Buffer =>
  Buffer.from(`HTTP/1.1 ${status}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`)
const PROBLEM = 'Content-Type: application/problem+json\r\n'
const MALFORMED = JSON.stringify({
  type: 'urn:quorate:error:bad-request',
  title: 'The request is malformed',
  status: 400,
  detail: 'so',
  code: 'bad-request',
})

it('an answer that breaks the contract is seen', () => {
  const good = Buffer.concat([answer('200 OK', '', 'value'), answer('400 Bad Request', PROBLEM, MALFORMED)])
  expect(judgeAnswers(good, ['GET', 'PUT'])).toEqual({ statuses: [200, 400], ends: false, wrong: null })
  for (const [wrong, bytes] of [
    ['status 500', answer('500 Internal Server Error', PROBLEM, MALFORMED)],
    ['of type text/plain', answer('400 Bad Request', 'Content-Type: text/plain\r\n', MALFORMED)],
    ['no JSON', answer('400 Bad Request', PROBLEM, '{')],
    ['with the problem', answer('404 Not Found', PROBLEM, MALFORMED)],
    ['405 without Allow', answer('405 Method Not Allowed', PROBLEM, MALFORMED)],
    ['the body is cut off', good.subarray(0, -1)],
    ['without an end of its head', good.subarray(0, 20)],
    ['no status line', Buffer.from('hello\r\n\r\n')],
    ['status 202', answer('202 Accepted', '', '')],
  ] as const)
    expect(judgeAnswers(bytes, null).wrong, wrong).toContain(wrong)
})
