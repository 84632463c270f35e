// One write of which several attempts are about, made where partitions kept the others from being known: which of them live, how long, and
// what contexts say of them.

import { describe, expect, test } from 'vitest'
import type { CausalContext } from '../../../src/core/causality/context-token.ts'
import { CONTEXT_TAGS_MAX } from '../../../src/core/causality/context-token.ts'
import { invariant } from '../../../src/errors.ts'
import type { Host } from '../../../src/simulator/simulated-cluster.ts'
import { Story, type StoryOptions } from './story.ts'

const HOUR_MS = 3600 * 1000
const ONE = { sloppy: false, w: 1 }
const ORDER = { ...ONE, idempotencyKey: 'order 41' }

/** Three homes apart: the first attempt at r0, and replaced there; the second at r2, over a later write. */
async function twoAttempts(options: StoryOptions = {}): Promise<{ story: Story; context: CausalContext }> {
  const story = await Story.begin({ nodes: 3, ...options })
  const { r0, r2, cluster } = story
  await story.cutOff(r2)
  await story.cutOff(r0)
  const context = await story.write(r0, 'paid', ORDER)
  await cluster.time.runFor(1000)
  await story.write(r2, 'paid', { ...ORDER, context: await story.write(r2, 'later', ONE) })
  return { story, context: await story.write(r0, 'shipped', { ...ONE, context }) }
}

// Found by a review: where the third attempt's tag was remembered and the first one's was not, the second died, and took along what it
// had replaced.
describe('an attempt that outlives the first, for it knew what came later, lives on', () => {
  function pass(story: Story, ms: number): void {
    for (const { process } of story.cluster.hosts) process?.clock.jump(ms)
  }

  /** The first at r0, superseded there; the second at r2, on top of a later write; the third at r1 dies when it hears of the first. */
  async function begin(chain: number, hoursToThird: number): Promise<{ story: Story; context: CausalContext }> {
    const first = await twoAttempts()
    const { story } = first
    let { context } = first
    const { r0, r1, r2, cluster } = story
    for (let i = 0; i < chain; i++)
      context = await story.write(r0, `step ${i}`, { ...ONE, context, idempotencyKey: `step ${i}` })
    pass(story, hoursToThird * HOUR_MS)
    await cluster.time.runFor(1000)
    await story.write(r1, 'paid', ORDER)
    cluster.network.healAll()
    await story.cutOff(r2)
    await cluster.time.runFor(20_000)
    expect(await story.shows(r2, { r: 1, sloppy: false })).toEqual(['paid'])
    return { story, context }
  }

  async function goOnAt(story: Story, host: Host): Promise<void> {
    const { r0, r1 } = story
    const found = await story.get(r0, { r: 2, sloppy: false })
    invariant(found.type === 'found', 'there is something')
    await story.write(host, 'next', { ...ONE, context: found.context })
    expect(await story.shows(host, { r: 1, sloppy: false })).toEqual(['next', 'paid'])
    await story.reunite()
    await story.cluster.time.runFor(10_000)
    expect(await story.shows(r1, { r: 3 })).toEqual(['next', 'paid'])
  }

  test('beside a context that came after more idempotent writes than it can name', async () => {
    const { story } = await begin(CONTEXT_TAGS_MAX + 8, 0)
    await goOnAt(story, story.r2)
  })

  test('beside a context that is a day later than the first', async () => {
    const { story, context } = await begin(0, 10)
    pass(story, 15 * HOUR_MS)
    await story.write(story.r0, 'shipped again', { ...ONE, w: 2, context })
    await goOnAt(story, story.r2)
  })

  test('when the first is forgotten', async () => {
    const { story } = await begin(0, 10)
    const { r0, r1, cluster } = story
    await story.reunite()
    await cluster.time.runFor(20_000)
    expect(await story.shows(r0, { r: 3 })).toEqual(['paid', 'shipped'])
    pass(story, 15 * HOUR_MS)
    await cluster.time.runFor(120_000)
    await story.write(r1, 'blind', { w: 3 })
    expect(await story.shows(r0, { r: 3 })).toEqual(['blind', 'paid', 'shipped'])
  })
})

