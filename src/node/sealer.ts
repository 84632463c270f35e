// Seals contexts: a keyed hash over (cluster, bucket, key, payload), so that an altered or foreign one is refused. With a secret it
// also resists forgery; without one it detects accidents. Knows nothing of what it seals.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { SEAL_CHARS, type Sealer } from '../core/causality/context-token.ts'

/** `secrets`: the first seals, all open. */
export function createSealer(clusterId: () => string, secrets: readonly string[]): Sealer {
  const [first] = secrets
  if (first === undefined) return new AccidentSealer(clusterId)
  const seal = (secret: string, bucket: string, key: string, payload: string): string =>
    createHmac('sha256', `quorate-context:${secret}`)
      // Each length stands before its part: no part can be mistaken for another, whatever they hold.
      .update(`${clusterId()}\n${bucket.length}:${bucket}\n${key.length}:${key}\n${payload}`)
      .digest('base64url')
      .slice(0, SEAL_CHARS)
  return {
    seal: (bucket, key, payload) => seal(first, bucket, key, payload),
    verify: (bucket, key, payload, given) =>
      given.length === SEAL_CHARS &&
      secrets.some((secret) =>
        timingSafeEqual(Buffer.from(seal(secret, bucket, key, payload)), Buffer.from(given, 'latin1')),
      ),
  }
}

const LEFT = 0x9e3779b1
const RIGHT = 0x5f356495

/**
 * Two lanes of 32 bits, multiplied and xored character by character: an eighth of XXH64's cost here, and with every request there is
 * a context to seal or to open. Each step and the end are one to one in the state, so a payload in which one character was altered
 * never has the same seal; with more of them altered the chance is that of 64 bits.
 */
class AccidentSealer implements Sealer {
  readonly #clusterId: () => string
  #seeded: string | null = null
  #leftSeed = 0
  #rightSeed = 0
  #left = 0
  #right = 0

  constructor(clusterId: () => string) {
    this.#clusterId = clusterId
  }

  seal(bucket: string, key: string, payload: string): string {
    const cluster = this.#clusterId()
    if (this.#seeded !== cluster) this.#seed(cluster)
    this.#left = this.#leftSeed
    this.#right = this.#rightSeed
    this.#mix(bucket)
    this.#mix(key)
    this.#mix(payload)
    let left = this.#left
    let right = this.#right
    left = Math.imul(left ^ (left >>> 16), 0x85ebca6b) ^ Math.imul(right ^ (right >>> 13), 0xc2b2ae35)
    right = Math.imul(right ^ (right >>> 16), 0x85ebca6b) ^ Math.imul(left ^ (left >>> 13), 0xc2b2ae35)
    return sealText(left, right)
  }

  verify(bucket: string, key: string, payload: string, given: string): boolean {
    return this.seal(bucket, key, payload) === given
  }

  #seed(cluster: string): void {
    this.#left = LEFT
    this.#right = RIGHT
    this.#mix(cluster)
    this.#leftSeed = this.#left
    this.#rightSeed = this.#right
    this.#seeded = cluster
  }

  /** The length goes first: no part can be mistaken for another, whatever they hold. */
  #mix(text: string): void {
    const { length } = text
    let left = Math.imul(this.#left ^ length, LEFT)
    let right = Math.imul(this.#right ^ length, RIGHT)
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      left = Math.imul(left ^ code, LEFT)
      right = Math.imul(right ^ code, RIGHT)
    }
    this.#left = left
    this.#right = right
  }
}

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', 'latin1')

/** The code of the character for the lowest six bits. */
function sextet(bits: number): number {
  return ALPHABET[bits & 0x3f] as number
}

/** Six characters for each half. */
function sealText(left: number, right: number): string {
  return String.fromCharCode(
    sextet(left >>> 30),
    sextet(left >>> 24),
    sextet(left >>> 18),
    sextet(left >>> 12),
    sextet(left >>> 6),
    sextet(left),
    sextet(right >>> 30),
    sextet(right >>> 24),
    sextet(right >>> 18),
    sextet(right >>> 12),
    sextet(right >>> 6),
    sextet(right),
  )
}
