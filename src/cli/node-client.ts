// Speaks the public HTTP API to one node: a request in, a whole answer out. Knows nothing of what commands make of it.
// Invariant: a path is sent as it was given (no URL normalization, so that every key means itself).

import { Agent } from 'undici'
import { CommandError, EXIT } from './exit-status.ts'

/** Longer than any operation may take (Quorate-Timeout is at most 60 s). */
const ANSWER_TIMEOUT_MS = 75_000
const CONNECT_TIMEOUT_MS = 5_000

export interface Answer {
  readonly status: number
  /** By lower-case name; several of one name are joined as RFC 9110, 5.3 says. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

export interface AskOptions {
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly body?: Uint8Array | string
  /** 0: as long as it takes. */
  readonly timeoutMs?: number
}

export class NodeClient {
  readonly origin: string
  readonly #agent: Agent

  constructor(url: string) {
    this.origin = originOf(url)
    this.#agent = new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS } })
  }

  /** Throws a CommandError when no answer came. */
  async ask(
    method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE',
    path: string,
    options: AskOptions = {},
  ): Promise<Answer> {
    const timeout = options.timeoutMs ?? ANSWER_TIMEOUT_MS
    try {
      const response = await this.#agent.request({
        origin: this.origin,
        path: path + queryText(options.query ?? {}),
        method,
        headers: given(options.headers ?? {}),
        body: options.body ?? null,
        headersTimeout: timeout,
        bodyTimeout: timeout,
      })
      const headers = new Map<string, string>()
      for (const [name, value] of Object.entries(response.headers)) {
        if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
      }
      return { status: response.statusCode, headers, body: Buffer.from(await response.body.arrayBuffer()) }
    } catch (error) {
      throw new CommandError(EXIT.failed, noAnswer(this.origin, error))
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }
}

export function noAnswer(origin: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ECONNREFUSED') {
    return `no node serves at ${origin} (connection refused); is one running? "quorate dev" starts a cluster, --url names a node`
  }
  return `no answer from ${origin}: ${error instanceof Error ? error.message : String(error)}${code ? ` (${code})` : ''}`
}

export function originOf(url: string): string {
  const hasScheme = url.includes('://')
  const parsed = URL.parse(hasScheme ? url : `http://${url}`)
  // A word alone would be a host with port 80, where no node is.
  if (parsed === null || (!hasScheme && !/:\d+(?:\/|$)/.test(url))) {
    throw new CommandError(EXIT.usage, `"${url}" is not a URL; a node's looks like http://127.0.0.1:7480`)
  }
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    throw new CommandError(EXIT.usage, `"${url}" is not an http URL`)
  }
  return parsed.origin
}

export function kvPath(bucket: string, key: string): string {
  return `/v1/kv/${encodeURIComponent(bucket)}/${encodeURIComponent(key)}`
}

function queryText(query: Readonly<Record<string, string | number | undefined>>): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value))
  return parameters.size === 0 ? '' : `?${parameters}`
}

function given(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) result[name] = value
  return result
}
