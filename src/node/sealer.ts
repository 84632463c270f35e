// Seals contexts: a keyed hash over (scope, payload), so that an altered or foreign one is refused. With a secret it also resists forgery;
// without one the key is the cluster's id, which detects accidents. Knows nothing of what it seals.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { SEAL_BYTES, type Sealer } from '../core/causality/context-token.ts'
import { hash64, seedOf } from '../core/hash64.ts'

/** `secrets`: the first seals, all open. */
export function createSealer(clusterId: () => string, secrets: readonly string[]): Sealer {
  if (secrets.length === 0) {
    let seed: { readonly of: string; readonly hash: bigint } = { of: '', hash: seedOf('') }
    const seal = (scope: string, payload: Uint8Array): Buffer => {
      const id = clusterId()
      if (seed.of !== id) seed = { of: id, hash: seedOf(id) }
      return accidentSeal(seed.hash, scope, payload)
    }
    return { seal, verify: (scope, payload, given) => seal(scope, payload).equals(given) }
  }
  const seal = (secret: string, scope: string, payload: Uint8Array): Buffer =>
    createHmac('sha256', `quorate-context:${secret}`)
      .update(`${clusterId()}\n${Buffer.byteLength(scope)}\n${scope}`)
      .update(payload)
      .digest()
      .subarray(0, SEAL_BYTES)
  return {
    seal: (scope, payload) => seal(secrets[0] as string, scope, payload),
    verify: (scope, payload, given) =>
      given.length === SEAL_BYTES && secrets.some((secret) => timingSafeEqual(seal(secret, scope, payload), given)),
  }
}

function accidentSeal(seed: bigint, scope: string, payload: Uint8Array): Buffer {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('latin1')
  const { hi, lo } = hash64(text, seedOf(scope, seed))
  const seal = Buffer.allocUnsafe(SEAL_BYTES)
  seal.writeUInt32BE(hi, 0)
  seal.writeUInt32BE(lo, 4)
  return seal
}
