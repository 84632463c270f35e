// All that one seed's run shares: the cluster, what the clients know, the checkers' findings, the tallies for the report. Holds; decides
// nothing.

import type { SimulatedCluster } from './simulated-cluster.ts'
import type { History } from './history.ts'
import type { SeedPlan } from './seed-plan.ts'
import type { Violations } from './violation.ts'

/** By their numbers, faults and clients' operations (`nameOfOperation`). */
export interface Doings {
  readonly faults: ReadonlySet<number>
  readonly operations: ReadonlySet<string>
}

export function nameOfOperation(client: string, number: number): string {
  return `${client}:${number}`
}

/** What a fault makes of the clients' ordinary work, for a while. */
export interface Load {
  /** Of a client's pause between operations, the share that is left. */
  readonly pace?: number
  /** Most operations are on this key. */
  readonly hot?: { readonly bucket: string; readonly key: string }
  /** Most of these are writes without a context. */
  readonly isBlind?: boolean
  /** Some values are so large. */
  readonly valueBytes?: number
}

export interface World {
  readonly plan: SeedPlan
  readonly cluster: SimulatedCluster
  readonly history: History
  readonly violations: Violations
  readonly trace: (event: string) => void
  /** By `<kind> <outcome>`. */
  readonly operations: Map<string, number>
  readonly faults: Map<string, number>
  /** What is not done in this run; all else has the same chances as in the whole one. */
  readonly leftOut: Doings
  readonly begun: { readonly faults: Set<number>; readonly operations: Set<string> }
  /** Null: the ordinary one. */
  load: Load | null
  /** A disk from the past came back: only what holds then is judged from here on. */
  disksTrusted: boolean
  /** Some wall clock was beyond the bound: expiry is not judged by time. */
  clocksTrusted: boolean
}

export function tally(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
