// A PUT with an idempotency key whose R is not reached goes out all the same: its tag says what those have shown who did answer.

import { expect, test } from 'vitest'
import { Story } from './story.ts'

const HOUR_MS = 3600 * 1000
const ONE = { sloppy: false, w: 1 }

function pass(story: Story, ms: number): void {
  for (const { process } of story.cluster.hosts) process?.clock.jump(ms)
}

// With R = 3 one home of the three is out of reach.
test.for([2, 3])('another write under a key of the day before lives (r = %i)', async (r) => {
  const key = { sloppy: false, idempotencyKey: 'order 41' }
  const story = await Story.begin({ nodes: 3 })
  const { r0, r2, cluster } = story
  await story.cutOff(r2)
  await story.write(r0, 'paid', { ...key, w: 2 })
  pass(story, 20 * HOUR_MS)
  await cluster.time.runFor(1000)
  // An attempt of the first, which a partition kept from hearing of it, and which dies within a day of the other write.
  const context = await story.write(r2, 'paid', { ...key, ...ONE })
  await story.write(r2, 'shipped', { ...ONE, context })
  pass(story, 5 * HOUR_MS)
  await cluster.time.runFor(1000)
  await story.write(r0, 'paid', { ...key, w: 2, r })
  await story.reunite()
  await cluster.time.runFor(20_000)
  expect(await story.shows(r0, { r: 3 })).toEqual(['paid', 'shipped'])
})

test('an overwrite is no creation, with an idempotency key or without', async () => {
  const story = await Story.begin({ nodes: 3, bucket: { sloppy: false } })
  const { r0, r2 } = story
  await story.write(r0, 'old', { w: 3 })
  await story.kill(r2)
  const plain = await story.put(r0, 'new', { w: 2, r: 3 })
  expect(plain).toMatchObject({ type: 'stored', created: false })
  const keyed = await story.put(r0, 'newer', { w: 2, r: 3, idempotencyKey: 'order 42' })
  expect(keyed).toMatchObject({ type: 'stored', created: false })
})

test('nor where the home that takes it has missed the value and another one in reach holds it', async () => {
  const healing = { antiEntropy: false, handoff: false, readRepair: false, readAllRate: 0 }
  const story = await Story.begin({ nodes: 3, healing, bucket: { sloppy: false } })
  const { r0, r1, r2 } = story
  await story.cutOff(r0)
  await story.write(r1, 'old', { w: 2 })
  await story.reunite()
  await story.kill(r2)
  const keyed = await story.put(r0, 'new', { w: 2, r: 3, idempotencyKey: 'order 43' })
  expect(keyed).toMatchObject({ type: 'stored', created: false })
})

// Four of five homes take what they are asked and answer nothing. The node itself is the fifth, a stand-in takes the second copy.
test('however many homes hang, asking them leaves the write its time', async () => {
  const story = await Story.begin({ nodes: 6, bucket: { n: 5, r: 'all', w: 2 } })
  const { r0, last, cluster } = story
  for (const { name } of cluster.hosts) if (name !== r0.name && name !== last.name) cluster.network.cut(name, r0.name)
  const outcome = await story.put(r0, 'paid', { idempotencyKey: 'order 45', timeoutMs: 400 })
  expect(outcome).toMatchObject({ type: 'stored', receipt: { hinted: 1 } })
})
