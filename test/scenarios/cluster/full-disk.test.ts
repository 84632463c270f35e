// A home whose disk has no room cannot sync what it merged: whoever waits for that gives up in time, and everybody else is served.

import { expect, test } from 'vitest'
import { NO_DISK_FAULTS } from '../../../src/simulator/simulated-disk.ts'
import { nodeOf, Story } from './story.ts'

const HEALING = { antiEntropy: false, handoff: false, readAllRate: 1 }
const KITCHEN = { bucket: 'kitchen', key: 'kettle', timeoutMs: 300, r: 2 } as const

/** r0 has merged the key, by a read's repair, and cannot sync it. */
async function unsyncedAtR0(): Promise<Story> {
  const story = await Story.begin({ nodes: 3, healing: HEALING })
  const { r0, r1 } = story
  await story.write(r1, 'calm', { w: 3 }, 'other')
  await story.cutOff(r0)
  await story.write(r1, 'late')
  await story.reunite()
  r0.disk.faults = { ...NO_DISK_FAULTS, capacityBytes: r0.disk.usedBytes }
  await story.shows(r1, { r: 2 })
  await story.until(() => story.records(r0) === 2)
  return story
}

// Found by a review: each took one of the places that its link has for requests under way, and for good; then the link read no more.
test('reads of others that wait for the disk give their places up when their time is over', async () => {
  const story = await unsyncedAtR0()
  const { r0, r1, cluster } = story
  const gets = Array.from({ length: 200 }, () => nodeOf(r1).coordinator.get(KITCHEN))
  const places = (): number => r0.node?.rooms?.links.status().reduce((sum, { inbound }) => sum + inbound, 0) ?? 0
  await story.until(() => places() >= 200)
  for (const { type } of await cluster.time.settle(Promise.all(gets))) expect(type).toBe('found')
  await story.until(() => places() === 0)
  expect(r0.node?.rooms?.replica.waits.count).toBe(0)
  expect(r0.node?.rooms?.links.counters.handlerErrors).toBe(0)
  expect(await story.shows(r1, { r: 3, timeoutMs: 2000 }, 'other')).toEqual(['calm'])
})

test('reads through the node itself leave nothing behind', async () => {
  const story = await unsyncedAtR0()
  const { r0, cluster } = story
  // The repair has a time of its own.
  await story.until(() => r0.node?.rooms?.replica.waits.count === 0)
  const gets = Array.from({ length: 200 }, () => nodeOf(r0).coordinator.get({ ...KITCHEN, r: 3 }))
  await story.until(() => r0.node?.rooms?.replica.waits.count === 200)
  for (const { type } of await cluster.time.settle(Promise.all(gets))) expect(type).toBe('quorum-not-met')
  await story.until(() => r0.node?.rooms?.replica.waits.count === 0)
})

test('when there is room again, all is as it was', async () => {
  const story = await unsyncedAtR0()
  const { r0, r1 } = story
  await story.shows(r1, { r: 2 })
  r0.disk.faults = NO_DISK_FAULTS
  await story.until(() => r0.node?.rooms?.storage.isSynced(r0.node.rooms.storage.lastLsn) === true)
  expect(await story.shows(r0, { r: 3 })).toEqual(['late'])
})
