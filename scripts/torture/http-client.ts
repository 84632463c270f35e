// A small HTTP client for stories. Decides only whether a failed request can have reached the node; knows no routes.
// Invariant: never retries, since a retry would be another request than the one that the audit log knows of.

import { Agent, request } from 'undici'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 20_000

/** No answer came. `sent` is false where no connection was made. */
export class NoAnswer extends Error {
  readonly sent: boolean
  /** How the system or the client calls it. */
  readonly code: string

  constructor(cause: unknown) {
    super(`no answer: ${String(cause)}`, { cause })
    this.name = 'NoAnswer'
    const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : null
    this.code = typeof code === 'string' ? code : 'no code'
    this.sent = code !== 'ECONNREFUSED' && code !== 'UND_ERR_CONNECT_TIMEOUT'
  }
}

export class HttpClient {
  readonly #agent: Agent = new Agent({ connections: 64, pipelining: 1, keepAliveTimeout: 10_000 })

  /** Throws `NoAnswer`. */
  async call(
    url: string,
    method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE',
    path: string,
    options: CallOptions = {},
  ): Promise<Answer> {
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
    try {
      const response = await request(url + path, {
        dispatcher: this.#agent,
        method,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        ...(options.headers !== undefined && { headers: options.headers }),
        ...(options.body !== undefined && { body: options.body }),
      })
      const body = Buffer.from(await response.body.arrayBuffer())
      const headers: Record<string, string> = {}
      for (const [name, value] of Object.entries(response.headers)) headers[name] = String(value)
      return { status: response.statusCode, headers, body }
    } catch (error) {
      throw new NoAnswer(error)
    }
  }

  /** Null where no answer came. */
  async tryCall(...args: Parameters<HttpClient['call']>): Promise<Answer | null> {
    try {
      return await this.call(...args)
    } catch (error) {
      if (error instanceof NoAnswer) return null
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }
}

/** The code of a problem body; null where the answer is none. */
export function problemCode({ headers, body }: Answer): string | null {
  if (headers['content-type'] !== 'application/problem+json') return null
  const problem: unknown = JSON.parse(body.toString())
  const code: unknown = typeof problem === 'object' && problem !== null ? Reflect.get(problem, 'code') : null
  return typeof code === 'string' ? code : null
}

export function isStrict({ headers }: Answer): boolean {
  return headers['quorate-receipt']?.includes('guarantee="strict"') ?? false
}

export function kvPath(bucket: string, key: string): string {
  return `/v1/kv/${encodeURIComponent(bucket)}/${encodeURIComponent(key)}`
}
