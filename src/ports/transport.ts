// Connections of bytes between nodes: an HTTP-upgraded socket in production, a simulated wire in the simulator.
// A connection may break at any byte; framing, identity, deadlines and heartbeats are link's business, not this port's.

export interface Connection {
  /** Where the bytes come from, for logs only: addresses are hints, never identities. */
  readonly remote: string
  /** Queues bytes, in order. Returns false when more than the high-water mark is queued; then wait for `onDrain`. Ignored after close. */
  write(bytes: Uint8Array): boolean
  /** Bytes queued locally and not yet handed to the wire. */
  readonly pendingBytes: number
  /** Breaks the connection at once; `onClose` runs (once) on this side too. */
  close(): void
  /** Stops/resumes delivery of `onData` (receive-side back-pressure). */
  pause(): void
  resume(): void
  /** Exactly one handler each, set synchronously by the receiver of the connection. */
  onData: (bytes: Uint8Array) => void
  onDrain: () => void
  /** Runs once, whoever closed and why; no `onData` after it. */
  onClose: (error?: Error) => void
}

export interface Listener {
  /** The address in force, `host:port` (after port 0 was resolved). */
  readonly address: string
  close(): Promise<void>
}

export interface Transport {
  /** Accepts connections on `address` (`host:port`). Rejects when it cannot be bound. */
  listen(address: string, accept: (connection: Connection) => void): Promise<Listener>
  /** Opens a connection; rejects when refused, unreachable or not up within `timeoutMs`. */
  connect(address: string, timeoutMs: number): Promise<Connection>
  /** The addresses (`host:port`) that stand behind `hostPort` now: a DNS name may stand for many. May be empty. */
  resolve(hostPort: string): Promise<readonly string[]>
}
