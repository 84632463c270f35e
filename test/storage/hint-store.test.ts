import { describe, expect, it } from 'vitest'
import type { Hint } from '../../src/storage/hint-store.ts'
import { CrashDisk } from './crash-disk.ts'
import { contentOf, openStorage, OTHER_LIFE, viewOf } from './fixture.ts'

const address = (key: string): { bucket: string; key: string; partition: number } => ({
  bucket: 'b',
  key,
  partition: 16,
})
const countersOf = (hint: Hint | undefined): number[] => hint?.view.versions.map((v) => v.dot.counter) ?? []

describe('hint store', () => {
  it('merges what is held for one target and key, and keeps its place and age', async () => {
    const { hints } = await openStorage(null)
    hints.add('n2', address('a'), 'siblings', viewOf(1))
    hints.add('n2', address('b'), 'siblings', viewOf(2))
    const [first] = hints.next('n2', Infinity)
    hints.add('n2', address('a'), 'siblings', viewOf(5, [1]))
    hints.add('n2', address('a'), 'siblings', viewOf(7, [], OTHER_LIFE))
    const [merged, second] = hints.next('n2', Infinity)
    expect([merged?.key, second?.key]).toEqual(['a', 'b'])
    expect(countersOf(merged)).toEqual([7, 5])
    expect(merged?.sinceMs).toBe(first?.sinceMs)
    expect(merged?.revision).not.toBe(first?.revision)
    expect(hints.count).toBe(2)
  })

  it('answers a repeated write with the change that holds it', async () => {
    const { hints } = await openStorage(new CrashDisk())
    const first = hints.add('n2', address('a'), 'siblings', viewOf(1))
    expect(hints.add('n2', address('a'), 'siblings', viewOf(1))).toEqual(first)
  })

  it('removes only what has not changed since it was given out', async () => {
    const { hints } = await openStorage(null)
    hints.add('n2', address('a'), 'siblings', viewOf(1))
    const [given] = hints.next('n2', Infinity)
    if (!given) return expect.unreachable()
    hints.add('n2', address('a'), 'siblings', viewOf(2))
    expect(hints.remove(given)).toBeNull()
    const [current] = hints.next('n2', Infinity)
    if (!current) return expect.unreachable()
    expect(hints.remove(current)).not.toBeNull()
    expect(hints.remove(current)).toBeNull()
    expect([hints.count, hints.bytes, hints.targets()]).toEqual([0, 0, []])
    // The same write again is another hint.
    hints.add('n2', address('a'), 'siblings', viewOf(1))
    expect(hints.remove(given)).toBeNull()
  })

  it('refuses beyond its budget, and takes again when there is room', async () => {
    const { hints } = await openStorage(null, { hintBytesMax: 400 })
    let held = 0
    while (hints.add('n2', address(`k${held}`), 'siblings', viewOf(held + 1)).held) held++
    expect(held).toBeGreaterThan(1)
    expect(hints.bytes).toBeLessThanOrEqual(400)
    expect(hints.count).toBe(held)
    const [oldest] = hints.next('n2', 1)
    if (!oldest) return expect.unreachable()
    hints.remove(oldest)
    expect(hints.add('n3', address('k'), 'siblings', viewOf(1)).held).toBe(true)
  })

  // Found by a review: writes that nobody superseded here were merged until no frame could carry them.
  it('merges no more into a hint than a frame carries, but always what makes it smaller', async () => {
    const { hints } = await openStorage(null)
    const add = (counter: number, seen: number[] = []): boolean =>
      hints.add('n2', address('a'), 'siblings', viewOf(counter, seen), 60).held
    const taken = [1, 3, 5, 7, 9].filter((counter) => add(counter))
    expect(taken.length).toBeGreaterThan(1)
    expect(taken.length).toBeLessThan(5)
    expect(add(11, taken)).toBe(true)
    expect(countersOf(hints.next('n2', Infinity)[0])).toEqual([11])
    expect(add(13)).toBe(true)
  })

  it('gives pages, the oldest first, and all targets of a key', async () => {
    const { hints } = await openStorage(null)
    for (let i = 0; i < 10; i++) hints.add('n2', address(`k${i}`), 'siblings', viewOf(i + 1))
    hints.add('n1', address('k3'), 'lww', viewOf(50))
    const pages: string[][] = []
    for (let after: number | undefined = 0; ;) {
      const page = hints.next('n2', 350, after)
      after = page.at(-1)?.position
      if (after === undefined) break
      pages.push(page.map((hint) => hint.key))
    }
    expect(pages.length).toBeGreaterThan(2)
    expect(pages.flat()).toEqual(Array.from({ length: 10 }, (_, i) => `k${i}`))
    expect(
      hints
        .get(address('k3'))
        .map((hint) => [hint.target, hint.conflict])
        .sort(),
    ).toEqual([
      ['n1', 'lww'],
      ['n2', 'siblings'],
    ])
    expect(hints.stats().perTarget.map(({ target, count }) => [target, count])).toEqual([
      ['n1', 1],
      ['n2', 10],
    ])
    expect(hints.dropTarget('n2')).toMatchObject({ count: 10 })
    expect(hints.dropTarget('n2')).toBeNull()
    expect(hints.targets()).toEqual(['n1'])
  })

  it('survives a crash: what was added, merged, removed and dropped, in order', async () => {
    const disk = new CrashDisk()
    const storage = await openStorage(disk)
    const { hints } = storage
    for (let i = 0; i < 6; i++) hints.add('n2', address(`k${i}`), 'siblings', viewOf(i + 1))
    hints.add('n2', address('k2'), 'siblings', viewOf(40))
    const [, second] = hints.next('n2', Infinity)
    if (second) hints.remove(second)
    hints.add('n3', address('k0'), 'siblings', viewOf(9))
    hints.dropTarget('n3')
    await storage.synced(storage.lastLsn)
    const again = await openStorage(disk.powerCut())
    expect(contentOf(again)).toBe(contentOf(storage))
    expect(again.hints.next('n2', Infinity).map((hint) => hint.key)).toEqual(['k0', 'k2', 'k3', 'k4', 'k5'])
    expect(again.hints.bytes).toBe(hints.bytes)
    expect(again.hints.next('n2', 1)[0]?.sinceMs).toBe(hints.next('n2', 1)[0]?.sinceMs)
  })
})
