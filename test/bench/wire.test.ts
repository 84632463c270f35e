// Shows that answers are cut out of the bytes as they are, wherever chunks end, and that what is no answer is refused.

import { expect, test } from 'vitest'
import { type AnswerReader, HttpReader, type OnAnswer, RESP, RespReader } from '../../scripts/bench/parts/wire.ts'

type Heard = [status: number, body: string][]

function heardIn(make: (onAnswer: OnAnswer) => AnswerReader, bytes: Buffer, step: number): Heard {
  const heard: Heard = []
  const reader = make((status, all, from, to) => heard.push([status, all.toString('latin1', from, to)]))
  for (let at = 0; at < bytes.length; at += step) reader.take(bytes.subarray(at, at + step))
  return heard
}

const HTTP = Buffer.from(
  'HTTP/1.1 204 No Content\r\nquorate-siblings: 1\r\n\r\n' +
    'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n\r\n\r\nHTTP' +
    'HTTP/1.1 404 Not Found\r\ncontent-type: x\r\ncontent-length: 0\r\n\r\n' +
    'HTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\n',
)

test('HTTP answers, in pieces of any size, and not one that is not whole', () => {
  for (const step of [1, 2, 3, 7, 40, HTTP.length]) {
    expect(heardIn((on) => new HttpReader(on), HTTP, step)).toEqual([
      [204, ''],
      [200, '\r\n\r\nHTTP'],
      [404, ''],
    ])
  }
})

test('the head of an HTTP answer can be read', () => {
  let head = ''
  new HttpReader((_status, all, from, _to, headAt) => (head = all.toString('latin1', headAt, from))).take(HTTP)
  expect(head).toBe('HTTP/1.1 404 Not Found\r\ncontent-type: x\r\ncontent-length: 0\r\n\r\n')
})

test.each(['HTTP/1.1 200 OK\r\ndate: x\r\n\r\n', 'nonsense\r\n\r\n', 'HTTP/1.1 2x0 OK\r\n\r\n'])(
  '%j is refused',
  (text) => {
    expect(() => heardIn((on) => new HttpReader(on), Buffer.from(text), 1000)).toThrow(Error)
  },
)

const REDIS = Buffer.from('+OK\r\n:17\r\n$-1\r\n$4\r\na\r\nb\r\n$0\r\n\r\n-ERR no\r\n$3\r\nab')

test('RESP answers, in pieces of any size, and not one that is not whole', () => {
  for (const step of [1, 2, 5, REDIS.length]) {
    expect(heardIn((on) => new RespReader(on), REDIS, step)).toEqual([
      [RESP.ok, 'OK'],
      [RESP.integer, '17'],
      [RESP.nil, ''],
      [RESP.bulk, 'a\r\nb'],
      [RESP.bulk, ''],
      [RESP.error, 'ERR no'],
    ])
  }
  expect(() => heardIn((on) => new RespReader(on), Buffer.from('HTTP/1.1\r\n'), 100)).toThrow(Error)
})
