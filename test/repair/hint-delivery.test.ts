// Hints go home at the pace that the home grants, and one that is not taken holds up no others.

import { expect, test } from 'vitest'
import { HintDelivery } from '../../src/repair/hint-delivery.ts'
import { fakePeers } from '../link/fake-peers.ts'
import { A, keyIn, memoryHomes, version, write } from '../replica/memory-home.ts'

/** Three hints for `y`; after each turn how many were delivered in all, and whether it goes on at once. */
async function turns(
  count: number,
  { bytesGranted = 1_000_000, takes = (_key: string): boolean => true, concurrency = 1 },
): Promise<[number, boolean][]> {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  for (let i = 1; i <= 3; i++) {
    const key = keyIn(home!.directory, i)
    home!.storage.hints.add('y', key, 'siblings', write(version({ life: A, counter: i }, 'value')))
  }
  const passedOver: string[] = []
  const delivery = new HintDelivery({
    self: 'x',
    storage: home!.storage,
    peers: fakePeers(() => ({ reply: { type: 'handoff', bytesGranted }, storage: 'y', time: 0 })),
    send: (hint) => Promise.resolve(takes(hint.key)),
    budgetMs: 1000,
    concurrency,
    onDelivered: () => {},
    onPassedOver: (hint) => passedOver.push(hint.key),
    now: () => 0,
  })
  const after: [number, boolean][] = []
  for (let i = 0; i < count; i++) {
    const more = await delivery.deliver('y')
    after.push([delivery.delivered, more])
  }
  expect(delivery.passedOver).toBe(passedOver.length)
  return after
}

test('all that is granted, and on at once while some is left', async () => {
  expect(await turns(1, {})).toEqual([[3, false]])
  expect(await turns(3, { bytesGranted: 1 })).toEqual([
    [1, true],
    [2, true],
    [3, false],
  ])
})

test('a home that is full grants nothing, and gets nothing', async () =>
  expect(await turns(1, { bytesGranted: 0 })).toEqual([[0, false]]))

// Found by a review: a hint larger than a frame ended every turn, and those behind it stayed for ever.
test('one that is not taken is passed over', async () =>
  expect(await turns(2, { takes: (key) => key !== 'k1', concurrency: 2 })).toEqual([
    [2, false],
    [2, false],
  ]))

test('where nothing is taken the turn ends; the next goes on behind it, and comes back to it after the end', async () => {
  let refusals = 2
  const takes = (key: string): boolean => key !== 'k1' || refusals-- <= 0
  expect(await turns(4, { takes })).toEqual([
    [0, false],
    [2, false],
    [2, false],
    [3, false],
  ])
})
