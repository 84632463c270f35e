// Segments that were emptied go, also those that were being filled.
import { expect, it } from 'vitest'
import { PackedMemtable } from '../../src/storage/memtable.ts'

it('gives back what it does not use', () => {
  const table = new PackedMemtable()
  for (let kib = 8; kib < 250; kib += 8) {
    table.put(1, 'b', 'k', Buffer.alloc(kib << 10), 1)
    table.remove(1, 'b', 'k')
  }
  expect(table.totalKeys).toBe(0)
  expect(table.memoryBytes).toBeLessThan(600 << 10)
})
