// The files of the log: one is written, those before it wait until a checkpoint has taken their place. Knows nothing of batches, nor
// when the next segment is due. Invariant: a segment is durable under its name before the manifest names it, and named there before a
// new batch is written to it.

import type { Disk, DiskFile } from '../ports/disk.ts'
import type { Lsn } from './entries.ts'
import { encodeHeader, segmentName, type StorageKeys } from './file-header.ts'
import { writeManifest } from './manifest.ts'
import { isNoSpace, NoRoom } from './no-room.ts'

/** Where the log goes on. */
export interface LogStart {
  readonly segment: number
  readonly batch: number
  readonly lsn: Lsn
}

/**
 * Resolves when the segment is durable and in the manifest; rejects with `NoRoom` where the one before is still the last. `repeat`: a
 * batch from before, which it begins with.
 */
export async function createSegment(
  disk: Disk,
  keys: StorageKeys,
  start: LogStart,
  repeat: Uint8Array | null,
): Promise<DiskFile> {
  const name = segmentName(start.segment)
  const noRoom = (error: unknown): never => {
    throw isNoSpace(error) ? new NoRoom(error) : error
  }
  const file = await disk.open(name, 'create-log').catch(noRoom)
  try {
    const place = { ...start, number: start.segment, from: 0, to: 0, repeats: repeat !== null }
    const header = encodeHeader({ kind: 'segment', ...keys, ...place })
    await file.append(repeat === null ? [header] : [header, repeat]).catch(noRoom)
    // Before the manifest names it: a manifest that names a missing segment means that one was lost.
    await disk.syncDirectory()
    await writeManifest(disk, keys, start.segment, 0)
    return file
  } catch (error) {
    await file.close().catch(() => {})
    if (error instanceof NoRoom) {
      // Before the log goes on in the one before it must be gone for good: else both would claim the next batch.
      await disk.remove(name)
      await disk.syncDirectory()
    }
    throw error
  }
}

export interface OwnSegment {
  readonly bytes: number
  /** The next one when it was begun. */
  readonly batch: number
}

export class Segments {
  readonly #held = new Map<number, OwnSegment>()
  #current: LogStart
  #bytes: number
  #file: DiskFile
  /** The one before. */
  #closed: Promise<void> = Promise.resolve()

  constructor(start: LogStart, file: DiskFile) {
    this.#current = start
    this.#file = file
    this.#bytes = file.size
  }

  /** By number, those that this run began and that are still there; the last is being written. */
  get held(): ReadonlyMap<number, OwnSegment> {
    return this.#held.set(this.#current.segment, { bytes: this.#bytes, batch: this.#current.batch })
  }

  get current(): number {
    return this.#current.segment
  }

  get currentBytes(): number {
    return this.#bytes
  }

  /** Resolves when it is durable; then `grew` must follow at once. */
  append(chunks: readonly Uint8Array[]): Promise<void> {
    return this.#file.append(chunks)
  }

  grew(bytes: number): void {
    this.#bytes += bytes
  }

  /**
   * Goes on in another segment. That before is closed meanwhile: all in it is durable, and the room ahead of it (all that closing cuts off)
   * may stay. Rejects when closing the one before that failed.
   */
  async turnTo(start: LogStart, file: DiskFile): Promise<void> {
    const before = this.#file
    const closed = this.#closed
    this.#closed = before.close()
    this.#closed.catch(() => {})
    this.#held.set(this.#current.segment, { bytes: this.#bytes, batch: this.#current.batch })
    this.#current = start
    this.#bytes = file.size
    this.#file = file
    await closed
  }

  /** The segments below this number were removed. */
  forgetBelow(segment: number): void {
    for (const known of this.#held.keys()) if (known < segment) this.#held.delete(known)
  }

  async close(): Promise<void> {
    await this.#closed
    await this.#file.close()
  }
}
