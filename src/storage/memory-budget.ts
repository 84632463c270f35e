// How much of the process's resident memory data may take, and whether that is used up. The rest (the heap, code, hints, what requests
// need) is sampled from outside and smoothed. Knows nothing of records. Invariant: full and not full are a part of the budget apart, and
// what was freed counts only when the collector has freed it.

/** It ends when this part of the budget is free again. */
const HYSTERESIS = 0.05
/** For what the rest may need more in the next seconds than it did in the last. That does not depend on the budget, but a small one has little. */
const SLACK = { bytes: 20 << 20, shareLeast: 0.05, shareMost: 1 / 8 }
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

/** So far apart, at least, the process is asked to collect; ever further where that does not help. Milliseconds. */
const COLLECT_MS = { least: 5000, most: 600_000 }

/** Of the process. */
export interface ProcessMemory {
  readonly resident: number
  /** Of that, in buffers outside the heap, data's among them, until they are collected. */
  readonly buffers: number
  /** Of that, the heap. */
  readonly heap: number
}

export interface MemoryFigures {
  readonly bytesMax: number
  /** Of the process; 0: nobody tells. */
  readonly residentBytes: number
  /** Taken by data: live, dead, and not used yet. */
  readonly dataBytes: number
  /** What is not data, as it is counted: near its peaks of the last half minute. */
  readonly overheadBytes: number
  /** Given back by data, and still resident: it is there for data to come. */
  readonly keptBytes: number
}

export interface MemoryBudgetOptions {
  readonly bytesMax: number
  /** Taken from the system by data. */
  readonly dataBytes: () => number
  /** Null: nobody tells, and the budget is for data alone. */
  readonly processMemory: (() => ProcessMemory) | null
  /** Collects garbage, and gives back what can be given back; it may take a while. */
  readonly collect: (() => void) | null
}

export class MemoryBudget {
  readonly #options: MemoryBudgetOptions
  readonly #limit: number
  readonly #room: number
  readonly #floor: number
  /** With more resident the process has no time to wait for the engine. */
  readonly #near: number
  #sampledAt = -Infinity
  #sample: ProcessMemory = { resident: 0, buffers: 0, heap: 0 }
  /** Of data, at the sample. */
  #dataThen = 0
  #overhead = 0
  /** Neither heap nor buffers nor kept. */
  #native = 0
  #kept = 0
  #isFull = false
  /** The most that data had since it is full, and when the process was asked to collect. */
  #dataMost = 0
  #collectedAt = -Infinity
  #collectMs = COLLECT_MS.least
  /** Since then the process was within the budget. */
  #wasWithin = true
  #isCollected = false

  constructor(options: MemoryBudgetOptions) {
    const { bytesMax, processMemory } = options
    this.#options = options
    const slack = Math.min(bytesMax * SLACK.shareMost, Math.max(bytesMax * SLACK.shareLeast, SLACK.bytes))
    this.#limit = processMemory === null ? bytesMax : bytesMax - slack
    this.#near = bytesMax - slack / 2
    this.#room = this.#limit - bytesMax * HYSTERESIS
    this.#floor = Math.min(bytesMax, Math.max(FLOOR.bytes, bytesMax * FLOOR.share))
  }

  /** The process alone leaves no more than the floor. */
  get isTooSmall(): boolean {
    return this.#overhead + this.#floor > this.#options.bytesMax
  }

  /** It changes by itself, so somebody must look once a second. */
  get isSampled(): boolean {
    return this.#options.processMemory !== null
  }

  /** What data may have in any case. */
  get floorBytes(): number {
    return this.#floor
  }

  isFullAt(now: number): boolean {
    const { dataBytes, processMemory } = this.#options
    const data = dataBytes()
    if (processMemory !== null && now - this.#sampledAt >= SAMPLE_MS) this.#take(now, processMemory(), data)
    const used =
      processMemory === null ? data : this.#sample.buffers + Math.max(0, data - this.#dataThen) + this.#overhead
    if (used >= this.#limit && data >= this.#floor) this.#isFull = true
    else if (used <= this.#room || data <= this.#floor * (1 - HYSTERESIS)) this.#isFull = false
    this.#dataMost = this.#isFull ? Math.max(this.#dataMost, data) : 0
    const isBeyond = this.#sample.resident > this.#near
    if (!isBeyond) this.#wasWithin = true
    const isGiven = this.#dataMost - data >= this.#options.bytesMax * HYSTERESIS
    if (isBeyond || isGiven) this.#collect(now, isGiven)
    return this.#isFull
  }

  /**
   * Garbage has grown beyond the budget: the engine would let it grow to several times what is live. Or data has given back enough, but a
   * process that refuses writes makes little garbage, and would not look for it for a long time.
   */
  #collect(now: number, isGiven: boolean): void {
    const { collect } = this.#options
    if (collect === null || now - this.#collectedAt < this.#collectMs) return
    this.#collectMs = this.#wasWithin ? COLLECT_MS.least : Math.min(2 * this.#collectMs, COLLECT_MS.most)
    this.#wasWithin = false
    this.#collectedAt = now
    collect()
    // Where data gave back much, peaks before it say nothing of what can be had now. Else they will come again.
    this.#isCollected = isGiven
  }

  #take(now: number, sample: ProcessMemory, data: number): void {
    const isFirst = this.#sampledAt === -Infinity
    // What buffers give back the allocator may keep, for those to come, although the system counts it as resident.
    const given = isFirst ? 0 : this.#sample.buffers - sample.buffers
    this.#kept = Math.max(0, this.#kept + given)
    let native = Math.max(0, sample.resident - sample.buffers - sample.heap - this.#kept)
    if (native < this.#native) {
      // What the system got back was kept before, as far as that can be.
      const back = Math.min(this.#kept, this.#native - native)
      this.#kept -= back
      native += back
    }
    this.#native = native
    const rest = sample.heap + native
    const isNew = isFirst || this.#isCollected
    this.#isCollected = false
    const share = isNew ? 1 : rest > this.#overhead ? RISE : 1 - Math.exp((this.#sampledAt - now) / FALL_MS)
    this.#overhead += (rest - this.#overhead) * share
    this.#sample = sample
    this.#dataThen = data
    this.#sampledAt = now
  }

  get figures(): MemoryFigures {
    const { bytesMax, dataBytes } = this.#options
    return {
      bytesMax,
      residentBytes: this.#sample.resident,
      dataBytes: dataBytes(),
      overheadBytes: Math.round(this.#overhead),
      keptBytes: Math.round(this.#kept),
    }
  }
}
