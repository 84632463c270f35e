// The budgets' arithmetic: when memory and disk count as full, and that they do not flap.

import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/ports/clock.ts'
import { DiskBudget, reserveOf } from '../../src/storage/disk-budget.ts'
import { MemoryBudget } from '../../src/storage/memory-budget.ts'
import { MeteredDisk } from '../../src/storage/metered-disk.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { CrashDisk } from './crash-disk.ts'

const MIB = 1 << 20

interface Process {
  data: number
  /** Given back by data and not collected yet. */
  garbage: number
  /** Collected, and kept by the allocator. */
  kept: number
  rest: number
}

function memory(bytesMax: number, collect: (() => void) | null = null): { budget: MemoryBudget; state: Process } {
  const state: Process = { data: 0, garbage: 0, kept: 0, rest: 100 * MIB }
  const budget = new MemoryBudget({
    bytesMax,
    collect,
    dataBytes: () => state.data,
    processMemory: () => {
      const buffers = state.data + state.garbage
      return { buffers, heap: state.rest / 2, resident: buffers + state.kept + state.rest }
    },
  })
  return { budget, state }
}

describe('memory', () => {
  test('is full where data and the rest of the process come near the budget, until a twentieth is free', () => {
    const { budget, state } = memory(300 * MIB)
    state.data = 179 * MIB
    expect(budget.isFullAt(0)).toBe(false)
    state.data = 180 * MIB
    expect(budget.isFullAt(1)).toBe(true)
    state.data = 168 * MIB
    expect(budget.isFullAt(1000)).toBe(true)
    state.data = 165 * MIB
    expect(budget.isFullAt(2000)).toBe(false)
  })

  test('counts what was freed when the collector has it, although the allocator keeps it', () => {
    const { budget, state } = memory(300 * MIB)
    state.data = 190 * MIB
    expect(budget.isFullAt(0)).toBe(true)
    state.data = 100 * MIB
    state.garbage = 90 * MIB
    for (let now = 0; now < 20_000; now += 250) expect(budget.isFullAt(now)).toBe(true)
    state.garbage = 0
    state.kept = 90 * MIB
    expect(budget.isFullAt(20_000)).toBe(false)
    // What takes its place is counted no more than once.
    for (let now = 21_000; !budget.isFullAt(now); now += 1000) {
      state.data += 5 * MIB
      state.kept = Math.max(0, state.kept - 5 * MIB)
    }
    expect(state.data).toBeGreaterThanOrEqual(175 * MIB)
    expect(state.data).toBeLessThanOrEqual(190 * MIB)
  })

  test('asks for a collection where data gave back enough and nothing shows it, not all the time', () => {
    let asked = 0
    const { budget, state } = memory(300 * MIB, () => void asked++)
    state.data = 190 * MIB
    for (let now = 0; now < 5000; now += 100) expect(budget.isFullAt(now)).toBe(true)
    expect(asked).toBe(0)
    state.data = 100 * MIB
    state.garbage = 90 * MIB
    for (let now = 5000; now < 26_000; now += 100) expect(budget.isFullAt(now)).toBe(true)
    expect(asked).toBe(5)
    state.garbage = 0
    expect(budget.isFullAt(27_000)).toBe(false)
  })

  test('asks for collections beyond the budget, ever more seldom where they do not help', () => {
    const asked: number[] = []
    let now = 0
    const { budget, state } = memory(300 * MIB, () => void asked.push(now / 1000))
    const pass = (seconds: number): void => {
      for (const end = now + seconds * 1000; now < end; now += 1000) budget.isFullAt(now)
    }
    state.rest = 289 * MIB
    pass(100)
    expect(asked).toEqual([])
    state.rest = 301 * MIB
    pass(300)
    expect(asked).toEqual([100, 105, 115, 135, 175, 255])
    state.rest = 250 * MIB
    pass(100)
    state.rest = 301 * MIB
    pass(25)
    expect(asked.slice(6)).toEqual([500, 505, 515])
  })

  test('sees the heap shrink although the allocator keeps what data gave back', () => {
    const { budget, state } = memory(300 * MIB)
    state.rest = 140 * MIB
    state.data = 150 * MIB
    expect(budget.isFullAt(0)).toBe(true)
    state.data = 135 * MIB
    state.kept = 15 * MIB
    expect(budget.isFullAt(1000)).toBe(true)
    state.rest = 100 * MIB
    let now = 2000
    while (budget.isFullAt(now)) now += 1000
    expect(now).toBeLessThan(60_000)
  })

  test('takes the garbage of requests near its peaks, and does not flap', () => {
    const { budget, state } = memory(300 * MIB)
    const random = new SeededRandom('garbage')
    let [changes, wasFull, resident] = [0, false, 0]
    for (let now = 0; now < 600_000; now += 100) {
      // A sawtooth of 40 MiB, collected every seven seconds or so.
      const garbage = (((now / 1000) % 7) / 7) * 40 * MIB
      state.rest = 100 * MIB + garbage + random.integer(0, 5 * MIB)
      const isFull = budget.isFullAt(now)
      if (!isFull) state.data += 0.2 * MIB
      if (isFull !== wasFull) changes++
      wasFull = isFull
      resident = Math.max(resident, state.data + state.rest)
    }
    expect(changes).toBeLessThanOrEqual(3)
    expect(resident).toBeLessThan(1.05 * 300 * MIB)
    expect(state.data).toBeGreaterThan(130 * MIB)
  })

  test('leaves data a little where the budget is too small for the process', () => {
    const { budget, state } = memory(64 * MIB)
    state.data = 15 * MIB
    expect(budget.isFullAt(0)).toBe(false)
    expect(budget.isTooSmall).toBe(true)
    state.data = 16 * MIB
    expect(budget.isFullAt(1)).toBe(true)
    state.data = 15 * MIB
    expect(budget.isFullAt(2)).toBe(false)
    expect(memory(300 * MIB).budget.isTooSmall).toBe(false)
  })

  test('is for data alone where nobody tells what is resident', () => {
    let data = 999
    const budget = new MemoryBudget({ bytesMax: 1000, dataBytes: () => data, processMemory: null, collect: null })
    expect(budget.isFullAt(0)).toBe(false)
    data = 1000
    expect(budget.isFullAt(0)).toBe(true)
    data = 951
    expect(budget.isFullAt(0)).toBe(true)
    data = 950
    expect(budget.isFullAt(0)).toBe(false)
  })
})

