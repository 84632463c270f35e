// What the orchestrator asks of a load process, and what comes back. Plain data over IPC.

export interface LoadPlan {
  readonly operation: 'get' | 'put'
  /** Client ports; the connections are spread over them. */
  readonly ports: readonly number[]
  readonly connections: number
  readonly keys: number
  readonly valueBytes: number
  readonly headers: Readonly<Record<string, string>>
  /** What ends the run: a time, a number of operations on keys at random, or every key once, in order. */
  readonly until: { readonly seconds: number } | { readonly operations: number } | 'each-key-once'
  /** Open loop: requests are due at a constant rate, and latency counts from when each was due. Null: closed loop. */
  readonly ratePerSecond: number | null
  /** Writes carry the context that the last answer on the key gave, as a client does that overwrites what it knows. */
  readonly contexts: boolean
  /** Every receipt must say so. */
  readonly strict: boolean
}

/** Headers that a bare server puts on its answers. */
export type BareAnswers = Readonly<Record<LoadPlan['operation'], Readonly<Record<string, string>>>>

export interface LoadResult {
  readonly operations: number
  /** Not 2xx, a body of another length, or a connection that broke. */
  readonly errors: number
  /** Receipts that did not say strict though they had to. */
  readonly notStrict: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
  /** What the first few errors said. */
  readonly samples: readonly string[]
}
