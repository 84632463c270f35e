// How fast a checkpoint may be written. While the log is busy each byte that it has synced earns some bytes of checkpoint; while it is idle
// there is nobody to disturb. Knows nothing of what is written. Invariant: whoever waits is woken by the next sync, or by `wake`.

/** Checkpoint bytes for a byte of log that has its length: more than a whole round needs, so that a round ends before the next is due. */
const BYTES_EARNED = 4
/** So many times as much for a log that has grown to twice its length. */
const HASTE = 8
/** What may be written before anything was earned: a burst, and the whole of a small file. */
const CREDIT_MAX = 256 << 10

export interface PacedLog {
  /** Something is being synced or waits for it: another sync will come. */
  readonly isBusy: boolean
}

export class CheckpointPace {
  readonly #log: PacedLog
  #credit = CREDIT_MAX
  #woken: PromiseWithResolvers<void> | null = null

  constructor(log: PacedLog) {
    this.#log = log
  }

  /** `excess`: by what part of its length the log is too long. */
  synced(bytes: number, excess: number): void {
    const earned = bytes * BYTES_EARNED * (1 + (HASTE - 1) * Math.min(1, Math.max(0, excess)))
    this.#credit = Math.min(Math.max(CREDIT_MAX, earned), this.#credit + earned)
    this.wake()
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
