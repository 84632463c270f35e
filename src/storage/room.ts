// Whether there is room for more data: in memory, on disk, and in what waits for the disk. Says in the log, once each, that there is none
// and that there is again. Knows nothing of who asks. Invariant: while there is none it looks again by itself, so that writes come back
// although nothing is written.

import type { Clock, Timer } from '../ports/clock.ts'
import type { Logger } from '../telemetry/log.ts'
import type { DiskBudget, DiskFigures } from './disk-budget.ts'
import type { MemoryBudget, MemoryFigures } from './memory-budget.ts'

/** Changes waiting for the disk: beyond this no more are taken in, or memory would grow without end. */
const PENDING_BYTES_MAX = 128 << 20
const LOOK_AGAIN_MS = 1000

/** What there is no room in. */
export interface Lacks {
  readonly memory: boolean
  /** The budget for the disk, or the file system. */
  readonly disk: boolean
  /** The disk has refused a batch of the log. */
  readonly log: boolean
  /** The disk has refused a checkpoint. */
  readonly checkpoint: boolean
  /** The disk does not keep up. */
  readonly pace: boolean
}

const WHY: Readonly<Record<keyof Lacks, string>> = {
  memory: 'the budget for memory is used up',
  disk: 'the budget for the disk, or the file system, is used up but for a reserve',
  log: 'the disk has no room for the log; nothing is durable until it has',
  checkpoint: 'the disk has no room for a checkpoint',
  pace: 'the disk does not keep up',
}

export interface RoomFigures {
  readonly full: boolean
  /** Empty: there is room. */
  readonly fullReason: string
  readonly lacks: Lacks
  readonly memory: MemoryFigures
  /** Null in memory only. */
  readonly disk: DiskFigures | null
}

export interface RoomOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly memory: MemoryBudget
  /** No more data can be addressed, whatever the budget is. */
  readonly isExhausted: () => boolean
  /** Null in memory only. */
  readonly disk: DiskBudget | null
  readonly log: () => { readonly pendingBytes: number; readonly isOutOfRoom: boolean }
  readonly isStarved: () => boolean
  /** Called again and again while there is no room. */
  readonly onLooked: () => void
}

export class Room {
  readonly #options: RoomOptions
  /** The log says that it is full. */
  #toldFull = false
  #again: Timer | null = null
  #isOver = false

  constructor(options: RoomOptions) {
    this.#options = options
  }

  /** Before every write of a client, and when it may have changed and nobody asks. Returns whether there is no room. */
  look(): boolean {
    const { memory, disk, clock, isExhausted, isStarved } = this.#options
    const log = this.#options.log()
    const now = clock.monotonic()
    const isFull =
      memory.isFullAt(now) ||
      isExhausted() ||
      disk?.isFullAt(now) === true ||
      log.pendingBytes > PENDING_BYTES_MAX ||
      log.isOutOfRoom ||
      isStarved()
    if (isFull) this.#lookAgain()
    if (isFull !== this.#toldFull) this.#tell(isFull)
    return isFull
  }

  get lacks(): Lacks {
    const { memory, disk, clock, isExhausted, isStarved } = this.#options
    const log = this.#options.log()
    const now = clock.monotonic()
    return {
      memory: memory.isFullAt(now) || isExhausted(),
      disk: disk?.isFullAt(now) === true,
      log: log.isOutOfRoom,
      checkpoint: isStarved(),
      pace: log.pendingBytes > PENDING_BYTES_MAX,
    }
  }

  get figures(): RoomFigures {
    const { memory, disk } = this.#options
    const { lacks } = this
    const reasons = reasonsOf(lacks)
    return {
      full: reasons.length > 0,
      fullReason: reasons.join(', '),
      lacks,
      memory: memory.figures,
      disk: disk?.figures ?? null,
    }
  }

  #tell(isFull: boolean): void {
    const { logger, memory, disk } = this.#options
    const { pendingBytes } = this.#options.log()
    // A disk that lags may do so from one moment to the next.
    if (!isFull && pendingBytes > PENDING_BYTES_MAX / 2) return
    this.#toldFull = isFull
    const figures = { memory: memory.figures, ...(disk && { disk: disk.figures }), pendingBytes }
    if (!isFull) return logger.info(figures, 'the storage has room again')
    const why = reasonsOf(this.lacks)
      .map((reason) => WHY[reason])
      .join('; ')
    logger.warn({ why, ...figures }, 'the storage is full: writes are refused, reads and deletions go on')
  }

  /** Where the process's memory is watched, that goes on although nothing is written. */
  begin(): void {
    if (this.#options.memory.isSampled) this.#lookAgain()
  }

  stop(): void {
    this.#isOver = true
    this.#again?.cancel()
    this.#again = null
  }

  #lookAgain(): void {
    if (this.#again !== null || this.#isOver) return
    this.#again = this.#options.clock.after(LOOK_AGAIN_MS, () => {
      this.#again = null
      this.#options.onLooked()
      this.look()
      this.begin()
    })
  }
}

function reasonsOf(lacks: Lacks): (keyof Lacks)[] {
  return (Object.keys(WHY) as (keyof Lacks)[]).filter((reason) => lacks[reason])
}
