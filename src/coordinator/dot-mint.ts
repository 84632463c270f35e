// Where dots come from: one life a process, one counter for each (partition, n). Knows nothing of what they name.
// Invariant: no dot is ever handed out twice, because lives are random, begin with the process and end with it.

import type { Dot, Life } from '../core/causality/dot.ts'
import { LIFE_BYTES } from '../core/causality/dot.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import type { Random } from '../ports/random.ts'

export class DotMint {
  readonly life: Life
  readonly #counters = new Map<PartitionId, number>()

  constructor(random: Random) {
    this.life = Buffer.from(random.bytes(LIFE_BYTES)).toString('hex')
  }

  next(partition: PartitionId): Dot {
    const counter = (this.#counters.get(partition) ?? 0) + 1
    this.#counters.set(partition, counter)
    return { life: this.life, counter }
  }
}
