// Puts many records through one or more nodes at once, each until it is stored or refused for good. Knows nothing of files.
// Invariant: every attempt of a record carries the same idempotency key, so that a retry after an unknown outcome is the
// same write; at most `concurrency` records are in memory.

import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import type { ImportRecord } from './import-record.ts'
import { textAt, view } from './json-view.ts'
import { kvPath, noAnswer, originOf } from './node-client.ts'

export interface BulkOptions {
  readonly urls: readonly string[]
  readonly bucket: string
  readonly concurrency: number
  /** Sent with each put beside those that a record needs. */
  readonly headers: Readonly<Record<string, string>>
  /** How long a record is retried. */
  readonly retryMs: number
}

export type PutResult =
  | { readonly type: 'stored'; readonly created: boolean; readonly siblings: number; readonly retries: number }
  | { readonly type: 'failed'; readonly reason: string; readonly retries: number }

const RETRY_DELAY_MS = 50
const RETRY_DELAY_MS_MAX = 2_000
/** Nothing was decided about the write, or it was put off: worth another attempt. */
const PASSING = [408, 429, 502, 503, 504]

type Attempt = PutResult | { readonly type: 'passing'; readonly reason: string; readonly afterMs: number }

export class BulkPut {
  readonly #pools: readonly Pool[]
  readonly #origins: readonly string[]
  readonly #options: BulkOptions

  constructor(options: BulkOptions) {
    this.#options = options
    this.#origins = options.urls.map(originOf)
    const share = Math.ceil(options.concurrency / this.#origins.length)
    // One request at a time on each: a node carries out those of one connection one after the other.
    this.#pools = this.#origins.map((origin) => new Pool(origin, { connections: share, connect: { timeout: 5_000 } }))
  }

  /** `worker` chooses the node that is asked first; each retry asks the next one. */
  async put(record: ImportRecord, idempotencyKey: string, worker: number): Promise<PutResult> {
    const giveUpAt = performance.now() + this.#options.retryMs
    for (let retries = 0; ; retries++) {
      const attempt = await this.#attempt(record, idempotencyKey, worker + retries, retries)
      if (attempt.type !== 'passing') return attempt
      const backOff = Math.min(RETRY_DELAY_MS_MAX, RETRY_DELAY_MS * 2 ** retries) * (0.5 + Math.random() / 2)
      const wait = Math.max(attempt.afterMs, backOff)
      if (performance.now() + wait > giveUpAt) {
        return { type: 'failed', reason: attempt.reason, retries }
      }
      await delay(wait)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.destroy()))
  }

  async #attempt(record: ImportRecord, idempotencyKey: string, node: number, retries: number): Promise<Attempt> {
    const index = node % this.#pools.length
    const pool = this.#pools[index]
    if (pool === undefined) return { type: 'failed', reason: 'no node to ask', retries }
    try {
      const { statusCode, headers, body } = await pool.request({
        path: kvPath(this.#options.bucket, record.key),
        method: 'PUT',
        headers: { ...this.#options.headers, 'content-type': record.contentType, 'idempotency-key': idempotencyKey },
        body: record.body,
      })
      if (statusCode === 201 || statusCode === 204 || statusCode === 200) {
        await body.dump()
        return {
          type: 'stored',
          created: statusCode === 201,
          siblings: Number(headers['quorate-siblings'] ?? 1),
          retries,
        }
      }
      const reason = problemText(statusCode, await body.text())
      if (!PASSING.includes(statusCode)) return { type: 'failed', reason, retries }
      const afterMs = Math.min(RETRY_DELAY_MS_MAX, Number(headers['retry-after'] ?? 0) * 1000)
      return { type: 'passing', reason, afterMs: Number.isFinite(afterMs) ? afterMs : 0 }
    } catch (error) {
      return { type: 'passing', reason: noAnswer(this.#origins[index] ?? '', error), afterMs: 0 }
    }
  }
}

function problemText(status: number, body: string): string {
  try {
    const problem = view(JSON.parse(body))
    return `${textAt(problem, 'code') ?? status}: ${textAt(problem, 'detail') ?? textAt(problem, 'title') ?? ''}`
  } catch {
    return `status ${status}`
  }
}
