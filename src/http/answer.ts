// Writes one whole answer to a response: status, headers and body in one piece. Decides how its bytes reach Node; knows nothing of
// what they say. Invariant: the bytes are those that `writeHead` and `end` would send, whichever way they go.

import { ServerResponse } from 'node:http'
import { formatHttpDate } from './conditions.ts'

/**
 * Name, value, name, value, …, names in lower case. Values must be such as a header can hold: who adds what came from elsewhere
 * checks it (`isFieldValue`), all else is made of such characters.
 */
export type HeaderList = string[]

/** Latin-1 text is these bytes one by one: head and body leave as one string, in one write instead of a gathered one. */
const ONE_WRITE_BYTES_MAX = 4096

/** What `writeHead` leaves behind for `end` to send. It has no public name; without it there is the other way. */
interface HeadHolder {
  _header?: string | null
  readonly _keepAliveTimeout?: number
}

const STATUS_LINES: ReadonlyMap<number, string> = new Map([
  [200, 'HTTP/1.1 200 OK'],
  [201, 'HTTP/1.1 201 Created'],
  [204, 'HTTP/1.1 204 No Content'],
  [404, 'HTTP/1.1 404 Not Found'],
])

/** `body` null: none, and for a 204 or 304 no Content-Length either. */
export function writeAnswer(
  response: ServerResponse,
  status: number,
  headers: HeaderList,
  body: Uint8Array | null,
): void {
  const length = body === null ? 0 : body.length
  if (status !== 204 && status !== 304) headers.push('content-length', String(length))
  const statusLine = STATUS_LINES.get(status)
  if (statusLine !== undefined && length <= ONE_WRITE_BYTES_MAX && isPlain(response)) {
    writePlain(response, status, statusLine, headers, body)
    return
  }
  response.writeHead(status, headers)
  if (body === null) response.end()
  else if (length > ONE_WRITE_BYTES_MAX) response.end(body)
  else response.end(latin1(body), 'latin1')
}

/** An answer like nearly all: over HTTP/1.1, the connection stays open, nobody has set a header on the response yet. */
function isPlain(response: ServerResponse & HeadHolder): boolean {
  const { req } = response
  return (
    response._header === null &&
    response.shouldKeepAlive &&
    req.httpVersionMinor === 1 &&
    req.method !== 'HEAD' &&
    // Not a class of somebody's own, that would see the head pass (a test's, for instance).
    Object.getPrototypeOf(response) === ServerResponse.prototype &&
    response.getHeaderNames().length === 0
  )
}

/** Node's own way checks each name and value with a regular expression and asks of each whether it is one of a dozen: half of a GET. */
function writePlain(
  response: ServerResponse & HeadHolder,
  status: number,
  statusLine: string,
  headers: HeaderList,
  body: Uint8Array | null,
): void {
  let text = statusLine
  for (let i = 0; i < headers.length; i += 2) {
    text += lineStart(headers[i] as string)
    text += headers[i + 1] as string
  }
  text += `\r\nDate: ${formatHttpDate(Date.now())}\r\n${keepAliveLines(response._keepAliveTimeout ?? 0)}\r\n`
  if (body !== null && body.length > 0) text += latin1(body)
  response.statusCode = status
  response._header = text
  response.end()
}

const LINE_STARTS_MAX = 256
const lineStarts = new Map<string, string>()

/** The end of the line before, the name, the colon: one piece of text instead of three. */
function lineStart(name: string): string {
  let text = lineStarts.get(name)
  if (text === undefined) {
    text = `\r\n${name}: `
    if (lineStarts.size < LINE_STARTS_MAX) lineStarts.set(name, text)
  }
  return text
}

let keepAliveMs = -1
let keepAliveText = ''

function keepAliveLines(timeoutMs: number): string {
  if (timeoutMs !== keepAliveMs) {
    const timeout = timeoutMs > 0 ? `Keep-Alive: timeout=${Math.floor(timeoutMs / 1000)}\r\n` : ''
    keepAliveText = `Connection: keep-alive\r\n${timeout}`
    keepAliveMs = timeoutMs
  }
  return keepAliveText
}

function latin1(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString('latin1')
}
