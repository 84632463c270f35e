// What was deleted stays deleted, whoever was away and whatever comes late.

import { describe, expect, test } from 'vitest'
import { Story } from './story.ts'

describe('deletions', () => {
  test('a late hint does not bring back what was deleted and collected', async () => {
    const story = await Story.begin()
    const { r0, r1, r2, f } = story
    await story.kill(r2)
    await story.write(r0, 'boiling')
    await story.until(() => story.cluster.hosts.some((host) => story.hints(host) > 0))
    const keepers = story.cluster.hosts.filter((host) => story.hints(host) > 0)
    // Whoever holds the hint is away while the homes come together, delete and collect.
    await story.kill(...keepers.filter((host) => host !== r0 && host !== r1))
    await story.restart(r2)
    await story.delete(r1)
    await story.until(() => [r0, r1, r2].every((host) => story.records(host) === 0))
    await story.restart(...keepers.filter((host) => !host.node))
    await story.untilNoHints()
    for (const host of [r0, r1, r2, f]) expect(await story.shows(host)).toBeNull()
  })

  // A stand-in knows nothing of the key: "nothing to delete" was its word.
  test('a deletion of the latest is refused where R homes cannot be asked', async () => {
    const story = await Story.begin()
    const { r0, r1, f, last } = story
    await story.write(r0, 'boiling')
    await story.cutOff(f, last)
    expect(await story.delete(f)).toMatchObject({ type: 'quorum-not-met', operation: 'read', outcome: 'not-applied' })
    expect(await story.shows(r1)).toEqual(['boiling'])
    await story.reunite()
    expect((await story.delete(f)).type).toBe('deleted')
    expect(await story.shows(r1, { r: 3 })).toBeNull()
  })

  test('a deletion is kept until every home has it', async () => {
    const story = await Story.begin()
    const { r0, r1, r2 } = story
    await story.write(r0, 'boiling', { w: 3 })
    await story.cutOff(r2)
    await story.delete(r0)
    // Many passes of collection.
    await story.cluster.time.runFor(15_000)
    expect(story.records(r0)).toBe(1)
    await story.reunite()
    await story.cutOff(r0)
    expect(await story.shows(r1, { sloppy: false })).toBeNull()
    expect(await story.shows(r2, { sloppy: false })).toBeNull()
    await story.reunite()
    await story.until(() => [r0, r1, r2].every((host) => story.records(host) === 0))
    expect(await story.shows(r2)).toBeNull()
  })

  test('an idempotent write that was deleted and collected is neither brought back by its hint nor by a retry', async () => {
    const story = await Story.begin()
    const { r0, r1, r2 } = story
    await story.kill(r2)
    await story.write(r0, 'boiling', { idempotencyKey: 'once' })
    const keepers = story.cluster.hosts.filter((host) => host !== r0 && host !== r1 && story.hints(host) > 0)
    await story.kill(...keepers)
    await story.restart(r2)
    await story.delete(r1)
    await story.cluster.time.runFor(10_000)
    await story.restart(...keepers)
    await story.untilNoHints()
    expect(await story.shows(r0)).toBeNull()
    for (const host of [r2, r0, r1]) {
      await story.put(host, 'boiling', { idempotencyKey: 'once' })
      expect(await story.shows(host)).toBeNull()
    }
  })

  test('an expired value never turns live again, though the clocks disagree', async () => {
    const offsets = [-240, 240, 0, 120, -120]
    const story = await Story.begin({ clockOf: (host) => ({ offsetMs: offsets[Number(host.slice(-1))] ?? 0 }) })
    const { r0, r1, r2, f } = story
    await story.write(r0, 'warm', { ttlMs: 800 })
    let expired = false
    for (let i = 0; i < 400; i++) {
      const through = [r0, r1, r2, f][i % 4] ?? r0
      const outcome = await story.get(through, { sloppy: false })
      if (outcome.type === 'not-found') expired = true
      else expect(expired && outcome.receipt.guarantee === 'strict', `read ${i}`).toBe(false)
      await story.cluster.time.runFor(5)
    }
    expect(expired).toBe(true)
  })
})

// Found by a review: an older write that came after the collection was beaten by the late copy, which every home knew for dead.
test('lww: a late hint of what was deleted does not bring it back', async () => {
  const story = await Story.begin({ nodes: 6, bucket: { conflict: 'lww' } })
  const { r0, r1, r2, f } = story
  const others = story.cluster.hosts.filter((h) => ![r0, r1, r2, f].includes(h))
  const [g, h] = others
  await story.cutOff(g!, h!)
  await story.write(g!, 'w')
  await story.kill(r2)
  await story.write(f, 'v')
  expect(story.hints(f)).toBeGreaterThan(0)
  await story.kill(f)
  await story.restartAlone(r2)
  expect((await story.delete(r1)).type).toBe('deleted')
  await story.until(() => [r0, r1, r2].every((x) => story.records(x) === 0))
  expect(await story.shows(r0, { r: 3 })).toBeNull()
  await story.reunite()
  await story.until(() => story.hints(g!) + story.hints(h!) === 0)
  await story.cluster.time.runFor(5000)
  await story.restart(f)
  await story.untilNoHints()
  await story.cluster.time.runFor(60_000)
  for (const home of [r0, r1, r2]) expect(await story.shows(home, { r: 3 })).toEqual(['w'])
})
