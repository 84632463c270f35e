// Memory for items outside the JavaScript heap: segments that are filled one after the other and cleaned when too much in them is dead
// (Rumble, Kejriwal, Ousterhout, "Log-structured memory for DRAM-based storage", FAST 2014). Decides where bytes lie and which segment
// is cleaned next; its owner knows the items. Invariant: a reference stays where it is until its owner frees or moves it, and cleaning
// works in steps that are bounded by what was made dead.

import { invariant } from '../errors.ts'

/** What an item begins at is a multiple of this. */
export const UNIT_BYTES = 4
const OFFSET_BITS = 18
/** Up to 2^18 units: more than a segment is only for a single item. */
const SEGMENT_BYTES_MAX = UNIT_BYTES << OFFSET_BITS
const SEGMENT_BYTES_MIN = 16 << 10
/** 14 bits of a reference: 16 GiB in segments of full size. */
const SEGMENTS_MAX = 1 << (32 - OFFSET_BITS)
/** Numbers that are kept for cleaning. */
const SEGMENTS_RESERVED = 16
/** A larger item gets a segment for itself; smaller ones leave at most this much of a segment empty. */
const ALONE_BYTES = SEGMENT_BYTES_MAX / 4
/** The part of what is used that may be dead before cleaning begins. */
const DEAD_SHARE_MAX = 0.08
/** Bytes looked at for each that was made dead, however little a segment gives back. */
const EFFORT_MAX = 24
/** So much faster than things die. */
const HASTE = 1.25
/** Bytes looked at in one step. */
const STEP_BYTES_MAX = 128 << 10
/** Empty segments that are kept for the next ones. */
const SPARE_MAX = 2

/** Segment and offset in units, in 32 bits; 0 is none. */
export type Ref = number

interface Segment {
  readonly number: number
  readonly buffer: Buffer
  /** Where the next item goes. */
  used: number
  /** Of `used`, in items that are not freed. */
  live: number
}

/** Who knows the items. */
export interface ArenaOwner {
  /** Bytes of the item that begins here, whether it is live or dead; a multiple of `UNIT_BYTES`. */
  sizeAt(buffer: Buffer, offset: number): number
  /** Copies the item to a place of `Arena.survive` if it is live. */
  clean(ref: Ref, buffer: Buffer, offset: number, bytes: number): void
}

export class Arena {
  readonly #owner: ArenaOwner
  readonly #deadBytesMin: number
  /** By number; 0 is never used. */
  readonly #segments: (Segment | null)[] = [null]
  readonly #free: number[] = []
  #spare: Buffer[] = []
  readonly #own = new WeakSet<ArrayBufferLike>()
  /** Where new items go, and where those that survive a cleaning go: what was overwritten lately will be again. */
  #head: Segment | null = null
  #survivors: Segment | null = null
  /** The segment that is being cleaned, and how far it is. */
  #victim: Segment | null = null
  #cleanedTo = 0
  /** Bytes of it to be looked at for each that is made dead. */
  #effort = 0
  /** Bytes to be looked at, for what was made dead. */
  #debt = 0
  #bytes = 0
  #live = 0
  #dead = 0

  /** So many dead bytes are not worth cleaning, whatever their part is. */
  constructor(owner: ArenaOwner, deadBytesMin = 0) {
    this.#owner = owner
    this.#deadBytesMin = deadBytesMin
  }

  /** Of all segments, and of the spare ones. */
  get bytes(): number {
    return this.#bytes
  }

  get liveBytes(): number {
    return this.#live
  }

  /** No number for another segment is left. */
  get isExhausted(): boolean {
    return this.#free.length === 0 && this.#segments.length >= SEGMENTS_MAX - SEGMENTS_RESERVED
  }

  /** Bytes in it may change or move. */
  isOwn(buffer: ArrayBufferLike): boolean {
    return this.#own.has(buffer)
  }

  bufferOf(ref: Ref): Buffer {
    return (this.#segments[ref >>> OFFSET_BITS] as Segment).buffer
  }

  /** In `bufferOf`. */
  offsetOf(ref: Ref): number {
    return (ref & ((1 << OFFSET_BITS) - 1)) * UNIT_BYTES
  }

  /** Room for so many bytes, a multiple of `UNIT_BYTES`; what is in it is left over. */
  allocate(bytes: number): Ref {
    if (this.isExhausted) throw new RangeError('the arena has no number for another segment')
    if (bytes > ALONE_BYTES) return this.#take(this.#newSegment(bytes), bytes)
    if (this.#head === null || this.#head.buffer.length - this.#head.used < bytes) {
      const before = this.#head
      this.#head = this.#newSegment(bytes)
      if (before?.live === 0) this.#emptied(before)
    }
    return this.#take(this.#head, bytes)
  }

  /** Room for an item that is moved by cleaning. */
  survive(bytes: number): Ref {
    if (this.#survivors === null || this.#survivors.buffer.length - this.#survivors.used < bytes) {
      const before = this.#survivors
      this.#survivors = this.#newSegment(bytes)
      if (before?.live === 0) this.#emptied(before)
    }
    return this.#take(this.#survivors, bytes)
  }

  #take(segment: Segment, bytes: number): Ref {
    const offset = segment.used
    segment.used += bytes
    segment.live += bytes
    this.#live += bytes
    return ((segment.number << OFFSET_BITS) | (offset / UNIT_BYTES)) >>> 0
  }

