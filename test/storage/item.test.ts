// Texts and bytes that look alike unit by unit are other keys: 'Ã©' (U+00C3 U+00A9) is not 'é' (bytes C3 A9), whatever their hashes are.
import { whole } from '../../src/core/bytes.ts'
import { expect, it, vi } from 'vitest'

vi.mock('../../src/core/ring/key-hash.ts', async (original) => ({
  ...(await original<object>()),
  // The upper half collides, as 2^32 offline tries make it.
  keyHash: (_: string, key: string) => ({ hi: 5, lo: key.length }),
  keyHashOfBytes: (_: string, key: Uint8Array) => ({ hi: 5, lo: Buffer.from(key).toString().length }),
}))

import { isKey } from '../../src/storage/item.ts'
import type { MemtableEntry } from '../../src/storage/memtable.ts'
import { PackedMemtable } from '../../src/storage/packed-memtable.ts'

const KEY = 'é'
const MOJIBAKE = Buffer.from(KEY).toString('latin1')

it('isKey tells a key from its bytes read as Latin-1', () => {
  expect(MOJIBAKE).toBe('Ã©')
  const bytes = Buffer.from(KEY)
  expect(isKey(bytes, 0, bytes.length, KEY)).toBe(true)
  expect(isKey(bytes, 0, bytes.length, MOJIBAKE)).toBe(false)
})

it('two keys whose upper hashes collide stay two', () => {
  const table = new PackedMemtable()
  table.put(1, 'b', KEY, Buffer.from('one'), 1)
  expect(table.has(1, 'b', MOJIBAKE)).toBe(false)
  table.put(1, 'b', MOJIBAKE, Buffer.from('two!'), 2)
  expect(table.totalKeys).toBe(2)
  expect(textOf(table.get(1, 'b', KEY))).toBe('one')
})

function textOf(entry: MemtableEntry | undefined): string {
  return whole(entry?.bytes ?? Buffer.alloc(0)).toString()
}
