// Where dots come from: random lives that end with the process at the latest, one counter for each (partition, n). Knows nothing of
// what they name. Invariant: no dot is handed out twice, whatever became of its write.

import type { Dot, Life } from '../core/causality/dot.ts'
import { LIFE_BYTES } from '../core/causality/dot.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import type { Random } from '../ports/random.ts'

interface Series {
  readonly life: Life
  counter: number
  /** The last one that was burnt. */
  burnt: number
  gaps: number
}

/**
 * Whoever has seen one dot of a life in a partition carries all the gaps before it, for good: after so many a new life begins there,
 * and what is written under it carries none of them. Few, since a life costs a clock no more than two or three gaps do.
 */
const GAPS_MAX = 8

export class DotMint {
  readonly #random: Random
  readonly #life: Life
  readonly #series = new Map<PartitionId, Series>()

  constructor(random: Random) {
    this.#random = random
    this.#life = newLife(random)
  }

  next(partition: PartitionId): Dot {
    let series = this.#series.get(partition)
    if (series === undefined) this.#series.set(partition, (series = begun(this.#life)))
    series.counter++
    return { life: series.life, counter: series.counter }
  }

  /** Nobody took the write that it names. It stays a gap: its frame may yet arrive a second time, and be taken then. */
  burn(partition: PartitionId, dot: Dot): void {
    const series = this.#series.get(partition)
    if (series?.life !== dot.life) return
    if (dot.counter !== series.burnt + 1) series.gaps++
    series.burnt = dot.counter
    if (series.gaps >= GAPS_MAX) this.#series.set(partition, begun(newLife(this.#random)))
  }
}

function begun(life: Life): Series {
  return { life, counter: 0, burnt: 0, gaps: 0 }
}

function newLife(random: Random): Life {
  return Buffer.from(random.bytes(LIFE_BYTES)).toString('hex')
}
