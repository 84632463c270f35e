// The settings of a bucket change while a node hears nothing of it: what it then does on the old ones is judged by the new ones.

import { expect, test } from 'vitest'
import { nodeOf, Story } from './story.ts'

test('a write that is made under the new settings of its bucket has their W', async () => {
  const story = await Story.begin({ bucket: { sloppy: false, r: 'all', w: 'one' } })
  const { r0, r1, r2, f, cluster } = story
  await story.cutOff(f)
  await cluster.time.settle(nodeOf(r0).putBucket('kitchen', { r: 'quorum', w: 'quorum' }))
  await story.kill(r1, r2)
  cluster.network.healAll()
  const outcome = await story.put(f, 'v', { timeoutMs: 2000 })
  // Two homes are dead: a quorum of acknowledgements cannot be. What is called strict all the same, strict reads must find.
  const isStrict = outcome.type === 'stored' && outcome.receipt.guarantee === 'strict'
  await story.kill(r0, f)
  await story.restartAlone(r1)
  await story.restartAlone(r2)
  const got = await story.get(r1, { timeoutMs: 2000 })
  expect([isStrict, got.type, got.receipt.guarantee]).not.toEqual([true, 'not-found', 'strict'])
})

// No settings change at all: a node whose disk was replaced serves only once it has heard of the buckets' settings.
test('a node that has just been replaced keeps to W and TTL of a bucket', async () => {
  const story = await Story.begin({ bucket: { sloppy: false, w: 'all', ttlSeconds: 1 } })
  const { r2, r0, f, cluster } = story
  await story.kill(f)
  f.disk.wipe()
  // What its peers say of settings comes a little after what they say of members.
  for (const host of cluster.hosts) {
    if (host === f) continue
    cluster.network.setDelay(f.name, host.name, 150)
    cluster.network.setDelay(host.name, f.name, 150)
  }
  cluster.start(f)
  await story.until(() => f.serving)
  cluster.crash(r2, 'reset', true)
  const outcome = await story.put(f, 'v')
  const { required } = outcome.receipt
  await cluster.time.runFor(20_000)
  await story.restart(r2)
  const shown = await story.shows(r0, { r: 3 })
  // One home is dead: W=all cannot be met; and what was stored has expired.
  expect({ type: outcome.type, required, shown }).toEqual({ type: 'quorum-not-met', required: 3, shown: null })
})
