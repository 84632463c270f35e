// Which checkpoints and segments are there, and which of them have had their time. Knows nothing of when a checkpoint is due.
// Invariant: no file goes before what replaces it is durable under its name, and no segment that a checkpoint in force may need.

import type { Disk } from '../ports/disk.ts'
import { checkpointName, QUARANTINE, segmentName } from './file-header.ts'
import type { Log } from './log.ts'
import type { StoredFile } from './recovery.ts'
import { type Coverage, firstBatchOf, firstNeeded, type Layer, layered, layersOf, NOTHING } from './units.ts'

/** A checkpoint that is there. */
export interface HeldCheckpoint extends Coverage {
  readonly name: string
  readonly bytes: number
}

interface HeldSegment {
  readonly name: string
  readonly number: number
  readonly bytes: number
  /** 0: unknown. */
  readonly batch: number
}

export interface CheckpointFilesOptions {
  readonly disk: Disk
  readonly log: Log
  /** What recovery found. */
  readonly files: readonly StoredFile[]
  readonly damaged: ReadonlySet<string>
}

export class CheckpointFiles {
  readonly #disk: Disk
  readonly #log: Log
  #checkpoints: readonly HeldCheckpoint[]
  /** Of earlier runs. */
  #segments: readonly HeldSegment[]
  #damaged: ReadonlySet<string>
  #layers: Layer<Coverage>[]
  #nextNumber: number
  // Asked for after every sync.
  #checkpointBytes = 0
  #oldLogBytes = 0

  constructor({ disk, log, files, damaged }: CheckpointFilesOptions) {
    this.#disk = disk
    this.#log = log
    this.#damaged = damaged
    const checkpoints = files.filter(({ kind }) => kind === 'checkpoint').sort((a, b) => a.number - b.number)
    this.#checkpoints = checkpoints.map(({ name, bytes, header }) => ({ ...(header ?? NOTHING), name, bytes }))
    this.#segments = files
      .filter(({ kind }) => kind === 'segment')
      .map(({ name, number, bytes, header }) => ({ name, number, bytes, batch: header?.batch ?? 0 }))
    // With damage it says nothing: then everything is written again before anything goes.
    this.#layers = layersOf<Coverage>(NOTHING, this.#checkpoints)
    this.#nextNumber = Math.max(0, ...checkpoints.map(({ number }) => number)) + 1
    this.#measure()
  }

  #measure(): void {
    this.#checkpointBytes = this.#checkpoints.reduce((sum, { bytes }) => sum + bytes, 0)
    this.#oldLogBytes = this.#segments.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  get isDamaged(): boolean {
    return this.#damaged.size > 0
  }

  get layers(): readonly Layer<Coverage>[] {
    return this.#layers
  }

  get checkpointBytes(): number {
    return this.#checkpointBytes
  }

  get logBytes(): number {
    let bytes = this.#oldLogBytes
    for (const file of this.#log.segments.values()) bytes += file.bytes
    return bytes
  }

  get segments(): number {
    return this.#segments.length + this.#log.segments.size
  }

  takeNumber(): number {
    return this.#nextNumber++
  }

  /** A checkpoint is durable under its name. */
  published(number: number, coverage: Coverage, bytes: number): void {
    const held = { ...coverage, name: checkpointName(number), bytes }
    this.#checkpoints = [...this.#checkpoints, held]
    this.#layers = layered(this.#layers, held)
    this.#measure()
  }

  /** From now on nothing that was there before counts: the checkpoints to come replace all of it. */
  discardAll(): void {
    this.#layers = layersOf<Coverage>(NOTHING, [])
  }

  /** Removes what counts for nothing any more; of that, what is damaged is set aside. */
  async clear(): Promise<void> {
    if (this.isDamaged && this.#layers.some(({ by }) => by === NOTHING)) throw new Error('damage is settled by halves')
    const inForce = new Set(this.#layers.map(({ by }) => by))
    const checkpoints = this.#checkpoints.filter((file) => !inForce.has(file))
    const own = [...this.#log.segments].map(([number, { bytes, batch }]) => ({
      name: segmentName(number),
      ...{ number, bytes, batch },
    }))
    const all = [...this.#segments, ...own].sort((a, b) => a.number - b.number)
    const needed = firstNeeded(all, firstBatchOf(this.#layers))
    const segments = all.filter(({ number }) => number < needed)
    if (checkpoints.length + segments.length === 0) return
    const names = new Set(await this.#disk.list())
    // In order: what is left of the log after a crash has no hole.
    for (const { name } of [...checkpoints, ...segments]) {
      if (!names.has(name)) continue
      if (!this.#damaged.has(name)) await this.#disk.remove(name)
      else await this.#disk.rename(name, freeName(`${QUARANTINE}${name}`, names))
    }
    await this.#disk.syncDirectory()
    this.#checkpoints = this.#checkpoints.filter((file) => inForce.has(file))
    this.#segments = this.#segments.filter(({ number }) => number >= needed)
    this.#log.forgetBelow(needed)
    this.#measure()
  }

  /** Everything damaged was replaced and set aside. */
  settled(): void {
    this.#damaged = new Set()
  }
}

/** An earlier one of the same name is kept too. */
function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted
  for (let i = 2; taken.has(name); i++) name = `${wanted}.${i}`
  taken.add(name)
  return name
}
