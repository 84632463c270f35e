// One file's bytes twice: as programs see them (page cache) and as the platter holds them, with what differs between the two.
// Knows nothing of names, processes or rates. Invariant: outside the dirty and lost ranges both are equal up to the synced size.

import type { SeededRandom } from './seeded-random.ts'

const SECTOR_BYTES = 512

/** Half-open. */
interface Range {
  readonly from: number
  readonly to: number
}

/** What a sync in flight will make durable. */
export interface PendingSync {
  readonly ranges: readonly Range[]
  readonly size: number
  readonly truncations: number
  /** The least size the file was cut to since the last sync, or Infinity. */
  readonly cutTo: number
}

export function systemError(code: string, name: string): Error {
  return Object.assign(new Error(`${code}: ${name}`), { code })
}

export class SimulatedFile {
  #cached: Buffer
  #size: number
  #platter: Buffer
  #syncedSize: number
  #dirty: Range[] = []
  #truncations = 0
  #cutTo = Infinity
  #lastSyncFrom: number
  #isOpenLog: boolean
  #appends = 0

  /** Starts with durable content. */
  constructor(content: Uint8Array, isLog = false) {
    this.#isOpenLog = isLog
    this.#cached = Buffer.from(content)
    this.#platter = Buffer.from(content)
    this.#size = content.length
    this.#syncedSize = content.length
    this.#lastSyncFrom = content.length
  }