// Found by a review: whether the second died depended on which dead one was heard of first.
describe('of three attempts, of which two were replaced, the third goes if it had seen neither or only the first', () => {
  /** The first at r0, replaced by "shipped"; the second at r2, over "later"; the third at r1, replaced by "next". */
  async function begin(handoff: boolean): Promise<Story> {
    const { story } = await twoAttempts({ healing: { handoff } })
    await story.cluster.time.runFor(1000)
    await story.write(story.r1, 'next', { ...ONE, context: await story.write(story.r1, 'paid', ORDER) })
    return story
  }

  test.for(['r0', 'r1'] as const)('whoever is heard first (%s)', async (first) => {
    const story = await begin(false)
    const { network, time } = story.cluster
    network.heal(story[first].name, story.r2.name)
    network.heal(story.r2.name, story[first].name)
    await time.runFor(60_000)
    await story.reunite()
    await time.runFor(60_000)
    expect(await story.shows(story.r0, { r: 3 })).toEqual(['next', 'shipped'])
  })

  test('though it was read before', async () => {
    const story = await begin(true)
    const { r0, r2, cluster } = story
    cluster.network.heal(r0.name, r2.name)
    cluster.network.heal(r2.name, r0.name)
    await cluster.time.runFor(20_000)
    expect(await story.shows(r0, { r: 2, sloppy: false })).toEqual(['paid', 'shipped'])
    await story.reunite()
    await cluster.time.runFor(20_000)
    expect(await story.shows(r0, { r: 2, sloppy: false })).toEqual(['next', 'shipped'])
  })
})

// Found by a review: they counted as one sibling, whose number is bounded.
test('attempts of one write are not stored without end', async () => {
  const story = await Story.begin({ nodes: 3 })
  const { r0, cluster } = story
  const asked = { idempotencyKey: 'order 43', w: 3, sloppy: false }
  const puts = Array.from({ length: 600 }, () => story.beginPut(r0, 'paid', asked))
  const answers = await cluster.time.settle(Promise.all(puts))
  const refused = answers.filter(({ type }) => type === 'too-many-siblings').length
  expect(answers.filter(({ type }) => type === 'stored').length + refused).toBe(600)
  expect(refused).toBeGreaterThan(50)
  await cluster.time.runFor(10_000)
  expect(await story.shows(r0, { r: 3 })).toEqual(['paid'])
})

// Found by a review: judged by the deadline of the attempt with the least dot, which may be the later one.
test.for(['a', 'b', 'c', 'd', 'e', 'f'])('a retry of what has expired has no entity tag (seed %s)', async (seed) => {
  const story = await Story.begin({ seed })
  const { r0, r1, r2, f, cluster } = story
  const key = { idempotencyKey: 'order 42', w: 2 }
  await story.cutOff(r2, f)
  await story.write(r0, 'paid', { ...key, ttlMs: 20_000 })
  await cluster.time.runFor(15_000)
  await story.write(f, 'paid', { ...key, ttlMs: 60_000 })
  await story.reunite()
  await story.untilNoHints()
  await cluster.time.runFor(10_000)
  for (const host of [r0, r1, f]) expect(await story.shows(host, { r: 3 })).toBeNull()
  const again = await story.put(r1, 'paid', { ...key, ttlMs: 20_000 })
  expect(again).toMatchObject({ type: 'stored', siblings: 0, etag: null })
})

// Found by a review: told of the one with the least dot.
test.for(['a', 'b', 'c', 'd'])('a retry is told of the earliest attempt (seed %s)', async (seed) => {
  const story = await Story.begin({ seed })
  const { r0, r1, r2, f, cluster } = story
  const key = { idempotencyKey: 'order 44', w: 2 }
  await story.cutOff(r2, f)
  const first = await story.put(r0, 'paid', key)
  await cluster.time.runFor(1000)
  await story.put(f, 'paid', key)
  await story.reunite()
  await story.untilNoHints()
  const again = await story.put(r1, 'paid', key)
  invariant(first.type === 'stored' && again.type === 'stored', 'both are stored')
  expect(again.version).toEqual(first.version)
})

// Found by a review.
test('a session of reads carries no more tags of superseded writes than one answer does', async () => {
  const story = await Story.begin({ nodes: 3 })
  const { r0 } = story
  let context = await story.write(r0, 'first', { idempotencyKey: 'first' })
  let session = context
  for (let i = 0; i < 2 * CONTEXT_TAGS_MAX; i++) {
    context = await story.write(r0, `${i}`, { idempotencyKey: `${i}`, context })
    if (i % 10 !== 9) continue
    const found = await story.get(r0, { context: session })
    invariant(found.type === 'found', 'there is something')
    session = found.context
    expect(session.tags.length).toBeLessThanOrEqual(CONTEXT_TAGS_MAX)
  }
  expect(context.tags.length).toBe(CONTEXT_TAGS_MAX)
})
