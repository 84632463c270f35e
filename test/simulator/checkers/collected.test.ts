// No home lets go of a deletion or an expired version that another home has never heard of.

import { expect, test } from 'vitest'
import { Collected } from '../../../src/simulator/checkers/collected.ts'
import type { Host } from '../../../src/simulator/simulated-cluster.ts'
import { writeOf } from './outcomes.ts'
import { forget, Scene, type Told, type WriteTold } from './scene.ts'

/** A value everywhere, and on top of it what will be collected, at so many of three homes. */
async function told(how: WriteTold, at: number): Promise<{ scene: Scene; checker: Collected; spent: Told }> {
  const scene = await Scene.open()
  const value = scene.write('a')
  await scene.store(value, scene.homes)
  const spent = scene.write('d', { on: [value], ...how })
  await scene.store(spent, scene.homes.slice(0, at))
  const checker = new Collected(scene.world)
  checker.note(writeOf(scene, spent, { deleted: how.kind === 'delete' }))
  checker.tick(true)
  expect(scene.guarantees).toEqual([])
  return { scene, checker, spent }
}

for (const how of [{ kind: 'delete' }, { ttlMs: 10 }] as const) {
  const what = how.kind ?? 'expired version'
  test(`G4: a ${what} goes while one home lacks it`, async () => {
    const { scene, checker } = await told(how, 2)
    forget(scene, scene.homes[0] as Host)
    checker.tick(true)
    expect(scene.guarantees).toEqual(['G4'])
  })

  test(`a ${what} that is everywhere may go`, async () => {
    const { scene, checker } = await told(how, 3)
    forget(scene, scene.homes[0] as Host)
    checker.tick(true)
    expect(scene.guarantees).toEqual([])
  })
}

test('an attempt of an idempotent write may meet its dead tag', async () => {
  const { scene, checker } = await told({ ttlMs: 10, tagged: true }, 2)
  forget(scene, scene.homes[0] as Host)
  checker.tick(true)
  expect(scene.guarantees).toEqual([])
})

test('one that was superseded has not been collected', async () => {
  const { scene, checker, spent } = await told({ kind: 'delete' }, 2)
  await scene.store(scene.write('b', { on: [spent] }), scene.homes.slice(0, 1))
  checker.tick(true)
  expect(scene.guarantees).toEqual([])
})

test('while something destroyed is not repaired nothing is expected', async () => {
  const { scene, checker } = await told({ kind: 'delete' }, 2)
  forget(scene, scene.homes[0] as Host)
  checker.tick(false)
  expect(scene.guarantees).toEqual([])
})
