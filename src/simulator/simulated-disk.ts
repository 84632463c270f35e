// One machine's directory as a Disk, with a page cache that a power cut empties: the directory's names and the fate of the
// operations on them; file contents and their sectors are `simulated-file.ts`. Knows nothing of what is stored.
// Invariant: what was synced survives every crash, unless a fault was injected and counted.

import type { Disk, DiskFile, OpenMode } from '../ports/disk.ts'
import type { SeededRandom } from './seeded-random.ts'
import { type PendingSync, SimulatedFile, systemError } from './simulated-file.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** Rates are probabilities from 0 to 1 of one operation. */
export interface DiskFaults {
  readonly readError: number
  /** The sync fails with EIO, once; its pages are marked clean and are lost at the next power cut (fsyncgate). */
  readonly syncError: number
  /** A synced sector lands elsewhere in the file; seen after the next power cut. */
  readonly misdirectedWrite: number
  readonly capacityBytes: number
  /** Mean milliseconds of an operation; a sync takes ten times as long. */
  readonly meanMs: number
}

export const NO_DISK_FAULTS: DiskFaults = {
  readError: 0,
  syncError: 0,
  misdirectedWrite: 0,
  capacityBytes: Infinity,
  meanMs: 0.02,
}

export interface DiskCounters {
  powerCuts: number
  tornFiles: number
  lostNames: number
  bitRot: number
  misdirectedWrites: number
  syncErrors: number
  readErrors: number
  full: number
  wipes: number
}

export interface DiskOptions {
  readonly random: SeededRandom
  readonly trace?: (event: string) => void
}

/** A copy of a directory, as a backup tool or a careless operator would make it. */
export type DiskImage = ReadonlyMap<string, Uint8Array>

type NameChange = (names: Map<string, SimulatedFile>) => void

export class SimulatedDisk {
  readonly counters: DiskCounters = {
    powerCuts: 0,
    tornFiles: 0,
    lostNames: 0,
    bitRot: 0,
    misdirectedWrites: 0,
    syncErrors: 0,
    readErrors: 0,
    full: 0,
    wipes: 0,
  }
  faults: DiskFaults = NO_DISK_FAULTS
  /** Called at every operation before it takes effect: the place to pull the plug. */
  beforeOperation: ((what: string) => void) | null = null
  /** Called when it has taken effect, before whoever waits for it is told. */
  afterOperation: ((what: string) => void) | null = null
  readonly #random: SeededRandom
  readonly #trace: (event: string) => void
  #names = new Map<string, SimulatedFile>()
  #durableNames = new Map<string, SimulatedFile>()
  #changes: NameChange[] = []

  constructor(options: DiskOptions) {
    this.#random = options.random
    this.#trace = options.trace ?? ((): void => {})
  }