describe('disk', () => {
  test('keeps a reserve that is a small part of little, and enough for three checkpoints of much', () => {
    expect(reserveOf(1000 * MIB, 0)).toBe(32 * MIB)
    expect(reserveOf(1000 * MIB, 16 * MIB)).toBe(48 * MIB)
    expect(reserveOf(64 * MIB, 2 * MIB)).toBeCloseTo(9.6 * MIB)
  })

  async function budgetOf(capacity: number, bytesMax: number | null) {
    const crash = new CrashDisk()
    crash.capacity = capacity
    const disk = new MeteredDisk(crash)
    const state = { now: 0, pending: 0 }
    const clock: Clock = { now: () => 0, monotonic: () => state.now, after: () => ({ cancel: () => {} }) }
    const budget = new DiskBudget({ disk, clock, bytesMax, rangeBytes: () => 0, pendingBytes: () => state.pending })
    await budget.ask()
    const file = await disk.open('a', 'create')
    return { crash, disk, state, budget, file }
  }

  test.each([
    ['a budget', Infinity, 1000],
    ['a file system', 1000, null],
  ])('%s is full but for the reserve, until half as much again is free', async (_what, capacity, bytesMax) => {
    const { state, budget, file } = await budgetOf(capacity, bytesMax)
    await file.append([Buffer.alloc(840)])
    expect(budget.isFullAt(state.now)).toBe(false)
    // What waits for the disk will be there.
    state.pending = 20
    expect(budget.isFullAt(state.now)).toBe(true)
    state.pending = 0
    expect(budget.isFullAt(state.now)).toBe(true)
    await file.truncate(780)
    await budget.ask()
    expect(budget.isFullAt(state.now)).toBe(true)
    await file.truncate(770)
    await budget.ask()
    expect(budget.isFullAt(state.now)).toBe(false)
    expect(budget.figures).toMatchObject({ usedBytes: 770, reserveBytes: 150 })
  })

  test('asks the file system at most once a second, and again after something was removed', async () => {
    const { crash, disk, state, budget } = await budgetOf(1000, null)
    let asked = 0
    const { space } = crash
    crash.space = () => (asked++, space.call(crash))
    for (let i = 0; i < 100; i++) expect(budget.isFullAt(state.now)).toBe(false)
    expect(asked).toBe(0)
    state.now += 1000
    for (let i = 0; i < 100; i++) void budget.isFullAt(state.now)
    expect(asked).toBe(1)
    await budget.ask()
    await disk.remove('a')
    void budget.isFullAt(state.now)
    expect(asked).toBe(2)
  })

  test('limits nothing where the file system does not tell', async () => {
    const { crash, state, budget } = await budgetOf(10, null)
    crash.space = () => Promise.reject(new Error('ENOSYS'))
    await budget.ask()
    expect([budget.isFullAt(state.now), budget.size, budget.figures.freeBytes]).toEqual([false, Infinity, 0])
  })

  test('counts what is in files: written, cut, renamed, removed, and found', async () => {
    const crash = new CrashDisk()
    const found = await crash.open('quarantine-x', 'create')
    await found.append([Buffer.alloc(7)])
    const disk = new MeteredDisk(crash)
    await disk.list()
    await disk.measureRest()
    expect(disk.usedBytes).toBe(7)
    const file = await disk.open('a.tmp', 'create')
    await file.append([Buffer.alloc(100), Buffer.alloc(5)])
    expect(disk.usedBytes).toBe(112)
    crash.capacity = 120
    await expect(file.append([Buffer.alloc(100)])).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(disk.usedBytes).toBe(112)
    await file.truncate(50)
    expect(disk.usedBytes).toBe(57)
    await disk.rename('a.tmp', 'quarantine-x')
    expect(disk.usedBytes).toBe(50)
    await file.append([Buffer.alloc(1)])
    expect(disk.usedBytes).toBe(51)
    await disk.remove('quarantine-x')
    expect(disk.usedBytes).toBe(0)
    await file.append([Buffer.alloc(1)])
    expect(disk.usedBytes).toBe(0)
  })
})
