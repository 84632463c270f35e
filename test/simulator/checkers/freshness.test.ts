// Between operations that are both strict: what ended before a read began is in it, itself or through a write that had seen it.

import { describe, expect, test } from 'vitest'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { begin } from './outcomes.ts'
import { type Scene, seenOf } from './scene.ts'
import { Story } from './story-of-a-key.ts'

describe('after a strict write', () => {
  test('a strict read shows it', async () => {
    const story = await Story.begin()
    expect(story.read([story.write('a')])).toEqual([])
  })

  test('G9: a strict read shows nothing', async () => {
    const story = await Story.begin()
    story.write('a')
    expect(story.read([])).toEqual(['G9'])
  })

  test('G9: a strict read shows only another one', async () => {
    const story = await Story.begin()
    story.write('a')
    expect(story.read([story.write('b', { fate: 'unknown' })])).toEqual(['G9'])
  })

  test('G9: it was a sibling of what is shown, and is missing', async () => {
    const story = await Story.begin()
    const [a, b] = [story.write('a'), story.write('b')]
    expect(story.read([a, b])).toEqual([])
    expect(story.read([b])).toEqual(['G9'])
  })

  test.for(['eventual', 'sloppy'] as const)('a read that is only %s owes nothing', async (guarantee) => {
    const story = await Story.begin()
    story.write('a')
    expect(story.read([], { guarantee })).toEqual([])
    // And says nothing to those after it.
    const b = story.write('b', { fate: 'unknown' })
    story.read([b], { guarantee })
    expect(story.scene.key.strict.has(b.version.dot)).toBe(false)
  })

  test.for(['eventual', 'sloppy'] as const)('nothing is owed to a write that was only %s', async (guarantee) => {
    const story = await Story.begin()
    story.write('a', { guarantee })
    expect(story.read([])).toEqual([])
  })

  test('nothing is owed to a write whose outcome nobody knows, or that was refused', async () => {
    const story = await Story.begin()
    story.write('a', { fate: 'unknown' })
    story.write('b', { fate: 'void' })
    expect(story.read([])).toEqual([])
  })

  test('a read that began before it ended owes nothing', async () => {
    const story = await Story.begin()
    const begun = begin(story.scene, 5)
    story.write('a')
    expect(story.read([], { begun, endedAt: 200 })).toEqual([])
  })
})

describe('after a strict read', () => {
  // No write-back: what the first reader met at one home the second does not find at the others.
  test('G9: what it showed is missing in the next, though its outcome is unknown', async () => {
    const story = await Story.begin()
    const a = story.write('a', { fate: 'unknown' })
    expect(story.read([a])).toEqual([])
    expect(story.read([])).toEqual(['G9'])
  })

  test('G9: a value is missing on top of which only what nobody saw was written', async () => {
    const story = await Story.begin()
    const a = story.write('a', { fate: 'unknown' })
    const b = story.write('b', { fate: 'unknown' })
    story.read([a, b])
    expect(story.read([b])).toEqual(['G9'])
  })

  test('two that overlap may differ', async () => {
    const story = await Story.begin()
    const a = story.write('a', { fate: 'unknown' })
    const begun = begin(story.scene, 50)
    expect(story.read([a], { startedAt: 51 })).toEqual([])
    expect(story.read([], { begun, endedAt: 60 })).toEqual([])
  })

  test('G9: a deletion that it knew of is forgotten, and the value is missing that the deletion had not seen', async () => {
    const story = await Story.begin()
    const a = story.write('a', { fate: 'unknown' })
    const deletion = story.write('d', { kind: 'delete', fate: 'unknown' })
    expect(story.read([a], { seen: seenOf(a, deletion) })).toEqual([])
    expect(story.read([])).toEqual(['G9'])
  })

  test("what only its client's own context knew is owed by nobody", async () => {
    const story = await Story.begin()
    const [a, b] = [story.write('a', { fate: 'unknown' }), story.write('b', { fate: 'unknown' })]
    expect(story.read([b], { seen: seenOf(a, b), including: seenOf(a) })).toEqual([])
    expect(story.read([b])).toEqual([])
  })
})

