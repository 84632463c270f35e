// The Disk port on one directory of a real file system. Knows nothing of what is stored, and never retries what failed.
// Invariant: an append that is rejected leaves the file as it was, or the file takes no more; a sync covers every append
// that was called before it.

import { open, readdir, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Disk, DiskFile } from '../ports/disk.ts'
import { lockDirectory } from './directory-lock.ts'
import type { Release } from './directory-lock.ts'

/** Below it one copy is cheaper than a long vector. */
const GATHER_BYTES_MAX = 64 * 1024
const VECTOR_MAX = 512

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

  async open(name: string, mode: 'existing' | 'create'): Promise<DiskFile> {
    const handle = await open(this.#file(name), mode === 'create' ? 'wx+' : 'r+')
    return new RealFile(handle, (await handle.stat()).size)
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
  #size: number
  /** Writes and cuts, one after the other. */
  #tail: Promise<void> = Promise.resolve()
  // Counts failed appends: those queued behind one stand at positions that will never be reached.
  #failures = 0
  #broken: Error | null = null

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle
    this.#size = size
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
        await this.#writeAll(gather(chunks, length), position)
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
    } catch (error) {
      this.#broken = error instanceof Error ? error : new Error(String(error))
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
    return this.#next(() => this.#handle.truncate(size))
  }

  async close(): Promise<void> {
    await this.#tail
    await this.#handle.close()
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
      const { bytesWritten } = await this.#handle.writev(rest, at)
      at += bytesWritten
      rest = dropBytes(rest, bytesWritten)
    }
  }
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
