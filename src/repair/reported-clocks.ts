// What the other homes have said of their partition clocks. Decides what is stable: the dots that every home of a partition has, each
// by its current storage and none of them filling. Collection and stripping stand on this proof and on nothing else.
// Invariant: a report is a synced clock, bound to the storage that gave it; a replaced storage's word is forgotten.

import type { DotSet } from '../core/causality/dot-set.ts'
import type { Directory } from '../core/membership/directory.ts'
import type { PartitionId } from '../core/ring/partition.ts'

interface Report {
  readonly storage: string
  readonly clock: DotSet
}

export class ReportedClocks {
  readonly #reports = new Map<PartitionId, Map<string, Report>>()

  /** `clock` is kept, not copied. */
  report(partition: PartitionId, member: string, storage: string, clock: DotSet): void {
    let ofPartition = this.#reports.get(partition)
    if (!ofPartition) this.#reports.set(partition, (ofPartition = new Map<string, Report>()))
    ofPartition.set(member, { storage, clock })
  }

  retract(partition: PartitionId, member: string): void {
    this.#reports.get(partition)?.delete(member)
  }

  /** Null: some home has not reported yet. `own` is this node's synced clock. */
  stable(partition: PartitionId, directory: Directory, own: DotSet): DotSet | null {
    let stable = own
    for (const home of directory.ring.homes(partition)) {
      if (home === directory.self) continue
      const report = this.#reports.get(partition)?.get(home)
      if (!report || report.storage !== directory.storageOf(home)) return null
      stable = stable.intersect(report.clock)
    }
    return stable
  }
}
