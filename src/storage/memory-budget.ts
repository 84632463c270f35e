// How much of the process's resident memory data may take, and whether that is used up. The rest (the heap, buffers, code, hints) is
// sampled from outside and smoothed. Knows nothing of records. Invariant: full and not full are a part of the budget apart, and what was
// freed counts only once the system has it back.

/** It ends when this part of the budget is free again. */
const HYSTERESIS = 0.05
/** Samples are this far apart, at least. Milliseconds. */
const SAMPLE_MS = 1000
/**
 * What is not data goes up and down with the garbage of requests. It is taken to be near its peaks: it rises by half of the difference at
 * each sample, so that one collection that comes late counts little, and falls with this time constant. A mean would let data in between
 * two peaks that must leave again.
 */
const RISE = 0.5
const FALL_MS = 30_000
/** Data may have the smaller of these in any case, or a budget that is too small for the process itself would serve nobody. */
const FLOOR = { bytes: 16 << 20, share: 1 / 8 }

export interface MemoryFigures {
  readonly bytesMax: number
  /** Of the process; 0: nobody tells. */
  readonly residentBytes: number
  /** Of that, what data has taken from the system: live, dead, and not used yet. */
  readonly dataBytes: number
  /** What is not data, as it is counted: near its peaks of the last half minute. */
  readonly overheadBytes: number
}

export interface MemoryBudgetOptions {
  readonly bytesMax: number
  /** Taken from the system by data. */
  readonly dataBytes: () => number
  /** Of the process; null: nobody tells, and the budget is for data alone. */
  readonly residentBytes: (() => number) | null
}

export class MemoryBudget {
  readonly #options: MemoryBudgetOptions
  readonly #floor: number
  #sampledAt = -Infinity
  #resident = 0
  #overhead = 0
  #isFull = false

  constructor(options: MemoryBudgetOptions) {
    const { bytesMax } = options
    this.#options = options
    this.#floor = Math.min(bytesMax, Math.max(FLOOR.bytes, bytesMax * FLOOR.share))
  }

  /** The process alone leaves no more than the floor. */
  get isTooSmall(): boolean {
    return this.#overhead + this.#floor > this.#options.bytesMax
  }

  /** What data may have in any case. */
  get floorBytes(): number {
    return this.#floor
  }

  isFullAt(now: number): boolean {
    const { bytesMax, dataBytes, residentBytes } = this.#options
    if (residentBytes !== null && now - this.#sampledAt >= SAMPLE_MS) this.#sample(now, residentBytes())
    const data = dataBytes()
    const used = data + this.#overhead
    const least = 1 - HYSTERESIS
    if (used >= bytesMax && data >= this.#floor) this.#isFull = true
    // What data gave back may still be resident: the collector, or the allocator, has it.
    else if (Math.max(used, this.#resident) <= bytesMax * least || data <= this.#floor * least) this.#isFull = false
    return this.#isFull
  }

  #sample(now: number, resident: number): void {
    const overhead = Math.max(0, resident - this.#options.dataBytes())
    const isFirst = this.#sampledAt === -Infinity
    const share = isFirst ? 1 : overhead > this.#overhead ? RISE : 1 - Math.exp((this.#sampledAt - now) / FALL_MS)
    this.#overhead += (overhead - this.#overhead) * share
    this.#resident = resident
    this.#sampledAt = now
  }

  get figures(): MemoryFigures {
    const { bytesMax, dataBytes } = this.#options
    return {
      bytesMax,
      residentBytes: this.#resident,
      dataBytes: dataBytes(),
      overheadBytes: Math.round(this.#overhead),
    }
  }
}
