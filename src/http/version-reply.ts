// How versions are shown: one as its bytes with headers, several as a JSON list of siblings. Decides headers and body; knows
// nothing of how they were found. Invariant: a value leaves byte for byte as it came.

import { isUtf8 } from 'node:buffer'
import type { FastifyReply } from 'fastify'
import { formatDot } from '../core/causality/dot.ts'
import { msFromHybrid } from '../core/causality/hybrid-clock.ts'
import type { Content, Version } from '../core/causality/version.ts'
import { keyPath } from './key-target.ts'
import { SIBLING_LISTING_BYTES_MAX } from './limits.ts'

/** A version that a client can be shown. */
export interface LiveVersion extends Version {
  readonly content: Content
}

export function onlyLive(versions: readonly Version[]): readonly LiveVersion[] {
  return versions.filter((version): version is LiveVersion => version.content !== null)
}

/** Of the greatest stamp, but never after now (RFC 9110, section 8.8.2.1). */
export function lastModifiedMs(versions: readonly Version[], nowMs: number): number {
  let stamp = 0
  for (const version of versions) if (version.stamp > stamp) stamp = version.stamp
  return Math.min(msFromHybrid(stamp), nowMs)
}

/** Latin-1 text is these bytes one by one; Node joins text to the head, and both leave in one write instead of a gathered one. */
const ONE_WRITE_BYTES_MAX = 4096

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Headers of an answer, names in lower case. */
export type AnswerHeaders = Record<string, string | number>

/**
 * Sends one version as the body, with these headers besides its own. Past fastify's own sending, which replaces a Content-Type that
 * it does not understand; this is also the cheaper way. An error while the head is written still becomes a problem.
 */
export function sendVersion(reply: FastifyReply, version: LiveVersion, headers: AnswerHeaders): FastifyReply {
  const { content, deadlineMs, dot } = version
  headers['quorate-version'] = formatDot(dot)
  if (deadlineMs !== null) headers['quorate-expires'] = new Date(deadlineMs).toISOString()
  for (const [name, value] of content.meta) headers[`quorate-meta-${name}`] = value
  headers['content-type'] = content.contentType
  headers['content-length'] = content.bytes.length
  reply.raw.writeHead(200, headers)
  reply.hijack()
  const { bytes } = content
  if (bytes.length > ONE_WRITE_BYTES_MAX) reply.raw.end(bytes)
  else reply.raw.end(asBuffer(bytes).toString('latin1'), 'latin1')
  return reply
}

export interface SiblingJson {
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
export function textOrBase64(bytes: Uint8Array): { readonly text: string } | { readonly base64: string } {
  const buffer = asBuffer(bytes)
  return isUtf8(buffer) ? { text: buffer.toString('utf8') } : { base64: buffer.toString('base64') }
}
