// Hints come home, also to the node that holds them, and an old one does not speak against the homes.

import { describe, expect, test } from 'vitest'
import { invariant } from '../../../src/errors.ts'
import { KEY, MIB, nodeOf, Story } from './story.ts'

describe('hints', () => {
  // Found by seed 2: the coordinator refused, as a home, what another home took, kept a hint for itself, and never delivered it.
  test('a node delivers what it owes itself', async () => {
    const story = await Story.begin({ nodes: 3, limits: { siblingsMax: 2 }, healing: { antiEntropy: false } })
    const { r0, r1, r2 } = story
    await story.write(r0, 'a', { w: 3 })
    await story.cutOff(r2)
    await story.write(r0, 'b', { sloppy: false })
    // Here it is one sibling too many, there it is not.
    await story.reunite()
    const outcome = await story.put(r0, 'c', { sloppy: false })
    expect(outcome.type).not.toBe('stored')
    await story.untilNoHints()
    const shown = await story.shows(r1, { r: 3 })
    expect(await story.shows(r0, { r: 3 })).toEqual(shown)
  })

  // Found by a review: stand-ins kept sibling beside sibling until no frame held them, and then nothing more came home from there.
  test('a stand-in keeps no more of a key than a home would, and what it keeps comes home', async () => {
    const story = await Story.begin({ limits: { siblingBytesMax: 4 * MIB, segmentBytesMax: 64 * MIB } })
    const { f, r0, last } = story
    await story.cutOff(f, last)
    const large = 'x'.repeat(4 * MIB - 1)
    await story.write(f, `0${large}`)
    for (let i = 1; i < 6; i++) expect((await story.put(f, `${i}${large}`)).type).toBe('too-many-siblings')
    const homes = (key: string): string => nodeOf(f).place('kitchen', key).preferenceList.join()
    let beside = 0
    while (homes(`${beside}`) !== homes(KEY)) beside++
    await story.write(f, 'small', {}, `${beside}`)
    await story.reunite()
    await story.untilNoHints()
    expect(await story.shows(r0, { r: 3, sloppy: false }, `${beside}`)).toEqual(['small'])
    expect(await story.shows(r0, { r: 3, sloppy: false })).toEqual([`0${large}`])
  })

  // Found by seed 86: a sloppy read merged a stand-in's hint with a stripped record, which no longer says what it had superseded.
  test('an old hint is not shown beside what superseded it', async () => {
    const story = await Story.begin()
    const { r0, r1, r2 } = story
    const { network, hosts } = story.cluster
    await story.kill(r2)
    const seen = await story.write(r0, 'cold', { w: 3 })
    const keeper = hosts.find((host) => host !== r0 && host !== r1 && story.hints(host) > 0)
    invariant(keeper !== undefined, 'somebody stands in')
    await story.cutOff(keeper)
    await story.restartAlone(r2)
    await story.write(r1, 'hot', { context: seen, w: 3, sloppy: false })
    // Every home has all of it: the records are stripped.
    await story.cluster.time.runFor(10_000)
    network.heal(keeper.name, r0.name)
    network.heal(r0.name, keeper.name)
    await story.until(() => keeper.node?.rooms?.links.reachable(r0.name) === true)
    expect(story.hints(keeper)).toBe(1)
    expect(await story.shows(keeper)).toEqual(['hot'])
    await story.reunite()
    await story.untilNoHints()
    expect(await story.shows(r2)).toEqual(['hot'])
  })
})

// Found by the torture story of full disks.
test('where homes have no room others stand in, and bring it home when there is room again', async () => {
  const story = await Story.begin({ nodes: 7 })
  const { r0, r1, f, cluster } = story
  const full = [r0, r1]
  const context = await story.write(r0, 'x'.repeat(5000), { w: 3 })
  for (const host of full) await story.kill(host)
  cluster.limits = { bytesMax: 4000 }
  for (const host of full) await story.restartAlone(host)
  await story.reunite()
  expect(full.every(({ node }) => node?.rooms?.storage.isFull)).toBe(true)
  const outcome = await story.put(f, 'yes', { context, sloppy: true })
  expect(outcome).toMatchObject({ type: 'stored', receipt: { guarantee: 'sloppy' } })
  cluster.limits = {}
  for (const host of full) await story.kill(host)
  for (const host of full) await story.restartAlone(host)
  await story.reunite()
  await story.untilNoHints()
  expect(await story.shows(r0, { r: 3 })).toEqual(['yes'])
})

// Found by a review: stand-ins had room, and brought it all home at once.
test('full homes stay as full as they are while others stand in for them', async () => {
  const story = await Story.begin({ nodes: 7, limits: { hintBytesMax: 60_000 } })
  const { r0, r1, r2, f, cluster } = story
  const full = [r0, r1, r2]
  await story.write(f, 'x'.repeat(5000), { w: 3 })
  for (const host of full) await story.kill(host)
  cluster.limits = { bytesMax: 4000 }
  for (const host of full) await story.restartAlone(host)
  await story.reunite()
  const isTheirs = (key: string): boolean =>
    nodeOf(f)
      .place('kitchen', key)
      .preferenceList.every((name) => full.some((host) => host.name === name))
  const keys = Array.from({ length: 2000 }, (_, i) => `k${i}`).filter(isTheirs)
  expect(keys.length).toBeGreaterThan(60)
  const outcomes: string[] = []
  for (const key of keys) outcomes.push((await story.put(f, 'y'.repeat(5000), {}, key)).type)
  // Until there is no room for hints either.
  expect(outcomes[0]).toBe('stored')
  expect(outcomes.at(-1)).toBe('storage-full')
  await cluster.time.runFor(20_000)
  for (const { node } of full) expect(node?.rooms?.storage.memtable.totalBytes).toBeLessThan(8000)
  expect((await story.delete(f)).type).toBe('deleted')
})

// Found by a review.
test('a deletion finds room at stand-ins whose storage is full', async () => {
  const story = await Story.begin({ limits: { bytesMax: 200_000 } })
  const { r0, r2, f } = story
  await story.write(r0, 'v', { w: 3 })
  for (let i = 0; i < 60; i++) await story.put(f, 'x'.repeat(20_000), {}, `k${i}`)
  expect(story.cluster.hosts.every(({ node }) => node?.rooms?.storage.isFull)).toBe(true)
  await story.kill(r2)
  const request = { bucket: 'kitchen', key: KEY, timeoutMs: 2000, w: 3 }
  expect((await story.cluster.time.settle(nodeOf(r0).coordinator.delete(request))).type).toBe('deleted')
})

test('what has expired is no sibling, also where it cannot be collected', async () => {
  const story = await Story.begin({ limits: { siblingsMax: 5 } })
  await story.kill(story.r2)
  for (let i = 0; i < 15; i++) {
    expect((await story.put(story.r0, `${i}`, { ttlMs: 100 })).type).toBe('stored')
    await story.cluster.time.runFor(2000)
  }
})
