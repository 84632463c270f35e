// Answers on one connection, cut out of the bytes as they come: HTTP/1.1 with Content-Length, and RESP2 as Redis speaks it. Knows
// nothing of requests. Invariant: each whole answer is given once, in order; what is incomplete waits for more bytes.

/** A body lies in `bytes` from `from` to `to`, and only until the call ends. */
export type OnAnswer = (status: number, bytes: Buffer, from: number, to: number, headAt: number) => void

export interface AnswerReader {
  /** Throws an Error for bytes that are no answer. */
  take(chunk: Buffer): void
}

const HEAD_END = '\r\n\r\n'
const LENGTH = /\r\ncontent-length: *(\d+)/i

abstract class Reader implements AnswerReader {
  #kept: Buffer | null = null

  take(chunk: Buffer): void {
    const all = this.#kept === null ? chunk : Buffer.concat([this.#kept, chunk])
    let at = 0
    for (;;) {
      const next = this.next(all, at)
      if (next < 0) break
      at = next
    }
    // A copy: a small rest must not keep the whole chunk.
    this.#kept = at === all.length ? null : Buffer.from(all.subarray(at))
  }

  /** Where the answer at `at` ends, after it was given; −1: it is not complete. */
  protected abstract next(all: Buffer, at: number): number
}

export class HttpReader extends Reader {
  readonly #onAnswer: OnAnswer

  constructor(onAnswer: OnAnswer) {
    super()
    this.#onAnswer = onAnswer
  }

  protected override next(all: Buffer, at: number): number {
    const end = all.indexOf(HEAD_END, at, 'latin1')
    if (end < 0) return -1
    const status = digits(all, at + 9, at + 12)
    if (all[at] !== 0x48 || Number.isNaN(status)) throw new Error(`no answer: ${all.toString('latin1', at, end)}`)
    const from = end + HEAD_END.length
    let to = from
    if (status !== 204 && status !== 304) {
      const length = Number(LENGTH.exec(all.toString('latin1', at, end))?.[1] ?? Number.NaN)
      if (Number.isNaN(length)) throw new Error(`an answer without Content-Length: ${all.toString('latin1', at, end)}`)
      to = from + length
    }
    if (to > all.length) return -1
    this.#onAnswer(status, all, from, to, at)
    return to
  }
}

/** What a RESP answer was, in place of a status. */
export const RESP = { ok: 1, error: 2, integer: 3, bulk: 4, nil: 5 } as const

export class RespReader extends Reader {
  readonly #onAnswer: OnAnswer

  constructor(onAnswer: OnAnswer) {
    super()
    this.#onAnswer = onAnswer
  }

  protected override next(all: Buffer, at: number): number {
    const end = all.indexOf('\r\n', at, 'latin1')
    if (end < 0) return -1
    const type = String.fromCharCode(all[at] as number)
    const lineEnd = end + 2
    if (type === '$') {
      const length = Number(all.toString('latin1', at + 1, end))
      if (length < 0) this.#onAnswer(RESP.nil, all, lineEnd, lineEnd, at)
      else {
        if (lineEnd + length + 2 > all.length) return -1
        this.#onAnswer(RESP.bulk, all, lineEnd, lineEnd + length, at)
        return lineEnd + length + 2
      }
    } else if (type === '+') this.#onAnswer(RESP.ok, all, at + 1, end, at)
    else if (type === '-') this.#onAnswer(RESP.error, all, at + 1, end, at)
    else if (type === ':') this.#onAnswer(RESP.integer, all, at + 1, end, at)
    else throw new Error(`no RESP answer: ${all.toString('latin1', at, Math.min(end, at + 80))}`)
    return lineEnd
  }
}

function digits(bytes: Buffer, from: number, to: number): number {
  let number = 0
  for (let at = from; at < to; at++) {
    const digit = (bytes[at] ?? 0) - 0x30
    if (digit < 0 || digit > 9) return Number.NaN
    number = number * 10 + digit
  }
  return number
}
