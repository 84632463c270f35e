// A node hears of its bucket's new settings only from those who refuse what it asks on the old ones: R = all, W = one by now. What a write
// stands on is then read anew, and with one home out of reach it cannot be.

import { expect, test } from 'vitest'
import { hears, nodeOf, Story } from './story.ts'

/** A strict write is at r0 alone, which f does not hear. */
async function begin(): Promise<Story> {
  const healing = { antiEntropy: false, handoff: false, readRepair: false, readAllRate: 0 }
  const story = await Story.begin({ healing, bucket: { sloppy: false } })
  const { r0, r1, r2, f, cluster } = story
  await story.cutOff(f)
  await cluster.time.settle(nodeOf(r0).putBucket('kitchen', { r: 'all', w: 'one' }))
  await cluster.time.runFor(1000)
  await story.cutOff(r0)
  const put = await story.put(r0, 'v')
  expect(put).toMatchObject({ type: 'stored', receipt: { guarantee: 'strict' } })
  for (const host of [r1, r2]) {
    // Settings come a little after the links.
    cluster.network.setDelay(f.name, host.name, 100)
    cluster.network.setDelay(host.name, f.name, 100)
    cluster.network.heal(f.name, host.name)
    cluster.network.heal(host.name, f.name)
  }
  await story.until(() => hears(f, r1) && hears(f, r2))
  return story
}

const REFUSED = { type: 'quorum-not-met', operation: 'read', required: 3, receipt: { required: 3 } }

test('a read claims no more than the new settings give', async () => {
  const story = await begin()
  const got = await story.get(story.f)
  expect([got.type, got.receipt.guarantee]).not.toEqual(['not-found', 'strict'])
})

test('a deletion of the latest does not say that nothing is there', async () => {
  const story = await begin()
  expect(await story.delete(story.f)).toMatchObject(REFUSED)
})

test.for([
  ['If-Match', { precondition: { type: 'match', etags: '*' } }],
  ['If-None-Match', { precondition: { type: 'none' } }],
  ['latest', { context: 'latest' }],
  ['latest with an idempotency key', { context: 'latest', idempotencyKey: 'order 44' }],
] as const)('a put on %s does not take two homes for R', async ([, options]) => {
  const story = await begin()
  expect(await story.put(story.f, 'w', options)).toMatchObject(REFUSED)
})

test.for(['in reach', 'just coming up'])('with the third home %s a write on the latest goes on', async (link) => {
  const story = await begin()
  const { r0, f, cluster } = story
  // Later than the new settings, in the second case.
  cluster.network.setDelay(f.name, r0.name, 50)
  cluster.network.setDelay(r0.name, f.name, 50)
  cluster.network.healAll()
  if (link === 'in reach') await story.until(() => hears(f, r0))
  expect(hears(f, r0)).toBe(link === 'in reach')
  const outcome = await story.put(f, 'w', { context: 'latest' })
  expect(outcome).toMatchObject({ type: 'stored', receipt: { required: 1 } })
  expect(await story.shows(f)).toEqual(['w'])
})
