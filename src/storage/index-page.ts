// A stretch of one partition's index: (hash, reference) pairs in the order of their hashes, in an open-addressing table whose home
// positions ascend with the hash (ordered linear probing: Amble and Knuth, "Ordered hash tables", 1974). So one table serves look-ups
// and listings, and growing it is a copy in order. Knows nothing of what references name; who has equal hashes is the caller's to order.
// Invariant: from an entry's home to the entry there is no empty slot, and hashes ascend.

/** Beyond this many entries a page is split in two, so that no insertion ever moves more than these. */
const ENTRIES_MAX = 3072
/** A page is made anew when it is fuller than the first; then it is as full as the second. */
const LOAD = { most: 0.86, made: 0.62 }
/** What comes in ascending order, as checkpoints are read, finds so much more of the page's stretch made ready for it. */
const AHEAD = 1.5
const HOMES_MIN = 8
/** Slots behind the last home, for what is pushed there. */
const SPILL = 8

/** What a page costs besides its slots: its object and that of the typed array. */
export const PAGE_OVERHEAD_BYTES = 320

export class IndexPage {
  /** Where it begins: the least hash that belongs here. */
  readonly from: number
  /** Two words an entry: hash, reference. A reference of 0 is an empty slot. */
  #slots: Uint32Array
  #count = 0
  /** A hash's home is its place between these; what lies outside them (nothing, when it was made) is at home at the ends. */
  #low = 0
  #scale = 0
  #homes = HOMES_MIN

  constructor(from: number) {
    this.from = from
    this.#slots = new Uint32Array(2 * (HOMES_MIN + SPILL))
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#slots.byteLength + PAGE_OVERHEAD_BYTES
  }

  /** Slots there are; a slot is told by its number. */
  get size(): number {
    return this.#slots.length >>> 1
  }

  /** 0: the slot is empty, or there is none of this number. */
  ref(slot: number): number {
    return this.#slots[2 * slot + 1] ?? 0
  }

  hash(slot: number): number {
    return this.#slots[2 * slot] as number
  }

  setRef(slot: number, ref: number): void {
    this.#slots[2 * slot + 1] = ref
  }

  #home(hash: number): number {
    const place = Math.floor((hash - this.#low) * this.#scale)
    return place < 0 ? 0 : place < this.#homes ? place : this.#homes - 1
  }

  /** Where the first entry of this hash is, or would be inserted before all others of it. */
  seek(hash: number): number {
    const slots = this.#slots
    let slot = this.#home(hash)
    while ((slots[2 * slot + 1] ?? 0) !== 0 && (slots[2 * slot] as number) < hash) slot++
    return slot
  }

  /** The first entry at this slot or behind it; `size` where there is none. */
  next(slot: number): number {
    const { size } = this
    let at = slot
    while (at < size && this.#slots[2 * at + 1] === 0) at++
    return at
  }

  /**
   * `slot` is where `seek` led, or behind entries of the same hash. False: there is no room, nothing has changed, and the page must be
   * made anew first.
   */
  insert(slot: number, hash: number, ref: number): boolean {
    const { size } = this
    if (this.#count >= LOAD.most * this.#homes) return false
    let free = slot
    while (free < size && this.#slots[2 * free + 1] !== 0) free++
    if (free >= size) return false
    this.#slots.copyWithin(2 * (slot + 1), 2 * slot, 2 * free)
    this.#slots[2 * slot] = hash
    this.#slots[2 * slot + 1] = ref
    this.#count++
    return true
  }

  /** Those behind it move back as far as their homes allow. */
  remove(slot: number): void {
    const slots = this.#slots
    const { size } = this
    let end = slot + 1
    while (end < size && slots[2 * end + 1] !== 0 && this.#home(slots[2 * end] as number) < end) end++
    slots.copyWithin(2 * slot, 2 * (slot + 1), 2 * end)
    slots[2 * (end - 1)] = 0
    slots[2 * (end - 1) + 1] = 0
    this.#count--
  }

  /** So few are left that the page is better made anew. */
  get isSparse(): boolean {
    return this.#homes > HOMES_MIN && this.#count < LOAD.made * 0.5 * this.#homes
  }

  /** What takes its place, with room for `hash` and more: one page, or two where one would be too large. */
  remade(hash: number): IndexPage[] {
    const entries = this.#entries()
    const count = entries.length / 2
    const ahead = count > 0 && hash > (entries[2 * count - 2] as number) ? AHEAD : 1
    let middle = count > ENTRIES_MAX ? count >> 1 : 0
    // Entries of one hash stay together.
    while (middle > 0 && middle < count && entries[2 * middle] === entries[2 * middle - 2]) middle++
    if (middle === 0 || middle === count) return [IndexPage.#of(this.from, entries, ahead)]
    return [
      IndexPage.#of(this.from, entries.subarray(0, 2 * middle), 1),
      IndexPage.#of(entries[2 * middle] as number, entries.subarray(2 * middle), ahead),
    ]
  }

  /** Without the empty slots. */
  #entries(): Uint32Array {
    const entries = new Uint32Array(2 * this.#count)
    let at = 0
    for (let slot = this.next(0); slot < this.size; slot = this.next(slot + 1)) {
      entries[at++] = this.#slots[2 * slot] as number
      entries[at++] = this.#slots[2 * slot + 1] as number
    }
    return entries
  }

  static #of(from: number, entries: Uint32Array, ahead: number): IndexPage {
    const page = new IndexPage(from)
    const count = entries.length / 2
    if (count === 0) return page
    const low = entries[0] as number
    page.#homes = Math.max(HOMES_MIN, Math.ceil((ahead * count) / LOAD.made))
    page.#low = low
    page.#scale = page.#homes / (ahead * ((entries[2 * count - 2] as number) - low + 1))
    // Hashes that lie close together push each other on, in the worst case all of them behind the last home.
    let last = -1
    for (let i = 0; i < count; i++) last = Math.max(last + 1, page.#home(entries[2 * i] as number))
    const slots = new Uint32Array(2 * (Math.max(page.#homes, last + 1) + SPILL))
    last = -1
    for (let i = 0; i < count; i++) {
      last = Math.max(last + 1, page.#home(entries[2 * i] as number))
      slots[2 * last] = entries[2 * i] as number
      slots[2 * last + 1] = entries[2 * i + 1] as number
    }
    page.#slots = slots
    page.#count = count
    return page
  }
}
