// Who is at the other end: both sides say hello, then prove that they know the secret, over both hellos and their own role.
// Decides whether the peer is of our cluster; whether it is admitted is cluster's decision. Knows nothing of connections.
// Invariant: nothing that the peer said is believed before its proof was checked, so a replayed or reflected proof is worthless.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { encodeFrame } from '../protocol/codec.ts'
import { PROTOCOL_VERSION } from '../protocol/messages.ts'
import type { Frame, GoodbyeFrame, HelloFrame, ProofFrame } from '../protocol/messages.ts'

export type Role = 'initiator' | 'acceptor'

export type HandshakeStep =
  | { readonly step: 'prove'; readonly proof: ProofFrame }
  | { readonly step: 'greeted'; readonly hello: HelloFrame }
  | { readonly step: 'refuse'; readonly reason: GoodbyeFrame['reason']; readonly detail: string }
  /** The other end is this very process: an address of ours. */
  | { readonly step: 'self' }

/** The lowest version that this one still speaks. */
const VERSION_LEAST = 4

export class Handshake {
  readonly helloBytes: Uint8Array
  readonly #role: Role
  readonly hello: HelloFrame
  readonly #expected: string | null
  readonly #secrets: readonly string[]
  #peer: HelloFrame | null = null
  #transcript: Uint8Array = new Uint8Array(0)

  /** `expected`: the member that this connection was opened for. The first secret proves, any of them is accepted. */
  constructor(role: Role, hello: HelloFrame, expected: string | null, secrets: readonly string[]) {
    this.#role = role
    this.hello = hello
    this.#expected = expected
    this.#secrets = secrets
    this.helloBytes = encodeFrame(hello)
  }

  /** The peer's hello, not yet proven. */
  get claimed(): HelloFrame | null {
    return this.#peer
  }

  receive(frame: Frame, body: Uint8Array): HandshakeStep {
    if (frame.type === 'hello' && this.#peer === null) return this.#receiveHello(frame, body)
    if (frame.type === 'proof' && this.#peer !== null) return this.#receiveProof(frame, this.#peer)
    return { step: 'refuse', reason: 'protocol', detail: `${frame.type} during the handshake` }
  }

  #receiveHello(hello: HelloFrame, body: Uint8Array): HandshakeStep {
    this.#peer = hello
    const mine = this.hello
    if (Buffer.compare(hello.nonce, mine.nonce) === 0) {
      return { step: 'refuse', reason: 'protocol', detail: 'my own nonce came back' }
    }
    if (Math.min(hello.version, PROTOCOL_VERSION) < VERSION_LEAST) {
      return { step: 'refuse', reason: 'protocol', detail: `version ${hello.version} is no longer spoken` }
    }
    if (hello.clusterName !== mine.clusterName) {
      return { step: 'refuse', reason: 'wrong-cluster', detail: 'the cluster names differ' }
    }
    if (hello.clusterId !== null && mine.clusterId !== null && hello.clusterId !== mine.clusterId) {
      return { step: 'refuse', reason: 'wrong-cluster', detail: 'the cluster ids differ' }
    }
    this.#transcript = this.#role === 'initiator' ? join(this.helloBytes, body) : join(body, this.helloBytes)
    const proof = this.#secrets[0] === undefined ? new Uint8Array(0) : this.#prove(this.#secrets[0], this.#role)
    return { step: 'prove', proof: { type: 'proof', proof } }
  }

  #receiveProof(frame: ProofFrame, hello: HelloFrame): HandshakeStep {
    if (!this.#proven(frame.proof)) return { step: 'refuse', reason: 'bad-secret', detail: 'the secrets differ' }
    const mine = this.hello
    if (hello.name === mine.name && hello.storage === mine.storage) {
      return sameProcess(hello, mine) ? { step: 'self' } : twin(hello)
    }
    if (this.#expected !== null && hello.name !== this.#expected) {
      return { step: 'refuse', reason: 'wrong-peer', detail: `asked for ${this.#expected}, found ${hello.name}` }
    }
    if (hello.to !== null && hello.to !== mine.name) {
      return { step: 'refuse', reason: 'wrong-peer', detail: `this is ${mine.name}, not ${hello.to}` }
    }
    return { step: 'greeted', hello }
  }

  #proven(proof: Uint8Array): boolean {
    if (this.#secrets.length === 0) return proof.length === 0
    const role = this.#role === 'initiator' ? 'acceptor' : 'initiator'
    return this.#secrets.some((secret) => {
      const wanted = this.#prove(secret, role)
      return wanted.length === proof.length && timingSafeEqual(wanted, proof)
    })
  }

  #prove(secret: string, role: Role): Uint8Array {
    return createHmac('sha256', secret).update(`quorate ${role}\n`).update(this.#transcript).digest()
  }
}

/**
 * A nonce: 8 bytes that stay the same for one run of a process, the number of the connection in that run, and 12 fresh bytes.
 * The first two let both ends agree on which of several connections is the latest.
 */
export const INCARNATION_BYTES = 8

export function nonceOf(incarnation: Uint8Array, connection: number, fresh: Uint8Array): Uint8Array {
  const nonce = Buffer.concat([incarnation, Buffer.alloc(4), fresh])
  nonce.writeUInt32BE(connection >>> 0, INCARNATION_BYTES)
  return nonce
}

export const FRESH_BYTES = 12

/** The number of the connection within its process's run. */
export function connectionNumberOf(hello: HelloFrame): number {
  return Buffer.from(hello.nonce).readUInt32BE(INCARNATION_BYTES)
}

/** Which run of the peer's process this hello is from. */
export function incarnationOf(hello: HelloFrame): string {
  return Buffer.from(hello.nonce.subarray(0, INCARNATION_BYTES)).toString('hex')
}

function sameProcess(a: HelloFrame, b: HelloFrame): boolean {
  return incarnationOf(a) === incarnationOf(b)
}

function twin(hello: HelloFrame): HandshakeStep {
  return {
    step: 'refuse',
    reason: 'name-taken',
    detail: `another process runs as ${hello.name} on a copy of my storage`,
  }
}

// Each with its length, so that no two pairs of hellos give the same bytes.
function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const lengths = Buffer.alloc(8)
  lengths.writeUInt32LE(first.length, 0)
  lengths.writeUInt32LE(second.length, 4)
  return Buffer.concat([lengths, first, second])
}
