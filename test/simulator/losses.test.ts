// What a process takes with it when it ends: of a write that is only promised to memory, the copy that no disk had yet.

import { expect, test } from 'vitest'
import { Losses } from '../../src/simulator/faults/losses.ts'
import type { Host } from '../../src/simulator/simulated-cluster.ts'
import { Scene, type Told } from './checkers/scene.ts'

interface Written {
  readonly scene: Scene
  readonly told: Told
  readonly losses: Losses
  readonly end: (host: Host) => void
}

async function written(required: number, durability: 'memory' | 'durable' = 'memory'): Promise<Written> {
  const scene = await Scene.open({ disks: true, bucket: { durability } })
  const told = scene.write('a', { required })
  await scene.store(told, scene.homes)
  const losses = new Losses(scene.world)
  scene.world.cluster.onEnd.push((host) => losses.processEnded(host))
  return { scene, told, losses, end: (host) => scene.world.cluster.crash(host, 'reset', false) }
}

test('an acknowledgement at W = 1 is void with the first process that had it in memory alone', async () => {
  const { scene, told, losses, end } = await written(1)
  end(scene.homes[0] as Host)
  expect(told.write.fate).toBe('unknown')
  expect(scene.key.acknowledged.isEmpty).toBe(true)
  expect(scene.key.suspended).toBe(true)
  expect(losses.isWhole).toBe(false)
})

test('one at W = 2 stands until the second one ends', async () => {
  const { scene, told, end } = await written(2)
  const [first, second] = scene.homes as [Host, Host]
  end(first)
  expect(told.write.fate).toBe('acknowledged')
  expect(scene.key.suspended).toBe(true)
  end(second)
  expect(told.write.fate).toBe('unknown')
})

test('what is acknowledged after the end of what it stands on is void too', async () => {
  const { scene, told, end } = await written(3)
  told.write.open = 1
  end(scene.homes[0] as Host)
  scene.key.noteAcknowledged(told.write, told.version.dot, 1, 1)
  expect(told.write.fate).toBe('unknown')
})

test('what a disk has taken is not lost, nor what was promised to disks', async () => {
  for (const [durability, synced] of [['memory', true] as const, ['durable', false] as const]) {
    const { scene, told, losses, end } = await written(1, durability)
    const { storage } = scene.rooms(scene.homes[0]?.name ?? '')
    if (synced) await scene.world.cluster.time.settle(storage.synced(storage.lastLsn))
    end(scene.homes[0] as Host)
    expect(told.write.fate).toBe('acknowledged')
    expect(scene.key.suspended).toBe(false)
    expect(losses.isWhole).toBe(true)
  }
})
