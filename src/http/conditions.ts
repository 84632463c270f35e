// Conditional requests (RFC 9110, section 13): entity tags, dates, and whether a GET is answered by 304 or 412. Knows nothing of
// keys. Invariant: a malformed tag list is an error, a malformed date is no date (section 13.1.3).

import type { IncomingHttpHeaders } from 'node:http'

export interface EntityTag {
  readonly weak: boolean
  readonly tag: string
}

// Blanks can be taken in one way only: otherwise many of them, before what is no tag, would be tried in all ways.
const TAG = /[\t ]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[\t ]*)?(?:,|$)/y

/** `*`, the tags in order, or null when malformed. Empty list members are skipped (section 5.6.1.2). */
export function parseEntityTags(text: string): readonly EntityTag[] | '*' | null {
  if (text.trim() === '*') return '*'
  const tags: EntityTag[] = []
  TAG.lastIndex = 0
  while (TAG.lastIndex < text.length) {
    const match = TAG.exec(text)
    if (match === null) return null
    if (match[2] !== undefined) tags.push({ weak: match[1] !== undefined, tag: match[2] })
  }
  return tags.length > 0 ? tags : null
}

const IMF = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/
const RFC_850 = /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/
const ASCTIME = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/

/** Milliseconds since the epoch, or null. */
function parseHttpDate(text: string): number | null {
  const standard = IMF.test(text) || RFC_850.test(text) ? text : ASCTIME.test(text) ? `${text} GMT` : null
  if (standard === null) return null
  const ms = Date.parse(standard)
  return Number.isNaN(ms) ? null : ms
}

const DATES_MAX = 1024
const dates = new Map<number, string>()

/** Remembers the last seconds that it wrote: formatting a date costs more than the rest of a read's headers. */
export function formatHttpDate(ms: number): string {
  const second = Math.floor(ms / 1000)
  let text = dates.get(second)
  if (text === undefined) {
    text = new Date(second * 1000).toUTCString()
    if (dates.size >= DATES_MAX) dates.clear()
    dates.set(second, text)
  }
  return text
}

/** What a client may already hold. */
export interface Validators {
  readonly etag: string
  readonly lastModifiedMs: number
}

/**
 * `not-modified`: a tag names what the client holds, and it is what is there. `not-modified-since`: it named none; by a date, or since
 * there is anything at all (`*`).
 */
export type Verdict = 'send' | 'not-modified' | 'not-modified-since' | 'precondition-failed' | 'malformed'

/** The order of RFC 9110, section 13.2.2, for a GET or HEAD that would be answered with 200. */
export function judgeConditions(headers: IncomingHttpHeaders, validators: Validators): Verdict {
  const ifMatch = headers['if-match']
  const ifNoneMatch = headers['if-none-match']
  const seconds = Math.floor(validators.lastModifiedMs / 1000)
  if (ifMatch !== undefined) {
    const tags = parseEntityTags(ifMatch)
    if (tags === null) return 'malformed'
    if (tags !== '*' && !tags.some((t) => !t.weak && t.tag === validators.etag)) return 'precondition-failed'
  } else if (headers['if-unmodified-since'] !== undefined) {
    const date = parseHttpDate(headers['if-unmodified-since'])
    if (date !== null && seconds * 1000 > date) return 'precondition-failed'
  }
  if (ifNoneMatch !== undefined) {
    const tags = parseEntityTags(ifNoneMatch)
    if (tags === null) return 'malformed'
    if (tags === '*') return 'not-modified-since'
    return tags.some((t) => t.tag === validators.etag) ? 'not-modified' : 'send'
  }
  if (headers['if-modified-since'] !== undefined) {
    const date = parseHttpDate(headers['if-modified-since'])
    if (date !== null && seconds * 1000 <= date) return 'not-modified-since'
  }
  return 'send'
}
