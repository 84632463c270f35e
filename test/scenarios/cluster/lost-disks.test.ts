// Disks that are wiped, damaged or replaced at the worst moment: what was acknowledged survives, and nobody counts who does not know.

import { describe, expect, test } from 'vitest'
import { nodeOf, Story } from './story.ts'

describe('lost disks', () => {
  test('a repaired home keeps the siblings that it had', async () => {
    const story = await Story.begin({ healing: { antiEntropy: false } })
    const { r0, r1, r2 } = story
    await story.cutOff(r0)
    const seen = await story.write(r1, 'first', { sloppy: false })
    await story.reunite()
    await story.cutOff(r0)
    await story.write(r0, 'blind', { w: 1, sloppy: false })
    await story.write(r0, 'second', { w: 1, sloppy: false, context: seen })
    await story.reunite()
    expect(await story.shows(r0, { r: 3 })).toEqual(['blind', 'second'])
    await story.untilNoHints()
    await story.cutOff(r0)
    expect(await story.shows(r1, { sloppy: false })).toEqual(['blind', 'second'])
    expect(await story.shows(r2, { sloppy: false })).toEqual(['blind', 'second'])
  })

  test('the acknowledgement of a disk that was wiped meanwhile counts for nothing', async () => {
    const story = await Story.begin({ nodes: 4 })
    const { r0, r1, r2, f } = story
    story.cluster.network.cut(f.name, r2.name)
    story.cluster.network.cut(r2.name, f.name)
    await story.until(() => f.node?.rooms?.links.reachable(r2.name) === false)
    story.cluster.network.setDelay(f.name, r0.name, 400)
    const pending = story.beginPut(f, 'tea', { sloppy: false, timeoutMs: 20_000 })
    await story.until(() => story.records(r1) === 1)
    story.cluster.crash(r1, 'reset', true)
    r1.disk.wipe()
    story.cluster.start(r1)
    const outcome = await story.cluster.time.settle(pending)
    story.cluster.network.setDelay(f.name, r0.name, 0)
    await story.until(() => r1.serving)
    await story.cutOff(r0)
    if (outcome.type === 'stored' && outcome.receipt.guarantee === 'strict') {
      const read = await story.get(r2, { sloppy: false })
      expect(read.type).not.toBe('not-found')
    }
    await story.reunite()
    await story.untilFull(r1)
    if (outcome.type === 'stored') expect(await story.shows(r1)).toEqual(['tea'])
  })

  test('a filling home counts in no read before it has heard every complete home', async () => {
    const story = await Story.begin()
    const { r0, r1, r2 } = story
    await story.cutOff(r2)
    await story.write(r0, 'tea', { sloppy: false })
    await story.reunite()
    // The one that has it is cut off before anything heals, the other is wiped: the third knows nothing.
    await story.kill(r1)
    r1.disk.wipe()
    await story.cutOff(r0)
    story.cluster.start(r1)
    await story.until(() => r1.serving)
    const read = await story.get(r2, { sloppy: false, timeoutMs: 1500 })
    expect(read.type === 'quorum-not-met' || read.type === 'found').toBe(true)
    await story.reunite()
    await story.untilFull(r1)
    await story.cutOff(r0)
    expect(await story.shows(r1, { sloppy: false })).toEqual(['tea'])
  })

  test('a damaged log is noticed, filled anew, and takes no good copy away', async () => {
    const story = await Story.begin()
    const { r0, r1 } = story
    const keys = Array.from({ length: 30 }, (_, i) => `cup ${i}`)
    for (const key of keys) await story.write(r0, key, {}, key)
    for (const key of keys.slice(0, 10)) await story.delete(r0, key)
    await story.kill(r1)
    for (let i = 0; i < 3; i++) expect(r1.disk.rotBeforeLastSync()).not.toBeNull()
    await story.restart(r1)
    expect(r1.node?.rooms?.storage.recovery.damaged.length).toBeGreaterThan(0)
    await story.untilFull(r1)
    for (const host of [r1, r0]) {
      for (const key of keys.slice(0, 10)) expect(await story.shows(host, {}, key)).toBeNull()
      for (const key of keys.slice(10)) expect(await story.shows(host, {}, key)).toEqual([key])
    }
  })
})

// One home is being filled; a write is acknowledged by it and by a second home; the second home's disk is lost. The third was away.
// The filling one has the write. Whoever takes the second one's place must ask it.
test.each(['a', 'b', 'c'])(
  'one lost disk does not take a write that a filling home has from a strict read (%s)',
  async (seed) => {
    const story = await Story.begin({
      seed,
      healing: { antiEntropy: true, handoff: true, readRepair: true, readAllRate: 0 },
    })
    const { r0, r1, r2 } = story
    await story.cutOff(r0)
    await story.kill(r1)
    r1.disk.wipe()
    await story.restartAlone(r1)
    const put = await story.put(r2, 'u', { sloppy: false, w: 2 })
    expect(put).toMatchObject({ type: 'stored', receipt: { guarantee: 'strict', hinted: 0 } })
    await story.until(() => story.cluster.hosts.every((h) => h === r0 || story.hints(h) <= 1))
    await story.kill(r2)
    r2.disk.wipe()
    await story.restartAlone(r2)
    await story.cluster.time.runFor(2000)
    expect(r2.node?.rooms?.filling.isActive).toBe(true)
    story.cluster.network.healAll()
    let bad = ''
    await story.until(() => r2.node?.rooms?.filling.isActive === false)
    for (let i = 0; i < 40; i++) {
      const got = await story.get(r2, { sloppy: false, r: 2 })
      if (got.type === 'not-found') bad += `${i}:${got.receipt.guarantee} `
      await story.cluster.time.runFor(20)
    }
    expect(bad).toBe('')
  },
)

test('how many partitions are still to be filled is told, and falls', async () => {
  const story = await Story.begin()
  const { r0, r1, cluster } = story
  const keys = Array.from({ length: 60 }, (_, i) => `cup ${i}`)
  for (const key of keys) await story.write(r0, key, {}, key)
  await story.kill(r1)
  r1.disk.wipe()
  await story.restartAlone(r1)
  cluster.network.healAll()
  const told: number[] = []
  await story.until(() => {
    const { filling } = nodeOf(r1).repairStatus()
    if (told.at(-1) !== filling) told.push(filling)
    return filling === 0
  })
  // 1 as long as nobody was asked, then all of them, then fewer.
  const fromMost = told.slice(told.indexOf(Math.max(...told)))
  expect(fromMost[0]).toBeGreaterThan(1)
  expect(fromMost).toEqual(fromMost.toSorted((a, b) => b - a))
})
