// Partition clocks as they were where a part of the log turned out to be missing. A record that was written before may have been written
// again in that part; the clock of later parts names what came with it, and the record would seem to have seen, and superseded, that.
// Knows nothing of files. Invariant: what it tells of a record's past is never more than the record's own history, rather less.

import { DotSet } from '../core/causality/dot-set.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import type { Lsn } from './entries.ts'

interface Loss {
  /** That is missing. */
  readonly last: Lsn
  readonly clocks: ReadonlyMap<PartitionId, DotSet>
}

/** Beyond so many, a record from before the last of them is believed nothing but its own bytes. */
const LOSSES_MAX = 16

const NOTHING: DotSet = DotSet.empty()

export class ClocksAtLoss {
  #losses: Loss[] = []

  /** The last of the changes that are missing. `clocks`: of all partitions, by then; where it has none, none is believed. */
  note(last: Lsn, clocks: () => ReadonlyMap<PartitionId, DotSet>): void {
    const isOneTooMany = this.#losses.length === LOSSES_MAX
    if (isOneTooMany) this.#losses.pop()
    this.#losses.push({ last, clocks: isOneTooMany ? new Map() : clocks() })
  }

  /**
   * The clock by which a record's past is told that was last written with this change, or is as it was by then; `now` where nothing is
   * missing after it.
   */
  clockFor(partition: PartitionId, lsn: Lsn, now: DotSet): DotSet {
    const loss = this.#losses.find(({ last }) => lsn < last)
    return loss ? (loss.clocks.get(partition) ?? NOTHING) : now
  }

  clear(): void {
    this.#losses = []
  }
}
