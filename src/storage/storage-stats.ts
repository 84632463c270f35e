// What a storage holds and has done, in numbers, for metrics. Decides nothing. Invariant: taking them changes nothing, and without a disk
// what belongs to files is 0.

import type { Checkpoints } from './checkpoints.ts'
import type { Log, LogStats } from './log.ts'
import type { StorageState } from './storage-state.ts'

export interface StorageStats extends LogStats {
  readonly keys: number
  readonly bytes: number
  readonly hints: number
  readonly hintBytes: number
  /** Of all segments that are there, and how many. */
  readonly logBytes: number
  readonly segments: number
  /** Not synced yet. */
  readonly pendingBytes: number
  /** Since the start. */
  readonly checkpoints: number
  /** Of the current checkpoint; 0 when there is none. */
  readonly checkpointBytes: number
}

const NO_LOG: LogStats = { batches: 0, entries: 0, batchEntriesMax: 0, bytesWritten: 0, syncMsTotal: 0, syncMsMax: 0 }

/** Log and checkpoints are null in memory only. */
export function statsOf(state: StorageState, log: Log | null, checkpoints: Checkpoints | null): StorageStats {
  const { memtable, hints } = state
  return {
    ...(log?.stats ?? NO_LOG),
    keys: memtable.totalKeys,
    bytes: memtable.totalBytes,
    hints: hints.count,
    hintBytes: hints.bytes,
    logBytes: checkpoints?.logBytes ?? 0,
    segments: checkpoints?.segments ?? 0,
    pendingBytes: log?.pendingBytes ?? 0,
    checkpoints: checkpoints?.published ?? 0,
    checkpointBytes: checkpoints?.bytes ?? 0,
  }
}