  #newSegment(bytes: number): Segment {
    const number = this.#free.at(-1) ?? this.#segments.length
    if (number >= SEGMENTS_MAX) throw new RangeError('the arena has no number for another segment')
    const segment = { number, buffer: this.#buffer(bytes), used: 0, live: 0 }
    if (number < this.#segments.length) this.#free.pop()
    this.#segments[number] = segment
    return segment
  }

  /** Small as long as little is held: many storages are small, and half a segment is always empty. */
  #buffer(bytes: number): Buffer {
    if (bytes > ALONE_BYTES) return this.#made(bytes)
    const wanted = Math.min(
      SEGMENT_BYTES_MAX,
      Math.max(SEGMENT_BYTES_MIN, 2 ** Math.floor(Math.log2(this.#bytes / 8 + 1))),
    )
    const spare = this.#spare.at(-1)
    if (spare !== undefined && spare.length >= Math.max(bytes, wanted)) return this.#spare.pop() as Buffer
    const length = Math.max(wanted, Math.ceil(bytes / SEGMENT_BYTES_MIN) * SEGMENT_BYTES_MIN)
    return this.#made(length)
  }

  #made(bytes: number): Buffer {
    const made = Buffer.allocUnsafeSlow(bytes)
    this.#own.add(made.buffer)
    this.#bytes += bytes
    return made
  }

  /** The item is dead. */
  free(ref: Ref, bytes: number): void {
    const segment = this.#segments[ref >>> OFFSET_BITS] as Segment
    segment.live -= bytes
    this.#live -= bytes
    this.#dead += bytes
    if (segment.live === 0 && segment !== this.#victim) this.#emptied(segment)
  }

  #emptied(segment: Segment): void {
    invariant(segment.live === 0, 'what is let go holds nothing')
    this.#dead -= segment.used
    segment.used = 0
    if (segment === this.#head || segment === this.#survivors) return
    this.#segments[segment.number] = null
    this.#free.push(segment.number)
    const { buffer } = segment
    if (buffer.length === SEGMENT_BYTES_MAX && this.#spare.length < SPARE_MAX) this.#spare.push(buffer)
    else this.#bytes -= buffer.length
  }

  /** To be called after so many bytes were freed: cleans a little where too much is dead. */
  tidy(deadBytes: number): void {
    const victim = (this.#victim ??= this.#nextVictim())
    if (victim === null) return
    this.#debt += deadBytes * this.#effort
    const end = Math.min(victim.used, this.#cleanedTo + Math.min(this.#debt, STEP_BYTES_MAX))
    this.#debt -= end - this.#cleanedTo
    while (this.#cleanedTo < end) this.#cleanNext(victim)
    if (this.#cleanedTo < victim.used) return
    this.#victim = null
    this.#emptied(victim)
  }

  #cleanNext(victim: Segment): void {
    const offset = this.#cleanedTo
    const bytes = this.#owner.sizeAt(victim.buffer, offset)
    this.#owner.clean(((victim.number << OFFSET_BITS) | (offset / UNIT_BYTES)) >>> 0, victim.buffer, offset, bytes)
    // Not before: where nothing could be allocated, the item is looked at again.
    this.#cleanedTo += bytes
  }

  /** The one that gives back most, when it is time. */
  #nextVictim(): Segment | null {
    if (this.#dead <= Math.max(this.#deadBytesMin, DEAD_SHARE_MAX * (this.#live + this.#dead))) return null
    let best: Segment | null = null
    for (const segment of this.#segments) {
      if (segment === null || segment === this.#head || segment === this.#survivors) continue
      if (best === null || segment.used - segment.live > best.used - best.live) best = segment
    }
    if (best === null || best.used === best.live) return null
    this.#cleanedTo = 0
    this.#debt = 0
    // So that all of it has been looked at before as much again has died as it gives back.
    this.#effort = Math.min(EFFORT_MAX, HASTE * (best.used / (best.used - best.live)))
    return best
  }
}