  /** The directory as one run of a program sees it; after that process is killed its operations have no effect. */
  attach(process: SimulatedProcess): Disk {
    for (const file of this.#names.values()) file.leave(this.#random)
    return {
      list: () => this.#operate(process, 'list', 1, () => [...this.#names.keys()].sort()),
      open: (name, mode) => this.#operate(process, `open ${name}`, 1, () => this.#open(process, name, mode)),
      rename: (from, to) =>
        this.#operate(process, `rename ${from} ${to}`, 1, () => {
          const file = this.#names.get(from)
          if (file === undefined) throw systemError('ENOENT', from)
          this.#change((names) => {
            names.delete(from)
            names.set(to, file)
          })
        }),
      remove: (name) =>
        this.#operate(process, `remove ${name}`, 1, () => {
          if (!this.#names.has(name)) throw systemError('ENOENT', name)
          this.#change((names) => names.delete(name))
        }),
      syncDirectory: () => {
        const count = this.#changes.length
        return this.#operate(process, 'sync-directory', 10, () => this.#settle(Math.min(count, this.#changes.length)))
      },
      // No operation: it changes nothing, so there is nothing to crash at.
      space: () =>
        process.alive
          ? Promise.resolve({
              free: Math.max(0, this.faults.capacityBytes - this.usedBytes),
              total: this.faults.capacityBytes,
            })
          : new Promise(() => {}),
    }
  }

  /**
   * Everything not synced is at the mercy of chance: sectors torn, names lost. A killed process alone loses nothing. A journal keeps
   * the order of names; without one (`anyOrder`) a later change may outlive an earlier one.
   */
  powerCut(random: SeededRandom = this.#random, anyOrder: boolean = false): void {
    this.counters.powerCuts++
    const pending = this.#changes.length
    if (anyOrder) this.#changes = this.#changes.filter(() => random.chance(0.5))
    const kept = anyOrder ? this.#changes.length : random.integer(0, pending + 1)
    this.counters.lostNames += pending - kept
    this.#settle(kept)
    this.#changes = []
    const files = new Set([...this.#names.values(), ...this.#durableNames.values()])
    for (const file of files) if (file.loseUnsynced(random)) this.counters.tornFiles++
    this.#names = new Map(this.#durableNames)
    this.#trace(`disk power-cut kept ${kept} of ${pending} names`)
  }

  /** A new, empty disk. */
  wipe(): void {
    this.counters.wipes++
    this.#names = new Map()
    this.#durableNames = new Map()
    this.#changes = []
    this.#trace('disk wipe')
  }

  snapshot(): DiskImage {
    return new Map([...this.#names].map(([name, file]) => [name, Buffer.from(file.content())]))
  }

  /** Replaces everything by a copy taken earlier, here or elsewhere; durable at once. */
  restore(image: DiskImage): void {
    this.#names = new Map([...image].map(([name, bytes]) => [name, new SimulatedFile(bytes)]))
    this.#durableNames = new Map(this.#names)
    this.#changes = []
    this.#trace('disk restore')
  }

  /** What a power cut that loses all it may would leave. */
  syncedImage(): DiskImage {
    return new Map([...this.#durableNames].map(([name, file]) => [name, Buffer.from(file.syncedContent())]))
  }

  /** Flips one bit of what lies on the platter. Returns where, or null when there is nothing to damage. */
  rot(matching: (name: string) => boolean = () => true): { name: string; position: number } | null {
    const names = [...this.#names].filter(([name, file]) => file.syncedSize > 0 && matching(name)).sort(byName)
    if (names.length === 0) return null
    let at = this.#random.integer(
      0,
      names.reduce((sum, [, file]) => sum + file.syncedSize, 0),
    )
    for (const [name, file] of names) {
      if (at >= file.syncedSize) {
        at -= file.syncedSize
        continue
      }
      file.flip(at, 1 << this.#random.integer(0, 8))
      this.counters.bitRot++
      this.#trace(`disk rot ${name} ${at}`)
      return { name, position: at }
    }
    return null
  }

  /** Like `rot`, but never in what the last sync of a file wrote: damage there cannot be told from a torn write. */
  rotBeforeLastSync(): { name: string; position: number } | null {
    const files = [...this.#names].filter(([, file]) => file.lastSyncFrom > 0).sort(byName)
    if (files.length === 0) return null
    const [name, file] = this.#random.pick(files)
    const position = this.#random.integer(0, file.lastSyncFrom)
    file.flip(position, 1 << this.#random.integer(0, 8))
    this.counters.bitRot++
    this.#trace(`disk rot ${name} ${position}`)
    return { name, position }
  }

  /** How often something that was synced was destroyed. */
  get harms(): number {
    return this.counters.wipes + this.counters.bitRot
  }

  get usedBytes(): number {
    let used = 0
    for (const file of this.#names.values()) used += file.size
    return used
  }

  /** What would be there after a power cut that loses all it may: the checkers' view of durability. */
  syncedContent(name: string): Uint8Array | null {
    return this.#durableNames.get(name)?.syncedContent() ?? null
  }

  syncedNames(): readonly string[] {
    return [...this.#durableNames.keys()].sort()
  }

  #open(process: SimulatedProcess, name: string, mode: OpenMode): DiskFile {
    let file = this.#names.get(name)
    if (mode === 'existing' && file === undefined) throw systemError('ENOENT', name)
    if (mode !== 'existing') {
      if (file !== undefined) throw systemError('EEXIST', name)
      const created = new SimulatedFile(new Uint8Array(0), mode === 'create-log')
      this.#change((names) => names.set(name, created))
      file = created
    }
    if (file === undefined) throw systemError('ENOENT', name)
    return this.#handle(process, name, file, mode === 'create-log')
  }

  #handle(process: SimulatedProcess, name: string, file: SimulatedFile, isLog: boolean): DiskFile {
    let open = true
    const guarded = <T>(what: string, cost: number, act: () => T): Promise<T> =>
      this.#operate(process, `${what} ${name}`, cost, () => {
        if (!open) throw systemError('EBADF', name)
        return act()
      })
    return {
      get size() {
        return file.size
      },
      append: (chunks) => {
        // Into the page cache at once, in the order of the calls; the answer comes later.
        if (!process.alive) return new Promise(() => {})
        if (!open) return Promise.reject(systemError('EBADF', name))
        const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
        if (this.usedBytes + length > this.faults.capacityBytes) {
          this.counters.full++
          return guarded('append-full', 1, () => {
            throw systemError('ENOSPC', name)
          })
        }
        file.append(chunks)
        if (!isLog) return guarded(`append ${length}`, 1, () => {})
        const promised = file.capture()
        return guarded(`append-synced ${length}`, 11, () => this.#sync(name, file, promised))
      },
      read: (position, length) =>
        guarded(`read ${position} ${length}`, 1, () => {
          if (this.#random.chance(this.faults.readError)) {
            this.counters.readErrors++
            throw systemError('EIO', name)
          }
          return file.read(position, length)
        }),
      sync: () => {
        const promised = file.capture()
        return guarded('sync', 10, () => this.#sync(name, file, promised))
      },
      truncate: (size) => guarded(`truncate ${size}`, 1, () => file.truncate(size)),
      close: () =>
        guarded('close', 1, () => {
          open = false
          file.close()
        }),
    }
  }

  #sync(name: string, file: SimulatedFile, promised: PendingSync): void {
    if (this.#random.chance(this.faults.syncError)) {
      this.counters.syncErrors++
      file.failSync(promised)
      throw systemError('EIO', name)
    }
    file.commit(promised)
    if (this.#random.chance(this.faults.misdirectedWrite) && file.misdirect(promised, this.#random)) {
      this.counters.misdirectedWrites++
    }
  }

  #change(change: NameChange): void {
    this.#changes.push(change)
    change(this.#names)
  }

  /** The oldest `count` name changes become durable: a journal keeps their order. */
  #settle(count: number): void {
    for (const change of this.#changes.splice(0, count)) change(this.#durableNames)
  }

  /** Runs `act` after a while, in the process; never, if that has died by then. */
  #operate<T>(process: SimulatedProcess, what: string, cost: number, act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!process.alive) return
      process.after(this.#random.exponential(this.faults.meanMs * cost), () => {
        this.#trace(`disk ${process.name} ${what}`)
        this.beforeOperation?.(what)
        if (!process.alive) return
        let settle: () => void
        try {
          const result = act()
          settle = (): void => resolve(result)
        } catch (error) {
          settle = (): void => reject(error)
        }
        this.afterOperation?.(what)
        if (process.alive) settle()
      })
    })
  }
}

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0
}
