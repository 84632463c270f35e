import { Split, whole } from '../../src/core/bytes.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareHash64 } from '../../src/core/hash64.ts'
import { keyHash } from '../../src/core/ring/key-hash.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { itemBytes } from '../../src/storage/item.ts'
import type { MemtableEntry } from '../../src/storage/memtable.ts'
import { PackedMemtable } from '../../src/storage/packed-memtable.ts'

type Change = { readonly bucket: string; readonly key: string; readonly size: number | null }

const KEYS = ['k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't']

const CHANGE: fc.Arbitrary<Change> = fc.record({
  bucket: fc.constantFrom('a', 'b', ''),
  key: fc.constantFrom(...KEYS),
  size: fc.option(fc.nat(20), { freq: 3 }),
})

function apply(table: PackedMemtable, model: Map<string, Change>, { bucket, key, size }: Change): void {
  const at = `${bucket}/${key}`
  if (size === null) {
    expect(table.remove(1, bucket, key)).toBe(model.delete(at))
  } else {
    table.put(1, bucket, key, Buffer.alloc(size, size), 1)
    model.set(at, { bucket, key, size })
  }
}

function ordered(model: Map<string, Change>): string[] {
  return [...model.values()]
    .sort((a, b) => compareHash64(keyHash(a.bucket, a.key), keyHash(b.bucket, b.key)) || (a.key < b.key ? -1 : 1))
    .map(({ bucket, key, size }) => `${bucket}/${key} ${size}`)
}

/** Larger ones in two places now and then: the tail in a buffer of its own, or in one that is not to be kept. */
function recordOf(size: number, mark: number, random: SeededRandom): Buffer | Split {
  const bytes = Buffer.alloc(size, mark)
  if (size < 5000 || random.chance(0.5)) return bytes
  const head = random.integer(1, 40)
  const tail = random.chance(0.5)
    ? Buffer.from(bytes.subarray(head))
    : Buffer.alloc(100_000, mark).subarray(0, size - head)
  return new Split(bytes.subarray(0, head), tail.length === size - head ? tail : bytes.subarray(head))
}

const shown = ({ bucket, key, bytes }: MemtableEntry): string => `${bucket}/${key} ${bytes.length}`

describe('memtable', () => {
  it('scans like a sorted model from any position, and counts like it, whatever was changed and scanned before', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(CHANGE, fc.boolean()), { maxLength: 60 }), (changes) => {
        const table = new PackedMemtable()
        const model = new Map<string, Change>()
        for (const [change, scan] of changes) {
          apply(table, model, change)
          if (!scan) continue
          const wanted = ordered(model)
          const found = [...table.scan(1, null)]
          expect(found.map(shown)).toEqual(wanted)
          found.forEach((entry, i) => expect([...table.scan(1, entry)].map(shown)).toEqual(wanted.slice(i + 1)))
        }
        const all = [...model.values()]
        const bytes = all.reduce((sum, { key, size }) => sum + itemBytes(1, 0, key.length, size ?? 0), 0)
        expect([table.totalKeys, table.count(1), table.totalBytes, table.bytesOf(1)]).toEqual([
          all.length,
          all.length,
          bytes,
          bytes,
        ])
        for (const bucket of ['a', 'b', '']) {
          const held = all.filter((one) => one.bucket === bucket)
          const sizes = held.map(({ key, size }) => itemBytes(1, 0, key.length, size ?? 0))
          const usage = { keys: held.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
          expect(table.usageOf(bucket)).toMatchObject(usage)
        }
        expect(table.partitions()).toEqual(all.length > 0 ? [1] : [])
      }),
    )
  })

  it('sifts what lies in a range and is wanted, like a filter over everything', () => {
    const word = fc.integer({ min: 0, max: 0xffff_ffff })
    fc.assert(
      fc.property(fc.array(CHANGE, { maxLength: 60 }), word, word, fc.nat(20), (changes, one, other, least) => {
        const table = new PackedMemtable()
        for (const change of changes) apply(table, new Map(), { ...change, size: change.size ?? 0 })
        const range = { from: Math.min(one, other), to: Math.max(one, other) }
        const sifted = [...table.sift(1, range, (_buffer, _at, bytes) => bytes >= least)]
        const wanted = [...table.scan(1, null)].filter(
          ({ hash, bytes }) => hash.hi >= range.from && hash.hi <= range.to && bytes.length >= least,
        )
        expect(sifted.map((entry) => entry && shown(entry))).toEqual(wanted.map(shown))
      }),
    )
  })

  it('goes on with a scan while keys come and go: stable keys exactly once, in order, with their present bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.array(CHANGE, { maxLength: 4 }), { maxLength: 40 }), (steps) => {
        const table = new PackedMemtable()
        const model = new Map<string, Change>()
        for (const key of KEYS) apply(table, model, { bucket: 'a', key, size: 3 })
        const stable = new Set(KEYS)
        const seen: MemtableEntry[] = []
        let step = 0
        for (const entry of table.scan(1, null)) {
          expect(model.get(`${entry.bucket}/${entry.key}`)?.size).toBe(entry.bytes.length)
          seen.push(entry)
          for (const change of steps[step++] ?? []) {
            if (change.bucket === 'a' && change.size === null) stable.delete(change.key)
            apply(table, model, change)
          }
        }
        const keys = seen.map(({ bucket, key }) => `${bucket}/${key}`)
        expect(new Set(keys).size).toBe(keys.length)
        for (const key of stable) expect(keys).toContain(`a/${key}`)
        for (let i = 1; i < seen.length; i++) {
          expect(
            compareHash64((seen[i - 1] as MemtableEntry).hash, (seen[i] as MemtableEntry).hash),
          ).toBeLessThanOrEqual(0)
        }
      }),
    )
  })

  it('finds what a map would, however look-ups, changes and partitions follow each other', () => {
    const step = fc.record({
      partition: fc.constantFrom(1, 2),
      bucket: fc.constantFrom('a', 'b'),
      key: fc.constantFrom('k', 'l'),
      kind: fc.constantFrom('put', 'remove', 'get', 'has'),
      size: fc.nat(9),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new PackedMemtable()
        const model = new Map<string, Buffer>()
        for (const [lsn, { partition, bucket, key, kind, size }] of steps.entries()) {
          const at = `${partition}/${bucket}/${key}`
          if (kind === 'put') {
            const bytes = Buffer.alloc(size, lsn)
            table.put(partition, bucket, key, bytes, lsn)
            model.set(at, bytes)
          } else if (kind === 'remove') {
            expect(table.remove(partition, bucket, key)).toBe(model.delete(at))
          } else if (kind === 'get') {
            const entry = table.get(partition, bucket, key)
            expect(entry?.bytes).toEqual(model.get(at))
            expect(table.peek(partition, bucket, key)?.bytes).toEqual(model.get(at))
            if (entry) expect([entry.bucket, entry.key, entry.hash]).toEqual([bucket, key, keyHash(bucket, key)])
          } else {
            expect(table.has(partition, bucket, key)).toBe(model.has(at))
          }
          const inTwo = [...model].filter(([place]) => place.startsWith('2/'))
          expect([table.totalKeys, table.count(2)]).toEqual([model.size, inTwo.length])
          expect(table.bytesOf(2)).toBe(inTwo.reduce((sum, [, bytes]) => sum + itemBytes(2, 0, 1, bytes.length), 0))
        }
      }),
    )
  })

  it('keeps a large value where it came, counts it, and lets it go', () => {
    const table = new PackedMemtable()
    const tail = Buffer.alloc(1 << 20, 1)
    const other = Buffer.alloc(2 << 20, 2)
    table.put(1, 'b', 'k', new Split(Buffer.from('head'), tail), 1)
    const entry = table.get(1, 'b', 'k')
    expect(entry?.bytes).toBeInstanceOf(Split)
    if (entry?.bytes instanceof Split) expect(entry.bytes.tail).toBe(tail)
    const item = itemBytes(1, 0, 1, 4, true)
    expect([table.totalBytes, table.bytesOf(1), table.usageOf('b').bytes]).toEqual(Array(3).fill(item + (1 << 20)))
    table.put(1, 'b', 'k', new Split(Buffer.from('daeh'), other), 2)
    expect([table.totalBytes, table.bytesOf(1), table.usageOf('b').bytes]).toEqual(Array(3).fill(item + (2 << 20)))
    expect(table.memoryBytes).toBeLessThan((2 << 20) + (64 << 10))
    expect(whole(entry?.bytes ?? Buffer.alloc(0)).equals(Buffer.concat([Buffer.from('head'), tail]))).toBe(true)
    table.put(1, 'b', 'k', Buffer.from('small'), 3)
    expect(table.totalBytes).toBe(itemBytes(1, 0, 1, 5))
    table.put(1, 'b', 'k', new Split(Buffer.from('daeh'), other), 4)
    table.remove(1, 'b', 'k')
    expect([table.totalBytes, table.totalKeys, table.bytesOf(1)]).toEqual([0, 0, 0])
    expect(table.memoryBytes).toBeLessThan(64 << 10)
  })

  it('copies the end of a record that lies in its own memory, or among much else', () => {
    const table = new PackedMemtable()
    table.put(1, 'b', 'k', Buffer.alloc(200_000, 7), 1)
    const held = table.peek(1, 'b', 'k')?.bytes as Buffer
    table.put(1, 'b', 'k', new Split(Buffer.from(held.subarray(0, 10)), held.subarray(10)), 2)
    for (let i = 0; i < 30; i++) table.put(1, 'b', `x${i}`, Buffer.alloc(200_000, 9), 3)
    expect(whole(table.peek(1, 'b', 'k')?.bytes ?? held).equals(Buffer.alloc(200_000, 7))).toBe(true)
    const page = Buffer.alloc(1 << 20, 3)
    table.put(1, 'b', 'p', new Split(Buffer.alloc(2), page.subarray(0, 100_000)), 4)
    page.fill(0)
    expect(
      whole(table.peek(1, 'b', 'p')?.bytes ?? held)
        .subarray(2)
        .equals(Buffer.alloc(100_000, 3)),
    ).toBe(true)
  })

  it('never changes an entry that it has handed out', () => {
    const table = new PackedMemtable()
    table.put(1, 'b', 'k', Buffer.from('one'), 1)
    const entry = table.get(1, 'b', 'k')
    table.put(1, 'b', 'k', Buffer.from('two'), 2)
    expect([textOf(entry), entry?.lsn]).toEqual(['one', 1])
    table.remove(1, 'b', 'k')
    expect(textOf(entry)).toBe('one')
    expect(table.get(1, 'b', 'k')).toBeUndefined()
    expect(table.has(1, 'b', 'k')).toBe(false)
  })

  it('keeps names beyond ASCII apart, as text and as bytes', () => {
    const table = new PackedMemtable()
    const keys = ['ключ', 'kлюч', '🗝', 'é', 'e\u0301', 'x'.repeat(200), '\u0000', '']
    keys.forEach((key, i) => table.put(3, 'ведро', i % 2 ? key : Buffer.from(key), Buffer.from([i]), i + 1))
    keys.forEach((key, i) => expect(table.get(3, 'ведро', key)?.bytes).toEqual(Buffer.from([i])))
    keys.forEach((key, i) => table.put(3, 'ведро', Buffer.from(key), Buffer.from([9, i]), i + 20))
    expect(new Set([...table.scan(3, null)].map(({ key }) => key))).toEqual(new Set(keys))
    expect(keys.map((key) => whole(table.get(3, 'ведро', key)?.bytes ?? Buffer.alloc(0))[0])).toEqual(keys.map(() => 9))
  })

  // Sizes from nothing to more than a segment, so that items lie in shared segments, die there, are moved, and stand alone.
  it.each([
    ['small records', [8, 24, 150, 151, 152, 300], 150_000, 8000],
    ['records of all sizes', [0, 100, 5000, 60_000, 300_000], 6000, 400],
    ['one size', [100], 60_000, 6000],
  ] as const)(
    'holds what a map would hold through long churn, and little else in memory: %s',
    (_, sizes, steps, keys) => {
      const seed = 20 + steps
      const random = new SeededRandom(seed)
      const table = new PackedMemtable()
      const model = new Map<string, { readonly size: number; readonly mark: number; readonly lsn: number }>()
      const check = (key: string): void => {
        const held = model.get(key)
        const entry = table.peek(key.length, 'b', key)
        expect(entry?.bytes.length, `seed ${seed}, ${key}`).toBe(held?.size)
        if (!entry || !held) return
        expect(entry.lsn).toBe(held.lsn)
        expect(whole(entry.bytes).every((byte) => byte === held.mark)).toBe(true)
      }
      for (let step = 1; step <= steps; step++) {
        // Most keys go away in the second half, and memory with them.
        const last = step < steps / 2 ? keys : keys / 8
        const key = `k${random.integer(0, keys)}`
        const isGoing = random.chance(0.15) || Number(key.slice(1)) > last
        if (isGoing) expect(table.remove(key.length, 'b', key), `seed ${seed}, step ${step}`).toBe(model.delete(key))
        else {
          const held = { size: random.pick(sizes), mark: step % 251, lsn: step }
          table.put(key.length, 'b', key, recordOf(held.size, held.mark, random), step)
          model.set(key, held)
        }
        if (step % 16 === 0) check(`k${random.integer(0, keys)}`)
      }
      for (let i = 0; i <= keys; i++) check(`k${i}`)
      for (const partition of table.partitions()) {
        const found = [...table.scan(partition, null)].map(({ key }) => key)
        const wanted = [...model.keys()].filter((key) => key.length === partition)
        expect(found.sort()).toEqual(wanted.sort())
      }
      expect(table.totalKeys).toBe(model.size)
      expect(table.memoryBytes).toBeLessThan(1.25 * table.totalBytes + (4 << 20))
    },
  )
})

function textOf(entry: MemtableEntry | undefined): string {
  return whole(entry?.bytes ?? Buffer.alloc(0)).toString()
}
