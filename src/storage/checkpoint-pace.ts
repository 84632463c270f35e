// How fast a checkpoint may be written. While the log is busy each byte that it has synced earns some bytes of checkpoint; while it is idle
// there is nobody to disturb. Knows nothing of what is written. Invariant: whoever waits is woken by the next sync, or by `wake`.

/** Checkpoint bytes for a byte of log that has its length: more than a whole round needs, so that a round ends before the next is due. */
const BYTES_EARNED = 4
/** So many times as much for a log that has grown to twice its length. */
const HASTE = 8
/** What is encoded in one go, without giving others a turn: the second when the log has twice its length and others take all turns. */
const BLOCK_BYTES = { least: 64 << 10, most: 256 << 10 }
/** What may be written before anything was earned: a burst, and the whole of a small file. */
const CREDIT_MAX = 256 << 10

export interface PacedLog {
  /** Something is being synced or waits for it: another sync will come. */
  readonly isBusy: boolean
}

export class CheckpointPace {
  readonly #log: PacedLog
  #credit = CREDIT_MAX
  #haste = 0
  #woken: PromiseWithResolvers<void> | null = null

  constructor(log: PacedLog) {
    this.#log = log
  }

  /** `excess`: by what part of its length the log is too long. */
  synced(bytes: number, excess: number): void {
    this.#haste = Math.min(1, Math.max(0, excess))
    const earned = bytes * BYTES_EARNED * (1 + (HASTE - 1) * this.#haste)
    this.#credit = Math.min(Math.max(CREDIT_MAX, earned), this.#credit + earned)
    this.wake()
  }

  get blockBytes(): number {
    return BLOCK_BYTES.least + this.#haste * (BLOCK_BYTES.most - BLOCK_BYTES.least)
  }

  wake(): void {
    this.#woken?.resolve()
    this.#woken = null
  }

  /** `isOver`: whoever writes has given up. */
  async spent(bytes: number, isOver: () => boolean): Promise<void> {
    this.#credit -= bytes
    while (this.#credit < 0 && this.#log.isBusy && !isOver()) {
      this.#woken ??= Promise.withResolvers()
      await this.#woken.promise
    }
    this.#credit = Math.max(0, this.#credit)
  }
}
