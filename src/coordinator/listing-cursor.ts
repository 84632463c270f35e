// Where a listing goes on: a place in hash space, as opaque text that belongs to one bucket and prefix. Decides which texts are such
// cursors; knows nothing of pages. Invariant: what `decode` accepts is a place that can be sent to a peer, of this very listing.

import { type Hash64, hash64FromHex, hashOfFields, hexOf } from '../core/hash64.ts'
import { KEY_BYTES_MAX } from '../protocol/fields.ts'

export interface Position {
  readonly hash: Hash64
  readonly key: string
}

const HASH_CHARS = 16
/** Of a hash of bucket and prefix: against mistakes; a forged cursor only makes its maker's own listing shorter. */
const MARK_CHARS = 8
const HEAD_BYTES = MARK_CHARS + HASH_CHARS

export class ListingCursors {
  readonly #mark: string

  constructor(bucket: string, prefix: string) {
    this.#mark = hexOf(hashOfFields(['cursor', bucket, prefix])).slice(0, MARK_CHARS)
  }

  encode({ hash, key }: Position): string {
    return Buffer.from(this.#mark + hexOf(hash) + key).toString('base64url')
  }

  /** Undefined: not one of this listing's. */
  decode(text: string): Position | undefined {
    const bytes = Buffer.from(text, 'base64url')
    if (bytes.length < HEAD_BYTES || bytes.length > HEAD_BYTES + KEY_BYTES_MAX) return undefined
    if (bytes.toString('base64url') !== text || bytes.toString('latin1', 0, MARK_CHARS) !== this.#mark) return undefined
    const hash = hash64FromHex(bytes.toString('latin1', MARK_CHARS, HEAD_BYTES))
    const key = bytes.toString('utf8', HEAD_BYTES)
    if (!hash || Buffer.compare(Buffer.from(key), bytes.subarray(HEAD_BYTES)) !== 0) return undefined
    return { hash, key }
  }
}
