// The arena beside a plain map of what is in it: random items come and go, cleaning moves them, and nothing of them changes.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Arena, type Ref } from '../../src/storage/arena.ts'
import { PackedMemtable } from '../../src/storage/packed-memtable.ts'

const SIZES = [12, 160, 4096, 70_000, 300_000]

type Step = readonly [kind: 'add' | 'free' | 'replace', which: number, size: number]

const STEP: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom('add', 'add', 'free', 'replace', 'replace'),
  fc.nat(),
  fc.nat(SIZES.length - 1).map((at) => SIZES[at] as number),
)

/** Items that begin with their size and identity, and are filled with it. */
class Owner {
  readonly refs = new Map<number, { ref: Ref; bytes: number }>()
  readonly arena: Arena
  /** In no order. */
  readonly #ids: number[] = []
  moved = 0
  #nextId = 1

  constructor(deadBytesMin: number) {
    this.arena = new Arena(
      {
        sizeAt: (buffer, offset) => buffer.readUInt32LE(offset),
        clean: (ref, buffer, offset, bytes) => {
          const held = this.refs.get(buffer.readUInt32LE(offset + 4))
          if (held?.ref !== ref) return
          held.ref = this.arena.survive(bytes)
          buffer.copy(this.arena.bufferOf(held.ref), this.arena.offsetOf(held.ref), offset, offset + bytes)
          this.arena.free(ref, bytes)
          this.moved++
        },
      },
      deadBytesMin,
    )
  }

  add(bytes: number): void {
    const ref = this.arena.allocate(bytes)
    const id = this.#nextId++
    const buffer = this.arena.bufferOf(ref)
    const offset = this.arena.offsetOf(ref)
    buffer.fill(id, offset, offset + bytes)
    buffer.writeUInt32LE(bytes, offset)
    buffer.writeUInt32LE(id, offset + 4)
    this.refs.set(id, { ref, bytes })
    this.#ids.push(id)
  }

  free(which: number): void {
    const ids = this.#ids
    const at = which % ids.length
    const id = ids[at]
    const held = id === undefined ? undefined : this.refs.get(id)
    if (id === undefined || held === undefined) return
    ids[at] = ids.at(-1) as number
    ids.pop()
    this.refs.delete(id)
    this.arena.free(held.ref, held.bytes)
    this.arena.tidy(held.bytes)
  }

  /** Identities of what is held and is not as it was written. */
  get spoiled(): number[] {
    return this.#ids.filter((id) => {
      const { ref, bytes } = this.refs.get(id) ?? { ref: 0, bytes: 0 }
      const offset = this.arena.offsetOf(ref)
      const item = this.arena.bufferOf(ref).subarray(offset, offset + bytes)
      if (item.length !== bytes || item.readUInt32LE(0) !== bytes || item.readUInt32LE(4) !== id) return true
      return !item.subarray(8).equals(Buffer.alloc(bytes - 8, id))
    })
  }

  get liveBytes(): number {
    return [...this.refs.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  }
}

it('keeps every item whole, wherever cleaning moves it', () => {
  let moved = 0
  fc.assert(
    fc.property(
      fc.array(STEP, { maxLength: 400, size: 'max' }),
      fc.constantFrom(0, 0, 100_000),
      (steps, deadBytesMin) => {
        const owner = new Owner(deadBytesMin)
        for (const [kind, which, size] of steps) {
          if (kind !== 'add') owner.free(which)
          if (kind !== 'free') owner.add(size)
        }
        expect(owner.spoiled).toEqual([])
        expect(owner.arena.liveBytes).toBe(owner.liveBytes)
        moved += owner.moved
        const most = Math.max(0, ...[...owner.refs.values()].map(({ bytes }) => bytes))
        for (let left = owner.refs.size; left > 0; left--) owner.free(left)
        expect(owner.arena.liveBytes).toBe(0)
        // Segments in use: that being filled, that of survivors, that being cleaned, spare ones; of a small arena they are small.
        expect(owner.arena.bytes).toBeLessThan(6 * (1 << 20) + most)
      },
    ),
    { numRuns: 300 },
  )
  expect(moved).toBeGreaterThan(1000)
})

it('holds little more than what is live, and what it may leave lying', () => {
  for (const deadBytesMin of [0, 1 << 20]) {
    const owner = new Owner(deadBytesMin)
    const live = 40_000 * 160
    for (let i = 0; i < 40_000; i++) owner.add(160)
    for (let i = 0; i < 120_000; i++) {
      owner.free((i * 7919) >>> 0)
      owner.add(160)
    }
    expect(owner.arena.liveBytes).toBe(live)
    // And five segments, as above.
    expect(owner.arena.bytes).toBeLessThan(1.09 * live + deadBytesMin + 5 * (1 << 20))
    expect(owner.arena.bytes).toBeGreaterThan(live + deadBytesMin / 2)
  }
})

it('gives back what it does not use', () => {
  const table = new PackedMemtable()
  for (let kib = 8; kib < 250; kib += 8) {
    table.put(1, 'b', 'k', Buffer.alloc(kib << 10), 1)
    table.remove(1, 'b', 'k')
  }
  expect(table.totalKeys).toBe(0)
  expect(table.memoryBytes).toBeLessThan(600 << 10)
})
