// The Disk port on one directory of a real file system. Knows nothing of what is stored, and never retries what failed.
// Invariant: an append that is rejected leaves the file as it was, or the file takes no more; a sync covers every append
// that was called before it.

import { constants, write, writev } from 'node:fs'
import { open, readdir, rename, rm, statfs } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Disk, DiskFile, OpenMode, Space } from '../ports/disk.ts'
import { lockDirectory } from './directory-lock.ts'
import type { Release } from './directory-lock.ts'

/** Below it one copy is cheaper than a long vector. */
const GATHER_BYTES_MAX = 64 * 1024
const VECTOR_MAX = 512

/**
 * On Linux one call writes and syncs: "as though each write(2) was followed by a call to fdatasync(2)" (open(2), O_DSYNC); that saves
 * going through the thread pool a second time. Elsewhere it may say less than fdatasync does (macOS: the drive's cache), so it is two.
 */
const SYNCED_WRITES = process.platform === 'linux' ? constants.O_DSYNC : 0
/**
 * Zeros are written so far ahead of a log. Where the file neither grows nor gets blocks, a sync has only the batch to write and no
 * metadata: half the CPU time, half the wait.
 */
const ROOM_AHEAD = Buffer.alloc(256 << 10)

const FLAGS: Readonly<Record<OpenMode, number>> = {
  existing: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  'create-log': constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | SYNCED_WRITES,
}

export class FileDisk implements Disk {
  readonly #path: string
  readonly #directory: FileHandle
  readonly #release: Release

  private constructor(path: string, directory: FileHandle, release: Release) {
    this.#path = path
    this.#directory = directory
    this.#release = release
  }

  /** Creates the directory where it is missing and locks it. Rejects with `config` when another process holds it. */
  static async open(path: string): Promise<FileDisk> {
    const release = await lockDirectory(path)
    return new FileDisk(path, await open(path, 'r'), release)
  }

  async list(): Promise<readonly string[]> {
    return (await readdir(this.#path)).filter((name) => !name.startsWith('.')).sort()
  }

  async open(name: string, mode: OpenMode): Promise<DiskFile> {
    const handle = await open(this.#file(name), FLAGS[mode])
    return new RealFile(handle, (await handle.stat()).size, mode === 'create-log')
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(this.#file(from), this.#file(to))
  }

  async remove(name: string): Promise<void> {
    await rm(this.#file(name))
  }

  async syncDirectory(): Promise<void> {
    await this.#directory.sync()
  }

  async space(): Promise<Space> {
    const { bsize, bavail, blocks } = await statfs(this.#path)
    return { free: bavail * bsize, total: blocks * bsize }
  }

  /** Frees the directory; open files stay usable until they are closed. */
  async close(): Promise<void> {
    await this.#directory.close()
    await this.#release()
  }

  #file(name: string): string {
    if (name === '' || name.startsWith('.') || name.includes('/')) throw new RangeError(`not a file name: ${name}`)
    return join(this.#path, name)
  }
}

class RealFile implements DiskFile {
  readonly #handle: FileHandle
  readonly #isLog: boolean
  #size: number
  /** The end of what was written, with the room ahead. */
  #end: number
  /** Writes and cuts, one after the other. */
  #tail: Promise<void> = Promise.resolve()
  // Counts failed appends: those queued behind one stand at positions that will never be reached.
  #failures = 0
  #broken: Error | null = null

  constructor(handle: FileHandle, size: number, isLog: boolean) {
    this.#handle = handle
    this.#size = size
    this.#end = size
    this.#isLog = isLog
  }

  get size(): number {
    return this.#size
  }

  append(chunks: readonly Uint8Array[]): Promise<void> {
    const position = this.#size
    let length = 0
    for (const chunk of chunks) length += chunk.length
    this.#size += length
    const failures = this.#failures
    return this.#next(async () => {
      if (failures !== this.#failures) throw new Error('an append before this one failed')
      try {
        const gathered = gather(chunks, length)
        // Not behind the first append: a log that holds more is known to have been begun.
        if (this.#isLog && position > 0 && position + length > this.#end) await this.#writeWithRoom(gathered, position)
        else await this.#writeAll(gathered, position)
        if (this.#isLog && SYNCED_WRITES === 0) await this.#handle.datasync()
      } catch (error) {
        this.#failures++
        this.#size = position
        await this.#undo(position)
        throw error
      }
    })
  }

  async #undo(size: number): Promise<void> {
    try {
      await this.#handle.truncate(size)
      this.#end = size
    } catch (error) {
      // Whatever it was, it is not ENOSPC to whoever tries again.
      this.#broken = new Error('a failed append could not be undone', { cause: error })
    }
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    await this.#tail
    const buffer = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, this.#size - position)))
    let filled = 0
    while (filled < buffer.length) {
      const { bytesRead } = await this.#handle.read(buffer, filled, buffer.length - filled, position + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return buffer.subarray(0, filled)
  }

  sync(): Promise<void> {
    return this.#tail.then(() => {
      if (this.#broken !== null) throw this.#broken
      return this.#handle.datasync()
    })
  }

  truncate(size: number): Promise<void> {
    this.#size = Math.min(this.#size, size)
    return this.#next(async () => {
      await this.#handle.truncate(size)
      this.#end = size
    })
  }

  async close(): Promise<void> {
    await this.#tail
    try {
      if (this.#end > this.#size && this.#broken === null) {
        await this.#handle.truncate(this.#size)
        await this.#handle.datasync()
      }
    } finally {
      await this.#handle.close()
    }
  }

  #next(operation: () => Promise<void>): Promise<void> {
    const run = this.#tail.then(() => {
      if (this.#broken !== null) throw this.#broken
      return operation()
    })
    this.#tail = run.catch(() => {})
    return run
  }

  async #writeAll(chunks: readonly Uint8Array[], position: number): Promise<void> {
    let at = position
    let rest = chunks
    while (rest.length > 0) {
      const bytesWritten = await writeChunks(this.#handle.fd, rest, at)
      at += bytesWritten
      rest = dropBytes(rest, bytesWritten)
    }
    if (at > this.#end) this.#end = at
  }

  async #writeWithRoom(chunks: readonly Uint8Array[], position: number): Promise<void> {
    try {
      await this.#writeAll([...chunks, ROOM_AHEAD], position)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
      // All of it once more, so nothing rests on what became of the first attempt.
      await this.#writeAll(chunks, position)
    }
  }
}

/** By callback: the promises of `FileHandle` cost several times as much, for every batch of the log. */
function writeChunks(fd: number, chunks: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, bytes: number): void => (error ? reject(error) : resolve(bytes))
    const [first] = chunks
    if (chunks.length === 1 && first) write(fd, first, 0, first.length, position, done)
    else writev(fd, chunks, position, done)
  })
}

function gather(chunks: readonly Uint8Array[], length: number): readonly Uint8Array[] {
  const filled = chunks.filter((chunk) => chunk.length > 0)
  return filled.length > 1 && (length <= GATHER_BYTES_MAX || filled.length > VECTOR_MAX)
    ? [Buffer.concat(filled)]
    : filled
}

function dropBytes(chunks: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes
  let index = 0
  for (; index < chunks.length; index++) {
    const chunk = chunks[index] as Uint8Array
    if (left < chunk.length) return [chunk.subarray(left), ...chunks.slice(index + 1)]
    left -= chunk.length
  }
  return []
}
