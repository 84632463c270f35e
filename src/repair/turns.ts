// Long work in short turns, so that no client's request waits behind a round of healing. Decides how much is done in one go.
// Counts work instead of asking what time it is: the simulator must do the same work in the same order again.

import type { PartitionId } from '../core/ring/partition.ts'
import { type Clock, sleep } from '../ports/clock.ts'
import type { PartitionIndexes } from '../replica/partition-index.ts'

/** Rough costs in units of some five microseconds. */
export const WORK = { record: 1, passedOver: 0.05, tended: 3, merged: 6, partition: 6 }

const TURN = 256

/** Makes a partition's tree before it is asked for; state may have changed behind it. */
export async function treeMade(indexes: PartitionIndexes, partition: PartitionId, turns: Turns): Promise<void> {
  while (!indexes.prepare(partition, TREE_STEP)) if (turns.isOver(WORK.record * TREE_STEP)) await turns.next()
}

const TREE_STEP = 32

export class Turns {
  readonly #clock: Clock
  #left = TURN

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** To be asked before each piece of work; when true, `next` is due. A call costs nothing, where a promise for each record would. */
  isOver(work: number): boolean {
    this.#left -= work
    return this.#left <= 0
  }

  /** Gives everybody else a turn. State may have changed behind it. */
  async next(signal?: AbortSignal): Promise<void> {
    this.#left = TURN
    await sleep(this.#clock, 0, signal)
  }
}
