// A small file system that can be filled to the last byte and emptied again: a tmpfs, and a file in it that is nobody's. Knows nothing of nodes.
// Invariant: what was mounted is unmounted when this process ends, however it ends, but by SIGKILL.

import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const CHUNK = Buffer.alloc(1 << 20)

export class SmallDisk {
  readonly mountPoint: string
  readonly #onExit = (): void => this.#unmount()

  /** `size` as mount takes it. */
  constructor(folder: string, name: string, size: string) {
    this.mountPoint = join(folder, `${name}-disk`)
    mkdirSync(this.mountPoint)
    const { status, stderr, error } = spawnSync(
      'mount',
      ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', this.mountPoint],
      {
        encoding: 'utf8',
      },
    )
    if (status !== 0) throw new Error(`a tmpfs cannot be mounted: ${error?.message ?? stderr.trim()}`)
    process.on('exit', this.#onExit)
  }

  /** Takes every byte that is left. */
  fill(): void {
    const file = openSync(this.#ballast, 'a')
    try {
      for (let chunk = CHUNK.length; chunk >= 512;) {
        try {
          writeSync(file, CHUNK, 0, chunk)
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
          chunk /= 2
        }
      }
    } finally {
      closeSync(file)
    }
  }

  makeRoom(): void {
    rmSync(this.#ballast, { force: true })
  }

  get bytesFree(): number {
    const { bavail, bsize } = statfsSync(this.mountPoint)
    return bavail * bsize
  }

  remove(): void {
    process.off('exit', this.#onExit)
    this.#unmount()
  }

  get #ballast(): string {
    return join(this.mountPoint, 'ballast')
  }

  #unmount(): void {
    spawnSync('umount', ['-l', this.mountPoint])
    // Where it is mounted still this fails, and takes nothing with it.
    spawnSync('rmdir', [this.mountPoint])
  }
}

/** Why a small disk cannot be had here; null where it can. */
export function whyNoSmallDisk(folder: string): string | null {
  try {
    new SmallDisk(folder, 'probe', '1m').remove()
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
