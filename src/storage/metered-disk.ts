// A Disk that knows how much is in it: the bytes of all files, those being written among them. Decides nothing and changes no operation.
// Invariant: what is counted is what files hold as this process sees them; room that a disk makes ahead of a log is not.

import type { Disk, DiskFile, OpenMode, Space } from '../ports/disk.ts'

interface Metered {
  /** Null: never opened. */
  bytes: number | null
  isThere: boolean
}

export class MeteredDisk implements Disk {
  readonly #disk: Disk
  readonly #files = new Map<string, Metered>()
  #usedBytes = 0
  #removals = 0

  constructor(disk: Disk) {
    this.#disk = disk
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /** How often something was removed or cut. */
  get removals(): number {
    return this.#removals
  }

  space(): Promise<Space> {
    return this.#disk.space()
  }

  /** Files that nobody has opened count too. */
  async measureRest(): Promise<void> {
    for (const [name, file] of this.#files) if (file.bytes === null) await (await this.open(name, 'existing')).close()
  }

  async list(): Promise<readonly string[]> {
    const names = await this.#disk.list()
    for (const name of names) if (!this.#files.has(name)) this.#files.set(name, { bytes: null, isThere: true })
    return names
  }

  async open(name: string, mode: OpenMode): Promise<DiskFile> {
    const file = await this.#disk.open(name, mode)
    const known = this.#files.get(name)
    const metered: Metered = known ?? { bytes: null, isThere: true }
    if (!known) this.#files.set(name, metered)
    this.#set(metered, file.size)
    const measured = (): void => this.#set(metered, file.size)
    const followed = (work: Promise<void>): Promise<void> => {
      measured()
      // A disk may count at once or at the end, and takes back what failed.
      work.then(measured, measured)
      return work
    }
    return {
      get size() {
        return file.size
      },
      append: (chunks) => followed(file.append(chunks)),
      read: (position, length) => file.read(position, length),
      sync: () => file.sync(),
      truncate: (size) =>
        file.truncate(size).then(() => {
          this.#removals++
          measured()
        }),
      close: () => file.close(),
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#disk.rename(from, to)
    const file = this.#files.get(from)
    this.#gone(to)
    this.#files.delete(from)
    if (file) this.#files.set(to, file)
  }

  async remove(name: string): Promise<void> {
    await this.#disk.remove(name)
    this.#gone(name)
  }

  syncDirectory(): Promise<void> {
    return this.#disk.syncDirectory()
  }

  #gone(name: string): void {
    const file = this.#files.get(name)
    if (!file) return
    this.#removals++
    this.#set(file, 0)
    file.isThere = false
    this.#files.delete(name)
  }

  #set(file: Metered, bytes: number): void {
    if (!file.isThere) return
    this.#usedBytes += bytes - (file.bytes ?? 0)
    file.bytes = bytes
  }
}
