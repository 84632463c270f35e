// One dot, one value of one key, wherever it turns up.

import { expect, test } from 'vitest'
import { DotsUnique } from '../../../src/simulator/checkers/dots-unique.ts'
import type { KeyHistory } from '../../../src/simulator/history.ts'
import { contentOf, Scene, type Told } from './scene.ts'

interface Stage {
  readonly scene: Scene
  readonly dots: DotsUnique
  readonly told: Told
  /** Another key of the same partition, and one of another. */
  readonly neighbour: KeyHistory
  readonly stranger: KeyHistory
}

async function stage(): Promise<Stage> {
  const scene = await Scene.open()
  const others = Array.from({ length: 100 }, (_, i) => scene.world.history.of('b', `k${i}`))
  const neighbour = others.find(({ partition }) => partition === scene.key.partition)
  const stranger = others.find(({ partition }) => partition !== scene.key.partition)
  if (!neighbour || !stranger) throw new Error('a hundred keys in one partition')
  const dots = new DotsUnique(scene.world.violations)
  const told = scene.write('c0-1')
  dots.note(scene.key, told.version)
  return { scene, dots, told, neighbour, stranger }
}

test('the same value again, from whatever node, is good', async () => {
  const { scene, dots, told } = await stage()
  dots.note(scene.key, { ...told.version, stamp: 99 })
  dots.note(scene.key, scene.write('c0-2').version)
  expect(scene.found).toEqual([])
})

test('counters of another partition are others', async () => {
  const { scene, dots, told, stranger } = await stage()
  dots.note(stranger, { ...told.version, content: contentOf(stranger, 'c0-2') })
  expect(scene.found).toEqual([])
})

test('G3: another value', async () => {
  const { scene, dots, told } = await stage()
  dots.note(scene.key, { ...told.version, content: contentOf(scene.key, 'c0-2') })
  expect(scene.guarantees).toEqual(['G3'])
})

test('G3: a deletion and a value, whichever came first', async () => {
  const { scene, dots, told } = await stage()
  dots.note(scene.key, { ...told.version, content: null })
  const deletion = scene.write('d', { kind: 'delete' })
  dots.note(scene.key, deletion.version)
  dots.note(scene.key, { ...deletion.version, content: contentOf(scene.key, 'c0-3') })
  expect(scene.guarantees).toEqual(['G3', 'G3'])
})

test('G3: the very same bytes under another key of the partition', async () => {
  const { scene, dots, told, neighbour } = await stage()
  dots.note(neighbour, told.version)
  expect(scene.guarantees).toEqual(['G3'])
})
