// Who waits for the log, on virtual time: told in order when it is synced, let go when his time is over.

import { expect, test, vi } from 'vitest'
import { QuorateError } from '../../src/errors.ts'
import { SyncWaits } from '../../src/replica/sync-waits.ts'
import { SimulatedProcess } from '../../src/simulator/simulated-process.ts'
import { VirtualTime } from '../../src/simulator/virtual-clock.ts'

/** A log of which each change is a batch of its own, synced when the test says so. */
function slowLog(): {
  time: VirtualTime
  waits: SyncWaits
  batches: PromiseWithResolvers<void>[]
  reactions: () => number
  heard: string[]
  wait: (lsn: number, budgetMs: number, name: string) => void
} {
  const time = new VirtualTime()
  const { clock } = new SimulatedProcess(time, 'a')
  const batches = Array.from({ length: 3 }, () => Promise.withResolvers<void>())
  const spies = batches.map(({ promise }) => vi.spyOn(promise, 'then'))
  const reactions = (): number => spies.reduce((sum, { mock }) => sum + mock.calls.length, 0)
  const storage = { isSynced: (lsn: number) => lsn < 0, synced: (lsn: number) => batches[lsn]!.promise }
  const waits = new SyncWaits(storage, clock)
  const heard: string[] = []
  const wait = (lsn: number, budgetMs: number, name: string): void =>
    void waits.synced(lsn, name, budgetMs).then(
      (value) => heard.push(`${value} synced`),
      (error: unknown) => heard.push(`${name} ${error instanceof QuorateError ? error.code : String(error)}`),
    )
  return { time, waits, batches, reactions, heard, wait }
}

test('all of a batch are told at once and in order, and no timer is left behind', async () => {
  const { time, waits, batches, heard, wait } = slowLog()
  wait(0, 1000, 'a')
  wait(1, 100, 'b')
  wait(0, Infinity, 'c')
  expect(waits.count).toBe(3)
  batches[0]!.resolve()
  await time.runUntilCondition(() => heard.length === 2, 50)
  expect(heard).toEqual(['a synced', 'c synced'])
  batches[1]!.reject(new QuorateError('storage-failed', 'broken'))
  await time.runUntilCondition(() => heard.length === 3, 50)
  expect(heard[2]).toBe('b storage-failed')
  expect(waits.count).toBe(0)
  expect(await time.runUntilCondition(() => time.idle, 200)).toBe(true)
  wait(-1, 0, 'synced already')
  await time.runUntilCondition(() => heard.length === 4, 50)
  expect(heard[3]).toBe('synced already synced')
})

test('whoever has waited for his time is let go, not before it and not long after; the others wait on', async () => {
  const { time, waits, batches, heard, wait } = slowLog()
  const at = new Map<string, number>()
  for (const [budgetMs, lsn] of [
    [500, 0],
    [0, 1],
    [20.5, 2],
    [3000, 0],
    [499, 1],
  ] as const)
    wait(lsn, budgetMs, `${budgetMs}`)
  wait(1, Infinity, 'patient')
  while (heard.length < 5) {
    const before = heard.length
    expect(await time.runUntilCondition(() => heard.length > before, 5000)).toBe(true)
    for (const line of heard.slice(before)) at.set(line, time.now)
  }
  for (const budgetMs of [0, 20.5, 499, 500, 3000]) {
    expect(at.get(`${budgetMs} timeout`)).toBeGreaterThanOrEqual(budgetMs)
    expect(at.get(`${budgetMs} timeout`)).toBeLessThanOrEqual(budgetMs + 300)
  }
  expect(waits.count).toBe(1)
  expect(await time.runUntilCondition(() => time.idle, 200)).toBe(true)
  batches[1]!.resolve()
  await time.runUntilCondition(() => heard.length === 6, 50)
  expect(heard[5]).toBe('patient synced')
})

test('thousands who wait in vain leave one reaction on the log', async () => {
  const { time, waits, reactions, heard, wait } = slowLog()
  for (let i = 0; i < 5000; i++) {
    wait(i % 2, 10, 'x')
    if (i % 100 === 0) await time.runFor(10)
  }
  expect(await time.runUntilCondition(() => heard.length === 5000, 1000)).toBe(true)
  expect(waits.count).toBe(0)
  expect(reactions()).toBe(2)
})
