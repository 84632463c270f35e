// Hints go home at the pace that the home grants.

import { expect, test } from 'vitest'
import { HintDelivery } from '../../src/repair/hint-delivery.ts'
import { fakePeers } from '../link/fake-peers.ts'
import { A, keyIn, memoryHomes, version, write } from '../replica/memory-home.ts'

async function delivered(
  bytesGranted: number,
  takes: (key: string) => boolean = () => true,
): Promise<[number, boolean]> {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  for (let i = 1; i <= 3; i++) {
    const key = keyIn(home!.directory, i)
    home!.storage.hints.add('y', key, 'siblings', write(version({ life: A, counter: i }, 'value')))
  }
  const peers = fakePeers(() => ({ reply: { type: 'handoff', bytesGranted }, storage: 'y', time: 0 }))
  const delivery = new HintDelivery({
    self: 'x',
    storage: home!.storage,
    peers,
    send: (hint) => Promise.resolve(takes(hint.key)),
    budgetMs: 1000,
    concurrency: 1,
    onDelivered: () => {},
    now: () => 0,
  })
  const more = await delivery.deliver('y')
  return [delivery.delivered, more]
}

test('all that is granted, and on at once while some is left', async () => {
  expect(await delivered(1_000_000)).toEqual([3, false])
  expect(await delivered(1)).toEqual([1, true])
})

test('a home that is full grants nothing, and gets nothing', async () => expect(await delivered(0)).toEqual([0, false]))

test('one that is refused ends this turn, however many went before', async () =>
  expect(await delivered(1_000_000, (key) => key !== 'k2')).toEqual([1, false]))
