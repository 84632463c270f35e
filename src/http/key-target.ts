// Which bucket and key a path names. Decides what can be a name and how it is spelled in a path; knows nothing of values.
// Invariant: `keyPath` of what `keyTarget` accepts leads back to the same bucket and key.

import { BUCKET_BYTES_MAX, KEY_BYTES_MAX } from './limits.ts'
import { Refusal } from './problems.ts'

/** As fastify writes it; also the label of its metrics. */
export const KEY_ROUTE = '/v1/kv/:bucket/:key'

export interface KeyParams {
  readonly bucket: string
  readonly key: string
}

/** Names as the router decoded them. */
export function checkBucket(bucket: string): string {
  return checkName('bucket', bucket, BUCKET_BYTES_MAX)
}

export function checkKey(key: string): string {
  return checkName('key', key, KEY_BYTES_MAX)
}

/** The beginning of keys, of a listing: as long as a key at most, and anything else. */
export function checkPrefix(prefix: string): string {
  return checkLength('prefix', prefix, KEY_BYTES_MAX)
}

function checkName(what: string, name: string, bytesMax: number): string {
  if (name === '') throw new Refusal('bad-key', `the ${what} is empty`)
  if (name === '.' || name === '..')
    throw new Refusal('bad-key', `"." and ".." cannot be a ${what}: URL libraries remove them`)
  return checkLength(what, name, bytesMax)
}

function checkLength(what: string, name: string, bytesMax: number): string {
  // A character is three bytes of UTF-8 at most (a surrogate pair: four), so most names need no counting.
  if (name.length * 3 > bytesMax && Buffer.byteLength(name) > bytesMax) {
    throw new Refusal('key-too-long', `a ${what} has at most ${bytesMax} bytes of UTF-8`)
  }
  return name
}

/** Whether both could be named by a request that is carried out. */
export function areNames({ bucket, key }: KeyParams): boolean {
  try {
    checkBucket(bucket)
    checkKey(key)
    return true
  } catch {
    return false
  }
}

/** Whether a request target is a key's, be it one that cannot be. */
export function isKeyTarget(url: string): boolean {
  return keyParts(url) !== null
}

function keyParts(url: string): readonly [string, string] | null {
  const query = url.indexOf('?')
  const [before, v1, kv, bucket, key, ...more] = (query < 0 ? url : url.slice(0, query)).split('/')
  if (before !== '' || v1 !== 'v1' || kv !== 'kv' || bucket === undefined || key === undefined || more.length > 0)
    return null
  return [bucket, key]
}

/** The bucket and key of a request target that no route took: another method's; null where it names none. */
export function namesOfTarget(url: string): KeyParams | null {
  const parts = keyParts(url)
  if (parts === null) return null
  const [bucket, key] = parts
  try {
    return { bucket: decodeURIComponent(bucket), key: decodeURIComponent(key) }
  } catch {
    return null
  }
}

export function keyPath(bucket: string, key: string): string {
  return `/v1/kv/${encodeURIComponent(bucket)}/${encodeURIComponent(key)}`
}

/**
 * The request target as the router shall see it: without scheme and authority (absolute form, RFC 9112 section 3.2.2), and with a
 * stray "#" as part of the path: the router would cut the key there. (Bytes outside ASCII do not pass Node's parser.)
 */
export function normalTarget(url: string): string {
  const target = url.charCodeAt(0) === 0x2f ? url : url.replace(/^https?:\/\/[^/?#]*/i, '') || '/'
  return target.includes('#') ? target.replaceAll('#', '%23') : target
}
