// What no request may say in its head, whatever its route: a Host that names no host, codings that this node cannot undo, a part of a
// value. Decides that before a body is read; knows no routes. Invariant: what is refused here was neither stored nor carried out.

import type { IncomingMessage } from 'node:http'
import { Refusal } from './problems.ts'

// uri-host [ ":" port ] of RFC 9110, section 7.2; empty where the target has no authority. Two Host lines reach us as one, joined by
// ", ": the blank in it is in no host.
const HOST = /^(?:\[[0-9A-Za-z:.%_~-]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::\d*)?$/

/** Nearly always that of the request before. */
let lastHost = ''

function isHost(text: string): boolean {
  if (text === lastHost) return true
  if (!HOST.test(text)) return false
  lastHost = text
  return true
}

const IDENTITY = /^[\s,]*(?:identity[\s,]*)*$/i

export function refusalOfHead({ headers, httpVersionMinor, method, url }: IncomingMessage): Refusal | null {
  const { host } = headers
  if (host === undefined) {
    if (httpVersionMinor === 1) return new Refusal('bad-request', 'HTTP/1.1 requires a Host header')
  } else if (!isHost(host)) return new Refusal('bad-request', 'Host: one host, with or without a port')
  const transferCoding = headers['transfer-encoding']
  // Node has taken the chunks apart, and nothing else. What the sender means by the rest cannot be known, so nothing more is read.
  if (transferCoding !== undefined && transferCoding.trim().toLowerCase() !== 'chunked') {
    const close = { headers: { connection: 'close' } }
    return new Refusal('unsupported-transfer-coding', 'Transfer-Encoding: chunked, or none', close)
  }
  if (url !== undefined && !isDecodable(url))
    return new Refusal('bad-url', 'the query is not valid percent-encoded UTF-8')
  if (method !== 'PUT' && method !== 'POST') return null
  const coding = headers['content-encoding']
  // A value is given back without it: what was stored would be another value.
  if (coding !== undefined && !IDENTITY.test(coding)) {
    const wanted = { headers: { 'accept-encoding': 'identity' } }
    return new Refusal('unsupported-encoding', 'Content-Encoding: send the bytes as they are', wanted)
  }
  if (method === 'PUT' && headers['content-range'] !== undefined)
    return new Refusal('bad-header', 'Content-Range: a value is replaced as a whole')
  return null
}

/** The query parser leaves what it cannot decode as it is; a prefix must not silently mean something else. */
function isDecodable(url: string): boolean {
  const query = url.indexOf('?')
  if (query < 0 || !url.includes('%', query)) return true
  try {
    decodeURIComponent(url.slice(query + 1))
    return true
  } catch {
    return false
  }
}

/** Whether the front may take it: none of what is refused above, at the price of reading a few properties. */
export function isPlainHead({ headers }: IncomingMessage, isPut: boolean): boolean {
  const { host } = headers
  if (host === undefined || !isHost(host) || headers['transfer-encoding'] !== undefined) return false
  return !isPut || (headers['content-encoding'] === undefined && headers['content-range'] === undefined)
}
