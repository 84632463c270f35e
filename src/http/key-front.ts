// Takes the requests that nearly all clients send, GET and PUT of a key that is spelled plainly, before fastify sees them: finding a
// route and reading a body generically costs as much as the rest of the answer. Decides only whether a request is such a one; all
// others, and all refusals before there is a whole request, are fastify's. Invariant: an answer does not depend on who took the request.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { KeyExchange } from './key-exchange.ts'
import { BUCKET_BYTES_MAX, type HttpLimits, KEY_BYTES_MAX } from './limits.ts'
import { Body } from './body.ts'
import { isPlainHead } from './request-head.ts'
import { ValueRequest } from './value-request.ts'

export interface KeyFrontOptions {
  readonly limits: HttpLimits
  readonly get: (exchange: KeyExchange) => void
  readonly put: (exchange: KeyExchange) => void
  readonly onAnswer: (exchange: KeyExchange, status: number) => void
}

const PREFIX = '/v1/kv/'

export class KeyFront {
  readonly #options: KeyFrontOptions
  #isOpen = true

  constructor(options: KeyFrontOptions) {
    this.#options = options
  }

  /** From now on fastify takes all: what comes is refused, or is no hurry. */
  close(): void {
    this.#isOpen = false
  }

  /** False: not such a request; nothing was done. */
  take(request: IncomingMessage, response: ServerResponse): boolean {
    if (!(request instanceof ValueRequest)) return false
    const { method, url, headers } = request
    const isPut = method === 'PUT'
    if ((!isPut && method !== 'GET') || !this.#isOpen || url === undefined) return false
    if (request.httpVersionMinor !== 1 || !isPlainHead(request, isPut)) return false
    const slash = plainKeyAt(url)
    if (slash < 0) return false
    const length = isPut ? this.#bodyLength(headers['content-length']) : 0
    if (length < 0) return false
    const exchange = new KeyExchange(request, response, url.slice(PREFIX.length, slash), url.slice(slash + 1))
    exchange.onAnswer = this.#options.onAnswer
    exchange.arrivedAt = performance.now()
    if (isPut) this.#put(request, exchange, length)
    else this.#options.get(exchange)
    return true
  }

  /** Of a body that is announced and within the limit; −1: any other. */
  #bodyLength(contentLength: string | undefined): number {
    if (contentLength === undefined) return -1
    const length = Number(contentLength)
    return length <= this.#options.limits.valueBytesMax ? length : -1
  }

  /** Once the body is complete; if it never is, the connection has failed and there is nobody to answer. */
  #put(request: ValueRequest, exchange: KeyExchange, length: number): void {
    exchange.contentType = request.headers['content-type'] ?? ''
    if (length === 0) {
      this.#options.put(exchange)
      return
    }
    const body = new Body(length)
    request.takeBody((chunk) => {
      // Node's parser gives neither more bytes than were announced, nor fewer before it fails.
      const whole = body.add(chunk)
      if (whole === null) return
      exchange.body = whole
      this.#options.put(exchange)
    })
  }
}

/**
 * Where the slash between bucket and key is, or −1: another path, or one in which something is encoded, or that has a query or a "#",
 * or names that may be too long.
 */
function plainKeyAt(url: string): number {
  if (!url.startsWith(PREFIX)) return -1
  let slash = -1
  for (let i = PREFIX.length; i < url.length; i++) {
    const code = url.charCodeAt(i)
    if (code === 0x2f) {
      if (slash >= 0) return -1
      slash = i
    } else if (code === 0x25 || code === 0x3f || code === 0x23) {
      return -1
    }
  }
  const bucketLength = slash - PREFIX.length
  const keyLength = url.length - slash - 1
  const isNamed = slash >= 0 && bucketLength > 0 && keyLength > 0
  return isNamed && bucketLength <= BUCKET_BYTES_MAX && keyLength <= KEY_BYTES_MAX ? slash : -1
}
