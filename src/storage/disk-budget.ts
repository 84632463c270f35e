// Whether the data directory may grow: by its own budget, and by what is left of the file system. Below both a reserve is kept, for what
// must go on without room. Knows nothing of logs and checkpoints. Invariant: full and not full are half a reserve apart; a file system
// that does not tell its space limits nothing.

import type { Clock } from '../ports/clock.ts'
import type { MeteredDisk } from './metered-disk.ts'

/** The file system is asked this far apart, at least. Milliseconds. */
const ASK_MS = 1000
/** For deletions and healing, the log's tail, and checkpoints that are written before what they replace goes. */
const RESERVE = { bytesLeast: 32 << 20, ranges: 3, shareMost: 0.15 }
const HYSTERESIS = 0.5

/** `bytes`: the budget, or the size of the file system. `rangeBytes`: of one checkpoint. */
export function reserveOf(bytes: number, rangeBytes: number): number {
  return Math.min(bytes * RESERVE.shareMost, Math.max(RESERVE.bytesLeast, RESERVE.ranges * rangeBytes))
}

export interface DiskFigures {
  /** 0: none. */
  readonly bytesMax: number
  readonly usedBytes: number
  /** Of budget or file system, whichever is smaller. */
  readonly reserveBytes: number
  /** Of the file system; 0: it does not tell. */
  readonly freeBytes: number
  readonly totalBytes: number
}

export interface DiskBudgetOptions {
  readonly disk: MeteredDisk
  readonly clock: Clock
  /** Null: only the file system limits. */
  readonly bytesMax: number | null
  /** Of one checkpoint. */
  readonly rangeBytes: () => number
  /** Not written yet, and will be. */
  readonly pendingBytes: () => number
}

export class DiskBudget {
  readonly #options: DiskBudgetOptions
  #space: { readonly free: number; readonly total: number } | null = null
  /** When, and what was used then. */
  #askedAt = -Infinity
  #usedThen = 0
  #removals = 0
  #asking: Promise<void> | null = null
  #isFull = false

  constructor(options: DiskBudgetOptions) {
    this.#options = options
  }

  /** `now`: of the monotonic clock. */
  isFullAt(now: number): boolean {
    const { disk, pendingBytes } = this.#options
    // What was removed may be what was waited for.
    if (disk.removals !== this.#removals || now - this.#askedAt >= ASK_MS) void this.ask()
    const pending = pendingBytes()
    const budget = this.#options.bytesMax ?? Infinity
    const { free, total } = this.#space ?? { free: Infinity, total: Infinity }
    const freeNow = free - Math.max(0, disk.usedBytes - this.#usedThen) - pending
    const left = Math.min(budget - disk.usedBytes - pending, freeNow)
    const reserve = this.#reserve(Math.min(budget, total))
    if (left < reserve) this.#isFull = true
    else if (left >= reserve * (1 + HYSTERESIS)) this.#isFull = false
    return this.#isFull
  }

  /** What a log may take of so little room is little. */
  get size(): number {
    return Math.min(this.#options.bytesMax ?? Infinity, this.#space?.total ?? Infinity)
  }

  /** One at a time. */
  ask(): Promise<void> {
    return (this.#asking ??= this.#ask().finally(() => {
      this.#asking = null
    }))
  }

  async #ask(): Promise<void> {
    const { disk, clock } = this.#options
    this.#askedAt = clock.monotonic()
    this.#removals = disk.removals
    const used = disk.usedBytes
    try {
      this.#space = await disk.space()
      this.#usedThen = used
    } catch {
      // As good as not asked: what limits then is the disk's own refusal.
      this.#space = null
    }
  }

  #reserve(size: number): number {
    return size === Infinity ? 0 : reserveOf(size, this.#options.rangeBytes())
  }

  get figures(): DiskFigures {
    const { disk, bytesMax } = this.#options
    return {
      bytesMax: bytesMax ?? 0,
      usedBytes: disk.usedBytes,
      reserveBytes: Math.round(this.#reserve(this.size)),
      freeBytes: finite(this.#space?.free),
      totalBytes: finite(this.#space?.total),
    }
  }
}

function finite(value: number | undefined): number {
  return value !== undefined && Number.isFinite(value) ? value : 0
}
