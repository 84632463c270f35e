// The closed list of coded errors: operating failures that cross rooms. Expected outcomes are returned unions, not these;
// broken invariants are assertions. `http` maps each code to a status in one place.

export type ErrorCode =
  | 'closed' // the node, link or log is shutting down
  | 'unreachable' // no usable link to the peer
  | 'timeout' // the deadline passed; the peer may or may not have acted
  | 'refused' // the peer refused explicitly
  | 'overloaded' // a bounded queue is full
  | 'protocol' // the peer sent something that this version does not understand or allow
  | 'storage-failed' // an I/O error: the node must stop serving
  | 'storage-damaged' // bytes on disk fail their checksum
  | 'storage-full' // no space, or the configured budget is used up
  | 'config' // settings that cannot be used
  | 'cluster' // this node may not be (or is not yet) part of the cluster

export class QuorateError extends Error {
  readonly code: ErrorCode
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'QuorateError'
    this.code = code
  }
}

/** Stops the process (through the caller) when an invariant is broken: a bug, never an input. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`)
}
