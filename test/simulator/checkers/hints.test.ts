// A hint leaves its stand-in only when the home knows what it held.

import { expect, test } from 'vitest'
import { HintsKept } from '../../../src/simulator/checkers/hints.ts'
import type { Host } from '../../../src/simulator/simulated-cluster.ts'
import { Scene, type SceneOptions, type Told } from './scene.ts'

interface Held {
  readonly scene: Scene
  readonly checker: HintsKept
  readonly standIn: Host
  readonly home: Host
  readonly told: Told
}

async function held(options: SceneOptions = {}): Promise<Held> {
  const scene = await Scene.open({ nodes: 5, ...options })
  const told = scene.write('a')
  const [home] = scene.homes as [Host]
  const standIn = scene.world.cluster.hosts.find((host) => !scene.homes.includes(host)) as Host
  hold(scene, told, standIn, home)
  const checker = new HintsKept(scene.world)
  checker.tick(true)
  return { scene, checker, standIn, home, told }
}

function hold(scene: Scene, { version, seen }: Told, standIn: Host, home: Host): void {
  const view = { versions: [version], seen, deadTags: [] }
  scene.rooms(standIn.name).storage.hints.add(home.name, scene.key, 'siblings', view)
}

function letGo(scene: Scene, standIn: Host): void {
  scene.rooms(standIn.name).storage.hints.restoreRemoval((scene.homes[0] as Host).name, scene.key)
}

test('it was delivered before it left', async () => {
  const { scene, checker, standIn, home, told } = await held()
  await scene.store(told, [home])
  letGo(scene, standIn)
  checker.tick(true)
  expect(scene.guarantees).toEqual([])
})

test('G1: it left, and its home has never heard of it', async () => {
  const { scene, checker, standIn } = await held()
  letGo(scene, standIn)
  checker.tick(true)
  expect(scene.guarantees).toEqual(['G1'])
})

test('the home may know it by one that superseded it, and be down by now', async () => {
  const { scene, checker, standIn, home, told } = await held()
  await scene.store(scene.write('b', { on: [told] }), [home])
  home.departed.push({ storage: scene.rooms(home.name).storage, at: 5, harms: 0 })
  home.node = null
  letGo(scene, standIn)
  checker.tick(true)
  expect(scene.guarantees).toEqual([])
})

test('another write joins it, and both are still there', async () => {
  const { scene, checker, standIn, home } = await held()
  hold(scene, scene.write('b'), standIn, home)
  checker.tick(true)
  expect(scene.guarantees).toEqual([])
})

test('G1: another write took its place', async () => {
  const { scene, checker, standIn, home } = await held()
  letGo(scene, standIn)
  hold(scene, scene.write('b'), standIn, home)
  checker.tick(true)
  expect(scene.guarantees).toEqual(['G1'])
})

test('while something destroyed is not repaired nothing is expected, and what held before is forgotten', async () => {
  const { scene, checker, standIn } = await held()
  checker.tick(false)
  letGo(scene, standIn)
  checker.tick(true)
  expect(scene.guarantees).toEqual([])
})

test('a crash takes what was not synced, and only that', async () => {
  for (const isSynced of [true, false]) {
    const { scene, checker, standIn } = await held()
    const { storage } = scene.rooms(standIn.name)
    standIn.departed.push({ storage: { syncedLsn: isSynced ? storage.lastLsn : 0 } as typeof storage, at: 5, harms: 0 })
    standIn.starts++
    letGo(scene, standIn)
    checker.tick(true)
    expect(scene.guarantees).toEqual(isSynced ? ['G1'] : [])
  }
})
