// A Disk that answers at once, counts its operations, and can die before any of them; what a power cut leaves behind is chance.

import type { Disk, DiskFile, OpenMode, Space } from '../../src/ports/disk.ts'
import type { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { SimulatedFile, systemError } from '../../src/simulator/simulated-file.ts'

export type Image = ReadonlyMap<string, Uint8Array>
export type Operation =
  | 'list'
  | 'open'
  | 'rename'
  | 'remove'
  | 'syncDirectory'
  | 'append'
  | 'read'
  | 'sync'
  | 'truncate'
  | 'close'

export class CrashDisk implements Disk {
  names: Map<string, SimulatedFile> = new Map<string, SimulatedFile>()
  #durable = new Map<string, SimulatedFile>()
  #changes: ((names: Map<string, SimulatedFile>) => void)[] = []
  operations: number = 0
  readonly counts: Partial<Record<Operation, number>> = {}
  /** The process dies before this operation: neither it nor any later one happens or answers. */
  dieAt: number = Infinity
  /** Throws to make an operation fail. */
  fault: (operation: Operation, name: string) => void = () => {}
  /** Holds an operation back until the promise resolves. */
  delay: (operation: Operation, name: string) => Promise<void> = () => Promise.resolve()
  /** Appends beyond it are refused with ENOSPC and change nothing. */
  capacity: number = Infinity

  static of(image: Image): CrashDisk {
    const disk = new CrashDisk()
    for (const [name, bytes] of image) disk.names.set(name, new SimulatedFile(bytes))
    disk.#durable = new Map(disk.names)
    return disk
  }

  image(): Map<string, Uint8Array> {
    return new Map([...this.names].map(([name, file]) => [name, Uint8Array.from(file.content())]))
  }

  /** What the next start finds; without `random` the least: nothing that was not synced. */
  powerCut(random?: SeededRandom): CrashDisk {
    // Without a sync of the directory a later change of names may outlive an earlier one.
    const survival = random ? random.pick([0, 0.5, 1]) : 0
    for (const change of this.#changes) if (random?.chance(survival)) change(this.#durable)
    const image = new Map<string, Uint8Array>()
    for (const [name, file] of this.#durable) {
      if (random) file.loseUnsynced(random)
      image.set(name, Uint8Array.from(file.syncedContent()))
    }
    return CrashDisk.of(image)
  }

  async #operate<T>(operation: Operation, name: string, act: () => T): Promise<T> {
    if (++this.operations >= this.dieAt) return new Promise(() => {})
    this.counts[operation] = (this.counts[operation] ?? 0) + 1
    await this.delay(operation, name)
    if (this.operations >= this.dieAt) return new Promise(() => {})
    this.fault(operation, name)
    return act()
  }

  #change(change: (names: Map<string, SimulatedFile>) => void): void {
    this.#changes.push(change)
    change(this.names)
  }

  list(): Promise<readonly string[]> {
    return this.#operate('list', '', () => [...this.names.keys()].sort())
  }

  open(name: string, mode: OpenMode): Promise<DiskFile> {
    return this.#operate('open', name, () => {
      const known = this.names.get(name)
      if (mode === 'existing') {
        if (!known) throw systemError('ENOENT', name)
        return this.#handle(name, known, false)
      }
      if (known) throw systemError('EEXIST', name)
      const created = new SimulatedFile(new Uint8Array(0))
      this.#change((names) => names.set(name, created))
      return this.#handle(name, created, mode === 'create-log')
    })
  }

  #handle(name: string, file: SimulatedFile, isLog: boolean): DiskFile {
    const append = (chunks: readonly Uint8Array[]): Promise<void> =>
      this.#operate('append', name, () => {
        const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
        if (this.used + length > this.capacity) throw systemError('ENOSPC', name)
        file.append(chunks)
      })
    const sync = (): Promise<void> => {
      const promised = file.capture()
      return this.#operate('sync', name, () => file.commit(promised))
    }
    return {
      get size() {
        return file.size
      },
      // Two operations even in a log: death may come between them.
      append: (chunks) => (isLog ? append(chunks).then(sync) : append(chunks)),
      read: (position, length) => this.#operate('read', name, () => file.read(position, length)),
      sync,
      truncate: (size) => this.#operate('truncate', name, () => file.truncate(size)),
      close: () => this.#operate('close', name, () => {}),
    }
  }

  get used(): number {
    return [...this.names.values()].reduce((sum, file) => sum + file.size, 0)
  }

  async space(): Promise<Space> {
    return { free: Math.max(0, this.capacity - this.used), total: this.capacity }
  }

  rename(from: string, to: string): Promise<void> {
    return this.#operate('rename', from, () => {
      const file = this.names.get(from)
      if (!file) throw systemError('ENOENT', from)
      this.#change((names) => {
        names.delete(from)
        names.set(to, file)
      })
    })
  }

  remove(name: string): Promise<void> {
    return this.#operate('remove', name, () => {
      if (!this.names.has(name)) throw systemError('ENOENT', name)
      this.#change((names) => names.delete(name))
    })
  }

  syncDirectory(): Promise<void> {
    const count = this.#changes.length
    return this.#operate('syncDirectory', '', () => {
      for (const change of this.#changes.splice(0, Math.min(count, this.#changes.length))) change(this.#durable)
    })
  }
}