describe('superseded', () => {
  test('by what is shown', async () => {
    const story = await Story.begin()
    const a = story.write('a')
    expect(story.read([story.write('b', { on: [a] })])).toEqual([])
  })

  test('by what is shown, whatever became of it', async () => {
    const story = await Story.begin()
    const a = story.write('a')
    expect(story.read([story.write('b', { on: [a], fate: 'unknown' })])).toEqual([])
  })

  test('by way of another that nobody shows', async () => {
    const story = await Story.begin()
    const a = story.write('a')
    const b = story.write('b', { on: [a], fate: 'unknown' })
    expect(story.read([story.write('c', { on: [b] })])).toEqual([])
  })

  test('by a deletion, which leaves nothing', async () => {
    const story = await Story.begin()
    const a = story.write('a')
    story.write('d', { kind: 'delete', on: [a] })
    expect(story.read([])).toEqual([])
  })

  test('G9: by nothing that left its coordinator before the read ended', async () => {
    const story = await Story.begin()
    const a = story.write('a')
    story.write('b', { on: [a], fate: 'pending', unsent: true })
    story.write('c', { on: [a], fate: 'pending', startedAt: 500 })
    story.write('d', { on: [a], fate: 'void', kind: 'delete' })
    expect(story.read([], { startedAt: 100 })).toEqual(['G9'])
  })

  test('G9: by something, but neither that nor what took its place is there', async () => {
    const story = await Story.begin()
    const a = story.write('a')
    const b = story.write('b', { on: [a], fate: 'unknown' })
    story.write('c', { on: [b], fate: 'unknown' })
    expect(story.read([])).toEqual(['G9'])
  })

  test('G4: and shown again, beside what superseded it or alone', async () => {
    const story = await Story.begin()
    const a = story.write('a')
    const b = story.write('b', { on: [a] })
    expect(story.read([a, b])).toEqual(['G4'])
    expect(story.read([a])).toEqual(['G9', 'G4'])
  })

  test('G4: by a deletion, and shown again', async () => {
    const story = await Story.begin()
    const a = story.write('a')
    const begun = begin(story.scene, 50)
    story.write('d', { kind: 'delete', on: [a] })
    expect(story.read([a], { begun })).toEqual([])
    expect(story.read([a])).toEqual(['G4'])
  })

  test('only what was told: an eventual deletion may show late', async () => {
    const story = await Story.begin()
    const a = story.write('a')
    story.write('d', { kind: 'delete', on: [a], guarantee: 'eventual' })
    expect(story.read([a])).toEqual([])
  })
})

describe('expiry', () => {
  test('excuses what is over, within what clocks may be wrong by, and nothing before', async () => {
    const story = await Story.begin()
    story.write('a', { ttlMs: 1000 })
    expect(story.read([], { startedAt: 898, endedAt: 899 })).toEqual(['G9'])
    expect(story.read([], { startedAt: 899, endedAt: 900 })).toEqual([])
  })

  test('excuses what was superseded by what is over', async () => {
    const story = await Story.begin()
    const a = story.write('a')
    story.write('b', { on: [a], ttlMs: 1000 })
    expect(story.read([], { startedAt: 100 })).toEqual(['G9', 'G9'])
    expect(story.read([], { startedAt: 5000 })).toEqual([])
  })

  test('is not judged by time where a clock was wrong', async () => {
    const story = await Story.begin()
    story.scene.world.clocksTrusted = false
    story.write('a', { ttlMs: 1000 })
    expect(story.read([])).toEqual([])
  })
})

describe('nothing is judged', () => {
  test.for([
    ['with a disk from the past', (scene: Scene): void => void (scene.world.disksTrusted = false)],
    ['while a copy is known to be lost', (scene: Scene): void => void (scene.key.suspended = true)],
    ['when it was known so during the read', (scene: Scene): void => void (scene.key.suspendedAt = 100)],
  ] as const)('%s', async ([, bend]) => {
    const story = await Story.begin()
    const a = story.write('a')
    story.write('b', { on: [a] })
    bend(story.scene)
    expect(story.read([a], { startedAt: 100 })).toEqual([])
  })

  test('and again as soon as the copies are back', async () => {
    const story = await Story.begin()
    story.write('a')
    story.scene.key.suspendedAt = 99
    expect(story.read([], { startedAt: 100 })).toEqual(['G9'])
  })

  test('nor does what such a read claimed to know count', async () => {
    const story = await Story.begin()
    story.scene.key.suspended = true
    story.write('x', { fate: 'unknown' })
    const everything = DotSet.of(...story.scene.key.writes.flatMap(({ dots }) => dots))
    story.read([], { seen: everything })
    story.scene.key.suspended = false
    expect(story.read([])).toEqual([])
  })
})
