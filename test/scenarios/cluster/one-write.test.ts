// One Idempotency-Key is one write: at once through many nodes, across a partition, with a coordinator that dies, and again much later.

import { describe, expect, test } from 'vitest'
import { Story } from './story.ts'

describe('one write', () => {
  test('through five nodes across a partition with the first coordinator killed, and again after an overwrite', async () => {
    const story = await Story.begin()
    const { r0, r1, r2 } = story
    const { hosts } = story.cluster
    const idempotencyKey = 'order 17'
    await story.cutOff(r0, story.last)
    const pending = hosts.map((host) => story.beginPut(host, 'paid', { idempotencyKey, timeoutMs: 1000 }))
    await story.cluster.time.runFor(0.3)
    await story.kill(r0)
    for (const [i, host] of hosts.entries())
      if (host !== r0) await story.cluster.time.settle(pending[i] ?? Promise.reject(new Error('no put')))
    await story.restart(r0)
    await story.untilNoHints()
    for (const host of hosts) expect(await story.shows(host, { r: 3 })).toEqual(['paid'])
    const { context } = await story.get(r1).then((outcome) => {
      if (outcome.type !== 'found') throw new Error(outcome.type)
      return outcome
    })
    await story.write(r2, 'shipped', { context })
    for (const host of hosts) await story.put(host, 'paid', { idempotencyKey })
    await story.cluster.time.runFor(10_000)
    for (const host of hosts) expect(await story.shows(host, { r: 3 })).toEqual(['shipped'])
  })

  // Found by seed 86: the retry's coordinator knew that the write was superseded, and let the third home take it for news.
  test('a retry says itself that it was superseded, to a home that has not heard of it', async () => {
    const healing = { antiEntropy: false, readRepair: false, handoff: false, readAllRate: 0 }
    const story = await Story.begin({ healing })
    const { r0, r1, r2 } = story
    const options = { idempotencyKey: 'order 18', sloppy: false }
    await story.cutOff(r2)
    const seen = await story.write(r0, 'paid', options)
    await story.write(r0, 'shipped', { context: seen, sloppy: false })
    await story.reunite()
    await story.write(r1, 'paid', { ...options, w: 3 })
    expect(await story.shows(r2, { r: 1, sloppy: false })).toBeNull()
    expect(await story.shows(r1, { r: 3 })).toEqual(['shipped'])
  })
})
