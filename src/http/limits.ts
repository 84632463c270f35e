// Every bound that the client port holds its clients to, with its default. Numbers only.

export interface HttpLimits {
  /** Longest body, bytes: values, and JSON alike. */
  readonly valueBytesMax: number
  /** Quorate-Meta-* names (without the prefix) and values of one request, bytes. */
  readonly metaBytesMax: number
  /** Request line and headers, bytes: a key (three characters a byte), a context, the metadata, and room for the rest. */
  readonly headerBytesMax: number
  /** From a request's first byte to its last. */
  readonly requestTimeoutMs: number
  /** From a request's first byte to the end of its headers. */
  readonly headersTimeoutMs: number
  /** How long an idle connection stays open. */
  readonly keepAliveMs: number
  readonly connectionsMax: number
}

export const HTTP_LIMITS: HttpLimits = {
  valueBytesMax: 1024 * 1024,
  metaBytesMax: 8 * 1024,
  headerBytesMax: 32 * 1024,
  requestTimeoutMs: 30_000,
  headersTimeoutMs: 10_000,
  keepAliveMs: 65_000,
  connectionsMax: 10_000,
}

/** Those of the messages between nodes: what a client may name must never be more than a peer understands. */
export { BUCKET_BYTES_MAX, KEY_BYTES_MAX } from '../protocol/fields.ts'

/** Without Quorate-Timeout. */
export const OPERATION_TIMEOUT_MS = 5000
export const OPERATION_TIMEOUT_MS_MAX = 60_000

/** Seconds, a hundred years: what is later has no four-digit year any more. */
export const TTL_SECONDS_MAX = 3_155_760_000

export const IDEMPOTENCY_KEY_MAX = 64
export const EXPLAIN_BYTES_MAX = 4096

/** Values in one sibling listing, bytes. */
export const SIBLING_LISTING_BYTES_MAX: number = 1024 * 1024
