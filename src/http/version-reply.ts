// How versions are shown: one as its bytes with headers, several as a JSON list of siblings. Decides headers and body; knows
// nothing of how they were found. Invariant: a value leaves byte for byte as it came.

import { isUtf8 } from 'node:buffer'
import { formatDot } from '../core/causality/dot.ts'
import { msFromHybrid } from '../core/causality/hybrid-clock.ts'
import type { Content, Version } from '../core/causality/version.ts'
import type { HeaderList } from './answer.ts'
import type { KeyExchange } from './key-exchange.ts'
import { keyPath } from './key-target.ts'
import { SIBLING_LISTING_BYTES_MAX } from './limits.ts'
import { isFieldValue } from './request-headers.ts'

/** A version that a client can be shown. */
export interface LiveVersion extends Version {
  readonly content: Content
}

export function onlyLive(versions: readonly Version[]): readonly LiveVersion[] {
  return versions.every(isShown) ? versions : versions.filter(isShown)
}

function isShown(version: Version): version is LiveVersion {
  return version.content !== null
}

/** Of the greatest stamp, but never after now (RFC 9110, section 8.8.2.1). */
export function lastModifiedMs(versions: readonly Version[], nowMs: number): number {
  let stamp = 0
  for (const version of versions) if (version.stamp > stamp) stamp = version.stamp
  return Math.min(msFromHybrid(stamp), nowMs)
}

/** Sends one version as the body, with these headers besides its own; throws where what is stored cannot be told in a header. */
export function sendVersion(exchange: KeyExchange, version: LiveVersion, headers: HeaderList): void {
  const { content, deadlineMs, dot } = version
  headers.push('quorate-version', formatDot(dot))
  if (deadlineMs !== null) headers.push('quorate-expires', new Date(deadlineMs).toISOString())
  for (const [name, value] of content.meta) {
    if (!isToken(name) || !isFieldValue(value)) throw new TypeError('stored metadata cannot be told in a header')
    headers.push(`quorate-meta-${name}`, value)
  }
  if (!isFieldValue(content.contentType)) throw new TypeError('a stored content type cannot be told in a header')
  headers.push('content-type', content.contentType)
  exchange.send(200, headers, content.bytes)
}

/** Part of a header's name (RFC 9110, section 5.6.2). */
function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text)
}

interface SiblingJson {
  readonly version: string
  readonly href: string
  readonly contentType: string
  readonly lastModified: string
  readonly expires?: string
  readonly meta: Readonly<Record<string, string>>
  readonly text?: string
  readonly base64?: string
}

/** `{"context", "siblings"}`; a value that would take the values beyond 1 MiB in all is left out: its `href` leads to it. */
export function siblingListing(
  bucket: string,
  key: string,
  context: string | null,
  versions: readonly LiveVersion[],
): Buffer {
  let room = SIBLING_LISTING_BYTES_MAX
  const path = keyPath(bucket, key)
  const siblings = versions.map((version): SiblingJson => {
    const { content, deadlineMs } = version
    const id = formatDot(version.dot)
    const fits = content.bytes.length <= room
    if (fits) room -= content.bytes.length
    return {
      version: id,
      href: `${path}?sibling=${id}`,
      contentType: content.contentType,
      lastModified: new Date(msFromHybrid(version.stamp)).toISOString(),
      ...(deadlineMs !== null && { expires: new Date(deadlineMs).toISOString() }),
      meta: Object.fromEntries(content.meta),
      ...(fits && textOrBase64(content.bytes)),
    }
  })
  return Buffer.from(`${JSON.stringify({ context, siblings })}\n`)
}

/** `text` where the bytes are valid UTF-8, else `base64`. */
function textOrBase64(bytes: Uint8Array): { readonly text: string } | { readonly base64: string } {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return isUtf8(buffer) ? { text: buffer.toString('utf8') } : { base64: buffer.toString('base64') }
}
