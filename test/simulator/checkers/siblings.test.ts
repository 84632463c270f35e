// What is shown side by side was written by people who had not seen the other.

import { expect, test } from 'vitest'
import { checkSiblings } from '../../../src/simulator/checkers/siblings.ts'
import { readOf } from './outcomes.ts'
import { Scene, type SceneOptions, type Told } from './scene.ts'

async function judged(shows: (scene: Scene) => readonly Told[], options: SceneOptions = {}): Promise<string[]> {
  const scene = await Scene.open(options)
  checkSiblings(scene.world, readOf(scene, { shows: shows(scene), guarantee: 'eventual' }))
  return scene.guarantees
}

/** Three on top of one another, the last without the first in its client's mind. */
function chain(scene: Scene): { a: Told; b: Told; c: Told } {
  const a = scene.write('a')
  const b = scene.write('b', { on: [a] })
  return { a, b, c: { ...scene.write('c', { on: [b] }) } }
}

test('one version', async () => expect(await judged((scene) => [scene.write('a')])).toEqual([]))
test('nothing', async () => expect(await judged(() => [])).toEqual([]))
test('two that had not seen each other', async () =>
  expect(await judged((scene) => [scene.write('a'), scene.write('b')])).toEqual([]))
test('two on top of the same third', async () => {
  const two = (scene: Scene): Told[] => {
    const below = scene.write('a')
    return [scene.write('b', { on: [below] }), scene.write('c', { on: [below] })]
  }
  expect(await judged(two)).toEqual([])
})

test('G6: one beside what it had seen', async () =>
  expect(
    await judged((scene) => {
      const { a, b } = chain(scene)
      return [a, b]
    }),
  ).toEqual(['G6']))
test('G6: one beside what it had seen of by way of another', async () =>
  expect(
    await judged((scene) => {
      const { a, c } = chain(scene)
      return [c, a]
    }),
  ).toEqual(['G6']))
test('G6: one beside what it had seen, though nobody knows whether either was applied', async () =>
  expect(
    await judged((scene) => {
      const a = scene.write('a', { fate: 'unknown' })
      return [a, scene.write('b', { on: [a], fate: 'unknown' })]
    }),
  ).toEqual(['G6']))

test('G6: two attempts of one idempotent write', async () =>
  expect(
    await judged((scene) => {
      const a = scene.write('a', { tagged: true })
      return [a, scene.write('a', { again: a })]
    }),
  ).toEqual(['G6', 'G6']))

test('in a bucket where the last writer wins one is shown', async () =>
  expect(await judged((scene) => [scene.write('a')], { bucket: { conflict: 'lww' } })).toEqual([]))
test('G6: two in a bucket where the last writer wins', async () =>
  expect(await judged((scene) => [scene.write('a'), scene.write('b')], { bucket: { conflict: 'lww' } })).toEqual([
    'G6',
  ]))

test('with a disk from the past nothing is judged', async () => {
  const scene = await Scene.open()
  scene.world.disksTrusted = false
  const { a, b } = chain(scene)
  checkSiblings(scene.world, readOf(scene, { shows: [a, b] }))
  expect(scene.found).toEqual([])
})
