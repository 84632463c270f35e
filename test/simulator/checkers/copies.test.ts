// From the acknowledgement on, W hosts hold a write, and a home that counts it among what it received can show for it.

import { describe, expect, test } from 'vitest'
import { Copies } from '../../../src/simulator/checkers/copies.ts'
import type { Host } from '../../../src/simulator/simulated-cluster.ts'
import { writeOf } from './outcomes.ts'
import { forget, Scene, type SceneOptions, type Told } from './scene.ts'

interface Watch {
  readonly scene: Scene
  readonly copies: Copies
  readonly told: Told
  readonly homes: readonly [Host, Host, Host]
}

/** Acknowledged at W = 2, held by two of three homes, and looked at once. */
async function acknowledged(options: SceneOptions = {}): Promise<Watch> {
  const scene = await Scene.open({ nodes: 5, ...options })
  const told = scene.write('a')
  const homes = scene.homes as [Host, Host, Host]
  await scene.store(told, homes.slice(0, 2))
  const copies = new Copies(scene.world)
  copies.note(writeOf(scene, told))
  copies.tick(true)
  expect(scene.guarantees).toEqual([])
  return { scene, copies, told, homes }
}

/** As it is after a restart: with what is in the scene's storage of another host. */
function restart(scene: Scene, host: Host, from: Host): void {
  host.starts++
  scene.rooms(host.name).storage = scene.rooms(from.name).storage
}

describe('copies', () => {
  test('G1: a restarted home no longer knows it', async () => {
    const { scene, copies, homes } = await acknowledged()
    restart(scene, homes[1], homes[2])
    copies.tick(true)
    copies.tick(true)
    expect(scene.guarantees).toEqual(['G1'])
  })

  test('nothing is expected while something destroyed is not repaired', async () => {
    const { scene, copies, homes } = await acknowledged()
    restart(scene, homes[1], homes[2])
    copies.tick(false)
    expect(scene.guarantees).toEqual([])
  })

  test('a hint takes the place of a copy', async () => {
    const { scene, copies, homes, told } = await acknowledged()
    const standIn = scene.world.cluster.hosts.find((host) => !homes.includes(host)) as Host
    const view = { versions: [told.version], seen: told.seen, deadTags: [] }
    scene.rooms(standIn.name).storage.hints.add(homes[2].name, scene.key, 'siblings', view)
    restart(scene, homes[1], homes[2])
    copies.tick(true)
    expect(scene.guarantees).toEqual([])
  })

  test('a home that is down still has what it had', async () => {
    const { scene, copies, homes } = await acknowledged()
    homes[1].departed.push({ storage: scene.rooms(homes[1].name).storage, at: 5, harms: 0 })
    homes[1].node = null
    copies.tick(true)
    expect(scene.guarantees).toEqual([])
  })

  test('of a bucket in memory nothing is expected where nodes have disks', async () => {
    const { scene, copies, homes } = await acknowledged({ bucket: { durability: 'memory' } })
    restart(scene, homes[1], homes[2])
    copies.tick(true)
    expect(scene.guarantees).toEqual([])
  })
})

describe('what a clock claims', () => {
  test('G1: the dot is there, and neither the write nor one over it', async () => {
    const { scene, copies, homes } = await acknowledged()
    forget(scene, homes[0])
    homes[0].starts++
    copies.tick(true)
    expect(scene.found.map(({ what }) => what)).toEqual([expect.stringContaining(`${homes[0].name} counts`)])
  })

  test('one over it may be all that is there', async () => {
    const { scene, copies, homes, told } = await acknowledged()
    await scene.store(scene.write('b', { on: [told] }), homes)
    homes[0].starts++
    copies.tick(true)
    expect(scene.guarantees).toEqual([])
  })

  test('a home that is being filled may be told of what is still to come', async () => {
    const { scene, copies, homes } = await acknowledged()
    forget(scene, homes[0])
    scene.rooms(homes[0].name).filling = { isActive: true, isFilling: () => true }
    homes[0].starts++
    copies.tick(true)
    expect(scene.guarantees).toEqual([])
  })
})
