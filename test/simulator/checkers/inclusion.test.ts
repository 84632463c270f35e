// Does an answer include a set of dots? By hand; `exhaustive-freshness.test.ts` compares with the definition on thousands of small graphs.

import { describe, expect, test } from 'vitest'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { type Answer, judge } from '../../../src/simulator/checkers/inclusion.ts'
import { Scene, seenOf, type Told } from './scene.ts'

const SLACK = 100

function answer(shows: readonly Told[], told: Partial<Answer> = {}): Answer {
  return { versions: shows.map(({ version }) => version), seen: seenOf(...shows), startedAt: 50, endedAt: 60, ...told }
}

function judged(
  scene: Scene,
  join: DotSet,
  given: Answer,
  told: DotSet | null = null,
): { missing: string[]; risen: string[] } {
  const { missing, risen } = judge(scene.key, join, given, SLACK, told)
  return { missing: missing.map(({ id }) => id), risen: risen.map(({ write, by }) => `${write.id} by ${by.id}`) }
}

const GOOD = { missing: [], risen: [] }

describe('included', () => {
  test('what nobody asks for', async () => {
    const scene = await Scene.open()
    scene.write('a')
    expect(judged(scene, DotSet.empty(), answer([]))).toEqual(GOOD)
  })

  test('what is shown, and what that had seen', async () => {
    const scene = await Scene.open()
    const a = scene.write('a')
    const b = scene.write('b', { on: [a] })
    expect(judged(scene, seenOf(a, b), answer([b]))).toEqual(GOOD)
  })

  test('what superseded it was superseded in its turn, by somebody who did not know of it', async () => {
    const scene = await Scene.open()
    const a = scene.write('a')
    const b = scene.write('b', { on: [a], fate: 'unknown' })
    const c = scene.write('c', { on: [b], barely: true })
    expect(c.seen.has(a.version.dot)).toBe(false)
    expect(judged(scene, seenOf(a), answer([c]))).toEqual(GOOD)
  })

  test('what something superseded that the answer has seen, though it is not shown', async () => {
    const scene = await Scene.open()
    const a = scene.write('a')
    const b = scene.write('b', { on: [a], ttlMs: 10_000 })
    expect(judged(scene, seenOf(a), answer([], { seen: seenOf(a, b) }))).toEqual(GOOD)
  })

  test('deletions are never missing', async () => {
    const scene = await Scene.open()
    expect(judged(scene, seenOf(scene.write('d', { kind: 'delete' })), answer([], { seen: null }))).toEqual(GOOD)
  })

  test('a circle of contexts comes to an end', async () => {
    const scene = await Scene.open()
    const a = scene.write('a', { tagged: true })
    const b = scene.write('b', { on: [a], tagged: true })
    scene.write('a', { again: a, on: [b] })
    scene.write('b', { again: b, on: [a] })
    expect(judged(scene, seenOf(a), answer([], { seen: null })).missing).toEqual(['a'])
  })
})

describe('missing', () => {
  test('what is not shown, and nobody has superseded', async () => {
    const scene = await Scene.open()
    const [a, b] = [scene.write('a'), scene.write('b')]
    expect(judged(scene, seenOf(a, b), answer([b])).missing).toEqual(['a'])
  })

  test('even where the answer says that it has seen it', async () => {
    const scene = await Scene.open()
    const a = scene.write('a')
    expect(judged(scene, seenOf(a), answer([], { seen: seenOf(a) })).missing).toEqual(['a'])
  })

  test('what only a write superseded that never left, was refused, or began later', async () => {
    const scene = await Scene.open()
    const a = scene.write('a')
    scene.write('unsent', { on: [a], kind: 'delete', unsent: true, fate: 'pending' })
    scene.write('void', { on: [a], kind: 'delete', fate: 'void' })
    scene.write('later', { on: [a], kind: 'delete', startedAt: 61 })
    expect(judged(scene, seenOf(a), answer([])).missing).toEqual(['a'])
    scene.write('in time', { on: [a], kind: 'delete', startedAt: 60, fate: 'unknown' })
    expect(judged(scene, seenOf(a), answer([])).missing).toEqual([])
  })
})

describe('risen', () => {
  test('what something had seen that is included', async () => {
    const scene = await Scene.open()
    const a = scene.write('a')
    const deletion = scene.write('d', { kind: 'delete', on: [a] })
    expect(judged(scene, seenOf(deletion), answer([a])).risen).toEqual(['a by d'])
    expect(judged(scene, seenOf(a), answer([a])).risen).toEqual([])
  })

  test('not by itself', async () => {
    const scene = await Scene.open()
    const a = scene.write('a')
    expect(judged(scene, seenOf(a), answer([a]))).toEqual(GOOD)
  })

  test('only by the attempt that had seen it', async () => {
    const scene = await Scene.open()
    const a = scene.write('a')
    const blind = scene.write('b', { tagged: true })
    const knowing = scene.write('b', { again: blind, on: [a], fate: 'unknown' })
    expect(judged(scene, seenOf(a, blind), answer([a, blind]))).toEqual(GOOD)
    expect(judged(scene, seenOf(a, knowing), answer([a, blind])).risen).toEqual(['a by b'])
  })

  test('where the last writer wins, what has a smaller stamp than something included', async () => {
    const scene = await Scene.open({ bucket: { conflict: 'lww' } })
    const [a, b] = [scene.write('a', { stamp: 1 }), scene.write('b', { stamp: 2 })]
    expect(judged(scene, seenOf(b), answer([a]))).toEqual({ missing: ['b'], risen: ['a by b'] })
    expect(judged(scene, seenOf(a), answer([b]))).toEqual(GOOD)
  })

  test('where siblings are kept, stamps say nothing', async () => {
    const scene = await Scene.open()
    const [a, b] = [scene.write('a', { stamp: 1 }), scene.write('b', { stamp: 2 })]
    expect(judged(scene, seenOf(a, b), answer([a, b]))).toEqual(GOOD)
  })
})
