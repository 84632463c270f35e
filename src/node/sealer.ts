// Seals contexts: a keyed hash over (cluster, bucket, key, payload), so that an altered or foreign one is refused. With a secret it
// also resists forgery; without one it detects accidents. Knows nothing of what it seals.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { SEAL_CHARS, type Sealer } from '../core/causality/context-token.ts'
import { hash64, seedOf } from '../core/hash64.ts'

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

/** XXH64, keyed with the cluster's id. */
class AccidentSealer implements Sealer {
  readonly #clusterId: () => string
  #cluster: string | null = null
  #seed = 0n

  constructor(clusterId: () => string) {
    this.#clusterId = clusterId
  }

  seal(bucket: string, key: string, payload: string): string {
    const cluster = this.#clusterId()
    if (this.#cluster !== cluster) {
      this.#cluster = cluster
      this.#seed = seedOf(cluster)
    }
    // Each length stands before its part: no part can be mistaken for another, whatever they hold.
    const { hi, lo } = hash64(`${bucket.length}:${bucket}${key.length}:${key}${payload}`, this.#seed)
    return sealText(hi, lo)
  }

  verify(bucket: string, key: string, payload: string, given: string): boolean {
    return this.seal(bucket, key, payload) === given
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
