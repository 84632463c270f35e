import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { EMPTY_RECORD, encodeRecord, type KeyRecord } from '../../src/core/causality/record.ts'
import { PartitionIndexes } from '../../src/replica/partition-index.ts'
import { keyHash } from '../../src/core/ring/key-hash.ts'
import { PackedMemtable } from '../../src/storage/packed-memtable.ts'

const PARTITION = 3

function recordOf(counter: number): KeyRecord {
  const dot = { life: 'aaaaaaaaaaaaaaaa', counter }
  const content = { contentType: 'text/plain', meta: [], bytes: Buffer.alloc(counter % 40) }
  return {
    versions: [{ dot, stamp: counter, deadlineMs: null, tag: null, content }],
    past: DotSet.empty(),
    span: null,
    deadTags: [],
  }
}

test('a tree that is made in steps, while records come, change and go, is the one made at once', () => {
  const change = fc.record({
    key: fc.integer({ min: 0, max: 40 }),
    isRemoval: fc.boolean(),
    steps: fc.integer({ min: 0, max: 4 }),
  })
  fc.assert(
    fc.property(fc.nat(40), fc.array(change, { maxLength: 80 }), (before, changes) => {
      const memtable = new PackedMemtable()
      const indexes = new PartitionIndexes(memtable, () => 1)
      const held = new Map<string, KeyRecord>()
      let counter = 0
      const put = (name: string, record: KeyRecord | null): void => {
        if (record) memtable.put(PARTITION, 'b', name, encodeRecord(record), 1)
        else memtable.remove(PARTITION, 'b', name)
        const at = { hash: keyHash('b', name), key: name, bucket: 'b' }
        indexes.update(PARTITION, at, held.get(name) ?? EMPTY_RECORD, record, Infinity)
        if (record) held.set(name, record)
        else held.delete(name)
      }
      for (let i = 0; i < before; i++) put(`k${i}`, recordOf(++counter))
      for (const { key, isRemoval, steps } of changes) {
        if (steps > 0) indexes.prepare(PARTITION, steps)
        put(`k${key}`, isRemoval ? null : recordOf(++counter))
      }
      const fresh = new PartitionIndexes(memtable, () => 1)
      expect(indexes.tree(PARTITION).rootHex).toBe(fresh.tree(PARTITION).rootHex)
      expect(indexes.tree(PARTITION).keys).toBe(held.size)
    }),
  )
})
