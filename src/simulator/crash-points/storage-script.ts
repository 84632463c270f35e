// One storage on one simulated disk, told by a script what to do: opened, changed, synced, closed, and now and then crashed by the script
// itself. Decides what must be found after a crash at any operation. Invariant: the same script makes the same operations every time, up
// to the one at which it is crashed.

import type { Disk } from '../../ports/disk.ts'
import { SILENT_LOGGER } from '../../telemetry/log.ts'
import { Storage } from '../../storage/storage.ts'
import { SeededRandom } from '../seeded-random.ts'
import { SimulatedDisk } from '../simulated-disk.ts'
import { SimulatedProcess } from '../simulated-process.ts'
import { VirtualTime } from '../virtual-clock.ts'
import { contentOf } from './content.ts'

export interface StorageLimits {
  readonly segmentBytesMax: number
  readonly checkpointBytesMin: number
}

export interface StorageScript {
  readonly name: string
  readonly limits: StorageLimits
  run(stage: ScriptStage): Promise<void>
}

export class ScriptStage {
  readonly time: VirtualTime = new VirtualTime()
  readonly random: SeededRandom
  readonly disk: SimulatedDisk
  /** What the disk was asked to do so far. */
  readonly operations: string[] = []
  /** The content after each change; null where nobody wants to know it. */
  readonly contents: string[] | null
  /** Contents so far. */
  made = 0
  /** A crash may bring back no content before this one. −1: not even an empty storage was promised. */
  promised = -1
  identity: string | null = null
  /** Of runs that have ended. */
  checkpoints = 0
  readonly #limits: StorageLimits
  #process: SimulatedProcess | null = null
  #storage: Storage | null = null
  #starts = 0

  constructor(script: StorageScript, contents: string[] | null) {
    this.#limits = script.limits
    this.contents = contents
    this.random = new SeededRandom(`crash points ${script.name}`)
    this.disk = new SimulatedDisk({ random: this.random.fork('disk') })
    this.disk.beforeOperation = (what): void => void this.operations.push(what)
  }

  get storage(): Storage {
    if (!this.#storage) throw new RangeError('the script has no storage open')
    return this.#storage
  }

  async open(): Promise<Storage> {
    const storage = await this.start()
    this.#storage = storage
    this.identity = storage.identity
    this.#note()
    // What was found is as durable as what is promised.
    this.promised = this.made - 1
    return storage
  }

  /** One more process on the disk as it is. */
  start(): Promise<Storage> {
    const process = new SimulatedProcess(this.time, `run ${++this.#starts}`)
    this.#process = process
    return this.#open(this.disk.attach(process), process)
  }

  #open(disk: Disk, process: SimulatedProcess): Promise<Storage> {
    return Storage.open({
      disk,
      clock: process.clock,
      random: this.random.fork(process.name),
      logger: SILENT_LOGGER,
      hintBytesMax: 1 << 20,
      bytesMax: 1 << 30,
      ...this.#limits,
    })
  }

  /** One change; durable when the promise resolves. */
  change(make: (storage: Storage) => void): Promise<void> {
    const { storage } = this
    const before = storage.lastLsn
    make(storage)
    if (storage.lastLsn === before) return Promise.resolve()
    this.#note()
    const content = this.made - 1
    return storage.synced(storage.lastLsn).then(() => {
      this.promised = Math.max(this.promised, content)
    })
  }

  #note(): void {
    this.made++
    this.contents?.push(contentOf(this.storage))
  }

  /** Lets the disk work on; an operation takes some 20 µs, a sync ten times as long. */
  pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => void this.#process?.after(milliseconds, resolve))
  }

  async close(): Promise<void> {
    await this.storage.close()
    this.#end()
  }

  /** Ends the process in the middle of whatever it does. */
  crash(how: 'killed' | 'power-cut' | 'nothing'): void {
    this.#end()
    if (how === 'power-cut') this.disk.powerCut()
  }

  #end(): void {
    this.#process?.kill()
    this.checkpoints += this.#storage?.stats.checkpoints ?? 0
    this.#storage = null
  }
}
