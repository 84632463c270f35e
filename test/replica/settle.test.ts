// What the walk of a tree may do to a record that two complete homes hold differently.

import { expect, test } from 'vitest'
import { hybridFromMs } from '../../src/core/causality/hybrid-clock.ts'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { A, B, keyIn, memoryHomes, NOW_MS, version, write } from './memory-home.ts'

const d0 = { life: A, counter: 1 }
const d1 = { life: B, counter: 1 }

test('what the clock covers and the peer still holds was lost to damage here: it is taken back', async () => {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const key = keyIn(home!.directory, 1)
  home!.replica.joinClock(key.partition, DotSet.of(d0))
  const view = write(version(d0, 'value'))
  expect(home!.replica.settle(key, view, DotSet.of(d0), 'siblings', false)).toBe(true)
  expect(await home!.texts(key)).toEqual(['value'])
})

test('but not from a peer whose clock was older: the version may have been deleted and collected since', async () => {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const key = keyIn(home!.directory, 1)
  // The deletion d1 of d0 came, every home had it, and it was collected, all while the peer's page was on its way.
  home!.replica.joinClock(key.partition, DotSet.of(d0, d1))
  const view = write(version(d0, 'deleted'))
  expect(home!.replica.settle(key, view, DotSet.of(d0), 'siblings', false)).toBe(false)
  expect(await home!.texts(key)).toEqual([])
})

test("a peer's record without versions is not the same as no record: it says what was superseded", async () => {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const key = keyIn(home!.directory, 1)
  await home!.receive(key, write(version(d0, 'superseded')))
  const stub = { versions: [], seen: DotSet.of(d0, d1), deadTags: [] }
  home!.replica.settle(key, stub, DotSet.of(d0, d1), 'siblings', false)
  expect(await home!.texts(key)).toEqual([])
})

test('a live version is never dropped because a complete peer has no record of it', async () => {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const key = keyIn(home!.directory, 1)
  await home!.receive(key, write(version(d0, 'value')))
  const nothing = { versions: [], seen: DotSet.empty(), deadTags: [] }
  expect(home!.replica.settle(key, nothing, DotSet.of(d0), 'siblings', false)).toBe(false)
  expect(await home!.texts(key)).toEqual(['value'])
})

test('where both have collected a write, and the tag is known to one of them only, the other learns it', async () => {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const key = keyIn(home!.directory, 1)
  home!.replica.joinClock(key.partition, DotSet.of(d0))
  const mark = { id: '7777777777777777', fingerprint: '11111111', replaces: false, kills: true }
  const tag = { ...mark, dot: d0, stamp: hybridFromMs(NOW_MS) }
  const stub = { versions: [], seen: DotSet.of(d0), deadTags: [tag] }
  const forgotten = { ...tag, id: '8888888888888888', stamp: hybridFromMs(NOW_MS - 25 * 3600 * 1000) }
  const old = { ...stub, deadTags: [forgotten] }
  expect(home!.replica.settle(key, old, DotSet.of(d0), 'siblings', false)).toBe(false)
  expect(home!.replica.settle(key, stub, DotSet.of(d0), 'siblings', false)).toBe(true)
  expect(home!.replica.settle(key, stub, DotSet.of(d0), 'siblings', false)).toBe(false)
  const { view } = await home!.replica.look(key, false)
  expect(view?.deadTags).toEqual([tag])
})

test('what a home has lost it refuses as old, but makes no tag dead and no stub: it lives elsewhere', async () => {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const key = keyIn(home!.directory, 1)
  // Both attempts came, and the record was lost from memory; a read that found them elsewhere writes them back.
  home!.replica.joinClock(key.partition, DotSet.of(d0, d1))
  const tag = { id: '7777777777777777', fingerprint: '11111111', basis: 0, replaces: false }
  const versions = [d0, d1].map((dot) => ({ ...version(dot, 'value'), tag }))
  const of = { id: '8888888888888888', fingerprint: '11111111', replaces: false, kills: true }
  const older = { ...of, dot: { life: A, counter: 7 }, stamp: hybridFromMs(NOW_MS) }
  const view = { versions, seen: DotSet.of(d0, d1, older.dot), deadTags: [older] }
  const options = { intent: 'repair', conflict: 'siblings', durable: false, tellContext: true } as const
  expect(await home!.replica.write(key, view, options)).toMatchObject({ stored: false, refused: [d0, d1] })
  expect(await home!.replica.look(key, false)).toEqual({ view: null, filling: false })
  expect(home!.replica.mergeExchanged(key, view, view.seen, 'siblings').changed).toBe(false)
  // Then a hash tree tells it from a deletion.
  expect(home!.replica.settle(key, view, view.seen, 'siblings', false)).toBe(true)
  expect(await home!.texts(key)).toEqual(['value', 'value'])
})
