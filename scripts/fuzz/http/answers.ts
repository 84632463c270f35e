// Takes apart what came back on one connection, and judges it by the contract: a status that it lists, a problem body for every error,
// nothing behind the last answer. Knows nothing of sockets. Invariant: what is judged fine is whole.

import { PROBLEM_TYPE, PROBLEMS } from '../../../src/http/problems.ts'

export interface Answers {
  readonly statuses: readonly number[]
  /** The last one said that nothing comes after it. */
  readonly ends: boolean
  /** Null: as the contract has it. */
  readonly wrong: string | null
}

const GOOD = [200, 201, 204, 206, 300, 304]
const MAY_BE = new Set([...GOOD, ...Object.values(PROBLEMS).map(({ status }) => status)])
MAY_BE.delete(500)

/** `methods`: of the requests, where they are known; a HEAD's answer has no body. */
export function judgeAnswers(bytes: Buffer, methods: readonly string[] | null): Answers {
  const statuses: number[] = []
  let at = 0
  let ends = false
  while (at < bytes.length) {
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end < 0) return { statuses, ends, wrong: `an answer without an end of its head: ${shown(bytes.subarray(at))}` }
    const [first = '', ...lines] = bytes.toString('latin1', at, end).split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(`${first} `)?.[1])
    if (Number.isNaN(status)) return { statuses, ends, wrong: `no status line: ${shown(bytes.subarray(at))}` }
    at = end + 4
    if (status === 100) continue
    statuses.push(status)
    if (!MAY_BE.has(status)) return { statuses, ends, wrong: `status ${status}: ${shown(bytes.subarray(end))}` }
    const headers = new Map(
      lines.map((line): [string, string] => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
      }),
    )
    ends = headers.get('connection') === 'close'
    const announced = headers.get('content-length')
    const method = methods?.[statuses.length - 1]
    const next = bytes.toString('latin1', at, at + 9)
    // Of a mutated request nobody knows whether it was a HEAD.
    const isBare = method === 'HEAD' || (methods === null && (at === bytes.length || next === 'HTTP/1.1 '))
    const length = status === 204 || status === 304 || isBare ? 0 : Number(announced)
    if (Number.isNaN(length)) return { statuses, ends, wrong: `status ${status} without a length` }
    if (at + length > bytes.length) return { statuses, ends, wrong: `status ${status}: the body is cut off` }
    const body = bytes.subarray(at, at + length)
    at += length
    if (status >= 400) {
      const wrong = wrongProblem(status, headers, isBare ? null : body)
      if (wrong !== null) return { statuses, ends, wrong }
    }
  }
  return { statuses, ends, wrong: null }
}

function wrongProblem(status: number, headers: ReadonlyMap<string, string>, body: Buffer | null): string | null {
  if (headers.get('content-type') !== PROBLEM_TYPE) return `status ${status} of type ${headers.get('content-type')}`
  if (status === 405 && !headers.has('allow')) return '405 without Allow'
  if (body === null) return null
  try {
    const problem = JSON.parse(body.toString()) as Record<string, unknown>
    const known = Object.entries(PROBLEMS).find(([code]) => code === problem['code'])?.[1]
    const isRight =
      known !== undefined &&
      known.status === status &&
      problem['status'] === status &&
      problem['title'] === known.title &&
      problem['type'] === `urn:quorate:error:${String(problem['code'])}` &&
      typeof problem['detail'] === 'string'
    return isRight ? null : `status ${status} with the problem ${shown(body)}`
  } catch {
    return `status ${status}: the problem is no JSON: ${shown(body)}`
  }
}

function shown(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1', 0, 160))
}
