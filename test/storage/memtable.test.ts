import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareHash64 } from '../../src/core/hash64.ts'
import { keyHash } from '../../src/core/ring/key-hash.ts'
import { MapMemtable, type MemtableEntry } from '../../src/storage/memtable.ts'

type Change = { readonly bucket: string; readonly key: string; readonly size: number | null }

const KEYS = ['k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't']

const CHANGE: fc.Arbitrary<Change> = fc.record({
  bucket: fc.constantFrom('a', 'b', ''),
  key: fc.constantFrom(...KEYS),
  size: fc.option(fc.nat(20), { freq: 3 }),
})

function apply(table: MapMemtable, model: Map<string, Change>, { bucket, key, size }: Change): void {
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

const shown = ({ bucket, key, bytes }: MemtableEntry): string => `${bucket}/${key} ${bytes.length}`

describe('memtable', () => {
  it('scans like a sorted model from any position, and counts like it, whatever was changed and scanned before', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(CHANGE, fc.boolean()), { maxLength: 60 }), (changes) => {
        const table = new MapMemtable()
        const model = new Map<string, Change>()
        for (const [change, scan] of changes) {
          apply(table, model, change)
          if (!scan) continue
          const wanted = ordered(model)
          const found = [...table.scan(1, null)]
          expect(found.map(shown)).toEqual(wanted)
          found.forEach((entry, i) => expect([...table.scan(1, entry)].map(shown)).toEqual(wanted.slice(i + 1)))
          expect([...table.each(1)].map(shown).sort()).toEqual(wanted.sort())
        }
        const all = [...model.values()]
        const bytes = all.reduce((sum, { bucket, key, size }) => sum + bucket.length + key.length + (size ?? 0), 0)
        expect([table.totalKeys, table.count(1), table.totalBytes, table.bytesOf(1)]).toEqual([
          all.length,
          all.length,
          bytes,
          bytes,
        ])
        expect(table.countBucket('b')).toBe(all.filter(({ bucket }) => bucket === 'b').length)
        expect(table.partitions()).toEqual(all.length > 0 ? [1] : [])
      }),
    )
  })

  it('goes on with a scan while keys come and go: stable keys exactly once, in order, with their present bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.array(CHANGE, { maxLength: 4 }), { maxLength: 40 }), (steps) => {
        const table = new MapMemtable()
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
        const table = new MapMemtable()
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
            expect(entry?.bytes).toBe(model.get(at))
            if (entry) expect([entry.bucket, entry.key, entry.hash]).toEqual([bucket, key, keyHash(bucket, key)])
          } else {
            expect(table.has(partition, bucket, key)).toBe(model.has(at))
          }
          const inTwo = [...model].filter(([place]) => place.startsWith('2/'))
          expect([table.totalKeys, table.count(2)]).toEqual([model.size, inTwo.length])
          // Of keys, buckets' names and records.
          expect(table.bytesOf(2)).toBe(inTwo.reduce((sum, [, bytes]) => sum + bytes.length + 2, 0))
        }
      }),
    )
  })

  it('never changes an entry that it has handed out', () => {
    const table = new MapMemtable()
    table.put(1, 'b', 'k', Buffer.from('one'), 1)
    const entry = table.get(1, 'b', 'k')
    table.put(1, 'b', 'k', Buffer.from('two'), 2)
    expect([String(entry?.bytes), entry?.lsn]).toEqual(['one', 1])
    table.remove(1, 'b', 'k')
    expect(String(entry?.bytes)).toBe('one')
    expect(table.get(1, 'b', 'k')).toBeUndefined()
    expect(table.has(1, 'b', 'k')).toBe(false)
  })
})
