// When the segment numbers of the arena run out.
import { expect, it, vi } from 'vitest'
import { encodeRecord } from '../../src/core/causality/record.ts'
import { Arena } from '../../src/storage/arena.ts'
import { PackedMemtable } from '../../src/storage/packed-memtable.ts'
import { LIFE, openStorage, viewOf } from './fixture.ts'

const record = (counter: number): Buffer =>
  encodeRecord({
    versions: viewOf(counter).versions,
    past: viewOf(counter).seen.subtract(viewOf(counter).seen),
    span: null,
    deadTags: [],
  })

it('a storage whose arena has no numbers left is full', async () => {
  const storage = await openStorage(null)
  vi.spyOn(PackedMemtable.prototype, 'isExhausted', 'get').mockReturnValue(true)
  expect(storage.isFull).toBe(true)
})

it('allocate leaves the reserved numbers to cleaning', () => {
  const arena = new Arena({ sizeAt: () => 262_148, clean: () => {} })
  let taken = 0
  // Virtual memory only: nothing is written into it. 16,383 values of 256 KiB are 4.0 GiB, not 16.
  expect(() => {
    for (;;) {
      arena.allocate(262_148)
      taken++
    }
  }).toThrow(RangeError)
  expect(taken).toBeLessThanOrEqual(16_384 - 16)
  expect(() => arena.survive(64)).not.toThrow()
})

it('putRecord that throws has changed nothing', async () => {
  const storage = await openStorage(null)
  vi.spyOn(PackedMemtable.prototype, 'put').mockImplementation(() => {
    throw new RangeError('the arena has no room for another segment')
  })
  const lsn = storage.lastLsn
  const dot = { life: LIFE, counter: 1 }
  expect(() => storage.putRecord(19, 'b', 'k', record(1), [dot])).toThrow(RangeError)
  expect.soft(storage.clockOf(19).has(dot)).toBe(false)
  expect.soft(storage.lastLsn).toBe(lsn)
})

it('a cleaning step that fails for want of memory does not lose the item that it could not move', () => {
  let fail = true
  const live = new Set<number>()
  const arena: Arena = new Arena({
    sizeAt: (buffer, offset) => buffer.readUInt32LE(offset),
    clean: (ref, buffer, offset, bytes) => {
      if (!live.has(ref)) return
      if (fail) {
        fail = false
        throw new RangeError('Array buffer allocation failed') // what survive() throws
      }
      const moved = arena.survive(bytes)
      buffer.copy(arena.bufferOf(moved), arena.offsetOf(moved), offset, offset + bytes)
      live.delete(ref)
      live.add(moved)
      arena.free(ref, bytes)
    },
  })
  const put = (): number => {
    const ref = arena.allocate(1024)
    arena.bufferOf(ref).writeUInt32LE(1024, arena.offsetOf(ref))
    live.add(ref)
    return ref
  }
  const refs = Array.from({ length: 200 }, put)
  let failed = 0
  for (let i = 0; i < 200; i += 2) {
    live.delete(refs[i] as number)
    arena.free(refs[i] as number, 1024)
    try {
      arena.tidy(1024)
    } catch {
      failed++
    }
  }
  expect(failed).toBe(1)
  for (const ref of live) expect(() => arena.bufferOf(ref)).not.toThrow()
})
