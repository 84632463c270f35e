// Chance as a node sees it: operating-system randomness in production, a seeded stream in the simulator.

export interface Random {
  /** `length` fresh random bytes; cryptographically strong in production (lives, storage ids and nonces come from here). */
  bytes(length: number): Uint8Array
  /** A uniform number in [0, 1), for jitter and sampling. */
  next(): number
}
