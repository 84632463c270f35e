// How far a recovery is, for the operator. Decides nothing. Invariant: a short recovery says nothing.

import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../telemetry/log.ts'
import type { StorageState } from './storage-state.ts'

const PROGRESS_MS = 5000

export class RecoveryProgress {
  readonly #clock: Clock
  readonly #logger: Logger
  #toldAt: number
  #bytes = 0
  bytesTotal: number = 0

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
    this.#toldAt = clock.monotonic()
  }

  read(bytes: number, state: StorageState): void {
    this.#bytes += bytes
    const now = this.#clock.monotonic()
    if (now < this.#toldAt + PROGRESS_MS) return
    this.#toldAt = now
    const { totalKeys } = state.memtable
    this.#logger.info(
      { bytes: this.#bytes, bytesTotal: this.bytesTotal, keys: totalKeys },
      'reading the data directory',
    )
  }
}