  /** Where the last sync that wrote something began. */
  get lastSyncFrom(): number {
    return Math.min(this.#lastSyncFrom, this.#syncedSize)
  }

  get size(): number {
    return this.#size
  }

  get syncedSize(): number {
    return this.#syncedSize
  }

  content(): Uint8Array {
    return this.#cached.subarray(0, this.#size)
  }

  /** The platter's bytes that a crash cannot take away. */
  syncedContent(): Uint8Array {
    return this.#platter.subarray(0, this.#syncedSize)
  }

  close(): void {
    this.#isOpenLog = false
  }

  /** The process is gone: a log that it did not close may show the room that was made ahead of it (not before its second append). */
  leave(random: SeededRandom): void {
    if (this.#isOpenLog && this.#appends > 1) this.append([new Uint8Array(random.pick([0, 1, 300, 3000]))])
    this.#isOpenLog = false
  }

  append(chunks: readonly Uint8Array[]): void {
    this.#appends++
    const from = this.#size
    let to = from
    for (const chunk of chunks) {
      this.#cached = roomFor(this.#cached, to + chunk.length, Buffer.allocUnsafe)
      this.#cached.set(chunk, to)
      to += chunk.length
    }
    if (to === from) return
    this.#size = to
    const last = this.#dirty.at(-1)
    if (last?.to === from) this.#dirty[this.#dirty.length - 1] = { from: last.from, to }
    else this.#dirty.push({ from, to })
  }

  read(position: number, length: number): Uint8Array {
    return new Uint8Array(this.#cached.subarray(position, Math.min(this.#size, position + length)))
  }

  truncate(size: number): void {
    if (size > this.#size) throw systemError('EINVAL', 'truncate beyond the end')
    this.#size = size
    this.#truncations++
    this.#cutTo = Math.min(this.#cutTo, size)
    this.#dirty = clip(this.#dirty, size)
  }

  capture(): PendingSync {
    return { ranges: this.#dirty.slice(), size: this.#size, truncations: this.#truncations, cutTo: this.#cutTo }
  }

  commit(sync: PendingSync): void {
    // Cut since: only what is still there can become durable.
    const size = Math.min(sync.size, this.#size)
    const ranges = clip(sync.ranges, size)
    if (sync.cutTo < this.#syncedSize) this.#resize(sync.cutTo)
    if (sync.truncations === this.#truncations) this.#cutTo = Infinity
    for (const range of ranges) this.#write(range.from, this.#cached.subarray(range.from, range.to))
    if (ranges.length > 0) this.#lastSyncFrom = Math.min(...ranges.map(({ from }) => from))
    this.#resize(Math.max(size, this.#syncedSize))
    this.#dirty = this.#dirty.flatMap((range) => without(range, ranges))
  }

  /** The pages count as clean from now on and never reach the platter: a later sync "succeeds" without them. */
  failSync(sync: PendingSync): void {
    this.#dirty = this.#dirty.flatMap((range) => without(range, sync.ranges))
  }

  /** One sector of what was just synced went to another place of the same file. */
  misdirect(sync: PendingSync, random: SeededRandom): boolean {
    const sectors = Math.floor(this.#syncedSize / SECTOR_BYTES)
    const range = clip(sync.ranges, this.#syncedSize)[0]
    if (range === undefined || sectors < 2) return false
    const source = Math.min(Math.floor(range.from / SECTOR_BYTES), sectors - 1)
    const target = random.integer(0, sectors)
    if (target === source) return false
    const bytes = this.#platter.subarray(source * SECTOR_BYTES, (source + 1) * SECTOR_BYTES)
    this.#platter.set(bytes, target * SECTOR_BYTES)
    this.#platter.fill(0, Math.max(range.from, source * SECTOR_BYTES), (source + 1) * SECTOR_BYTES)
    return true
  }

  flip(position: number, mask: number): void {
    this.#platter[position] = (this.#platter[position] as number) ^ mask
    if (position < this.#size) this.#cached[position] = (this.#cached[position] as number) ^ mask
  }

  /** Keeps a random part of what was not synced, sector by sector; true when something was lost or torn. */
  loseUnsynced(random: SeededRandom): boolean {
    const untouched = this.#dirty.length === 0 && this.#size === this.#syncedSize
    if (!untouched) {
      const size = random.pick([this.#syncedSize, this.#size, random.integer(0, this.#size + 1)])
      // A file never shrinks below what was synced, but by a truncation that reached the disk.
      const kept =
        this.#size < this.#syncedSize ? random.pick([this.#size, this.#syncedSize]) : Math.max(size, this.#syncedSize)
      const survival = random.pick([0, 0.5, 0.9, 1])
      this.#resize(kept)
      for (const range of clip(this.#dirty, kept)) {
        for (let at = range.from; at < range.to;) {
          const to = Math.min(range.to, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES)
          if (random.chance(survival)) this.#write(at, this.#cached.subarray(at, to))
          at = to
        }
      }
    }
    this.#cached = Buffer.from(this.syncedContent())
    this.#size = this.#syncedSize
    this.#dirty = []
    this.#cutTo = Infinity
    return !untouched
  }

  #write(at: number, bytes: Uint8Array): void {
    this.#platter = roomFor(this.#platter, at + bytes.length)
    this.#platter.set(bytes, at)
  }

  /** New room reads as zeros, like a hole. */
  #resize(size: number): void {
    this.#platter = roomFor(this.#platter, size)
    if (size < this.#syncedSize) this.#platter.fill(0, size, this.#syncedSize)
    this.#syncedSize = size
  }
}

function roomFor(buffer: Buffer, bytes: number, allocate: (bytes: number) => Buffer = Buffer.alloc): Buffer {
  if (bytes <= buffer.length) return buffer
  const larger = allocate(Math.max(bytes, buffer.length * 2, 4096))
  buffer.copy(larger)
  return larger
}

function clip(ranges: readonly Range[], size: number): Range[] {
  return ranges
    .filter((range) => range.from < size)
    .map((range) => ({ from: range.from, to: Math.min(range.to, size) }))
}

function without(range: Range, removed: readonly Range[]): Range[] {
  let rest: Range[] = [range]
  for (const cut of removed) {
    rest = rest.flatMap((part) => {
      if (cut.to <= part.from || cut.from >= part.to) return [part]
      const pieces: Range[] = []
      if (part.from < cut.from) pieces.push({ from: part.from, to: cut.from })
      if (cut.to < part.to) pieces.push({ from: cut.to, to: part.to })
      return pieces
    })
  }
  return rest
}
