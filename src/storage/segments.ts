// The files of the log: one is written, those before it wait until a checkpoint has taken their place. Knows nothing of batches, nor
// when the next segment is due. Invariant: a segment is durable under its name before the manifest names it, and named there before a
// new batch is written to it.

import type { Disk, DiskFile } from '../ports/disk.ts'
import type { Lsn } from './entries.ts'
import { encodeHeader, segmentName, type StorageKeys } from './file-header.ts'
import { writeManifest } from './manifest.ts'

/** Where the log goes on. */
export interface LogStart {
  readonly segment: number
  readonly batch: number
  readonly lsn: Lsn
}

/** Resolves when the segment is durable and in the manifest. `repeat`: a batch from before, which it begins with. */
export async function createSegment(
  disk: Disk,
  keys: StorageKeys,
  start: LogStart,
  repeat: Uint8Array | null,
): Promise<DiskFile> {
  const file = await disk.open(segmentName(start.segment), 'create-log')
  try {
    const header = encodeHeader({ kind: 'segment', ...keys, ...start })
    await file.append(repeat === null ? [header] : [header, repeat])
    // Before the manifest names it: a manifest that names a missing segment means that one was lost.
    await disk.syncDirectory()
    await writeManifest(disk, keys, start.segment, 0)
    return file
  } catch (error) {
    await file.close().catch(() => {})
    throw error
  }
}

export class Segments {
  readonly #sizes = new Map<number, number>()
  #current: number
  #file: DiskFile

  constructor(segment: number, file: DiskFile) {
    this.#current = segment
    this.#file = file
    this.#sizes.set(segment, file.size)
  }

  /** Number → size, of those that this run began and that are still there; the last is being written. */
  get sizes(): ReadonlyMap<number, number> {
    return this.#sizes
  }

  get current(): number {
    return this.#current
  }

  get currentBytes(): number {
    return this.#sizes.get(this.#current) ?? 0
  }

  /** Resolves when it is durable; then `grew` must follow at once. */
  append(chunks: readonly Uint8Array[]): Promise<void> {
    return this.#file.append(chunks)
  }

  grew(bytes: number): void {
    this.#sizes.set(this.#current, this.currentBytes + bytes)
  }

  /** Goes on in another segment. Resolves when the one before is closed. */
  turnTo(segment: number, file: DiskFile): Promise<void> {
    const before = this.#file
    this.#current = segment
    this.#file = file
    this.#sizes.set(segment, file.size)
    return before.close()
  }

  /** The segments below this number were removed. */
  forgetBelow(segment: number): void {
    for (const known of this.#sizes.keys()) if (known < segment) this.#sizes.delete(known)
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
