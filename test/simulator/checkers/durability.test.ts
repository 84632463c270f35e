// At the acknowledgement W nodes hold the write: in memory by their own word, on their disks by the bytes there.

import { describe, expect, test } from 'vitest'
import { Durability } from '../../../src/simulator/checkers/durability.ts'
import type { Host } from '../../../src/simulator/simulated-cluster.ts'
import { type WriteAnswerTold, writeOf } from './outcomes.ts'
import { Scene, type SceneOptions, type Told } from './scene.ts'

async function judged(
  hold: (scene: Scene, told: Told, homes: readonly Host[]) => void | Promise<void>,
  options: SceneOptions = {},
  answer: WriteAnswerTold = {},
): Promise<string[]> {
  const scene = await Scene.open({ nodes: 5, ...options })
  const told = scene.write('a')
  await hold(scene, told, scene.homes)
  const durability = new Durability(scene.world)
  durability.check(writeOf(scene, told, { startedAt: 10, ...answer }))
  await durability.finish()
  return scene.guarantees
}

const stored =
  (count: number) =>
  (scene: Scene, told: Told, homes: readonly Host[]): Promise<void> =>
    scene.store(told, homes.slice(0, count))

function hint(scene: Scene, { version, seen }: Told, at: Host, target: string): void {
  const view = { versions: [version], seen, deadTags: [] }
  scene.rooms(at.name).storage.hints.add(target, scene.key, 'siblings', view)
}

function fallbackOf({ world, homes }: Scene): Host {
  return world.cluster.hosts.find((host) => !homes.includes(host)) as Host
}

describe('in memory', () => {
  test('W homes hold it', async () => expect(await judged(stored(2))).toEqual([]))
  test('G1: fewer do', async () => expect(await judged(stored(1))).toEqual(['G1']))
  test('G1: nobody does', async () => expect(await judged(stored(0))).toEqual(['G1']))
  test('the W that was asked for counts', async () => {
    expect(await judged(stored(1), {}, { receipt: { required: 1 } })).toEqual([])
    expect(await judged(stored(2), {}, { receipt: { required: 3 } })).toEqual(['G1'])
  })

  test('a hint is a copy, at whatever node', async () =>
    expect(
      await judged(async (scene, told, homes) => {
        await scene.store(told, homes.slice(0, 1))
        hint(scene, told, fallbackOf(scene), homes[1]?.name ?? '')
      }),
    ).toEqual([]))

  test('G1: a hint beside the record on one node is no second copy', async () =>
    expect(
      await judged(async (scene, told, homes) => {
        await scene.store(told, homes.slice(0, 1))
        hint(scene, told, homes[0] as Host, homes[1]?.name ?? '')
      }),
    ).toEqual(['G1']))

  test('G1: a record at a node that is no home is no copy', async () =>
    expect(
      await judged(async (scene, told, homes) => {
        await scene.store(told, [...homes.slice(0, 1), fallbackOf(scene)])
      }),
    ).toEqual(['G1']))

  test('who superseded it meanwhile knows it', async () =>
    expect(
      await judged(async (scene, told, homes) => {
        await scene.store(told, homes.slice(0, 2))
        await scene.store(scene.write('b', { on: [told] }), homes.slice(0, 2))
      }),
    ).toEqual([]))

  test('a run that ended since counts; one that ended before does not', async () => {
    const ended = (at: number) => async (scene: Scene, told: Told, homes: readonly Host[]) => {
      await scene.store(told, homes.slice(0, 2))
      const [first] = homes as [Host]
      first.departed.push({ storage: scene.rooms(first.name).storage, at, harms: 0 })
      first.node = null
    }
    expect(await judged(ended(10))).toEqual([])
    expect(await judged(ended(9))).toEqual(['G1'])
  })

  test('G1: two runs of one host are one node', async () =>
    expect(
      await judged(async (scene, told, homes) => {
        await scene.store(told, homes.slice(0, 1))
        const [first] = homes as [Host]
        first.departed.push({ storage: scene.rooms(first.name).storage, at: 10, harms: 0 })
      }),
    ).toEqual(['G1']))

  test.for([
    ['a disk is from the past', (scene: Scene): void => void (scene.world.disksTrusted = false)],
    ['a copy is known to be lost', (scene: Scene): void => void (scene.key.suspended = true)],
  ] as const)('while %s nothing is judged', async ([, bend]) => expect(await judged(bend)).toEqual([]))
})

describe('on disk', () => {
  /** As the homes would: the writes wait for the disk, unless told not to. */
  const written = (count: number, synced: boolean) => async (scene: Scene, told: Told, homes: readonly Host[]) => {
    const { time } = scene.world.cluster
    await scene.store(told, homes.slice(0, count))
    for (const { name } of homes.slice(0, count)) {
      const { storage } = scene.rooms(name)
      if (synced) await time.settle(storage.synced(storage.lastLsn))
      else expect(storage.syncedLsn).toBeLessThan(storage.lastLsn)
    }
  }
  const disks = { disks: true }

  test('synced by W homes', async () => expect(await judged(written(2, true), disks)).toEqual([]))
  test('G1: in the memory of W homes, and in no bytes that a power cut leaves', async () =>
    expect(await judged(written(3, false), disks)).toEqual(['G1']))
  test('a bucket that promises memory only', async () =>
    expect(await judged(written(2, false), { ...disks, bucket: { durability: 'memory' } })).toEqual([]))
  test('G1: that much it does promise', async () =>
    expect(await judged(written(1, false), { ...disks, bucket: { durability: 'memory' } })).toEqual(['G1']))
  test('nodes without disks promise memory only', async () =>
    expect(await judged(written(2, false), { ...disks, plan: { memory: true } })).toEqual([]))

  test('a home whose disk was destroyed after it had acknowledged', async () => {
    const ended = (destroyed: boolean) => async (scene: Scene, told: Told, homes: readonly Host[]) => {
      await written(2, false)(scene, told, homes)
      const [first] = homes as [Host]
      first.departed.push({ storage: scene.rooms(first.name).storage, at: 10, harms: first.disk.harms })
      first.node = null
      if (destroyed) first.disk.wipe()
    }
    expect(await judged(ended(true), disks)).toEqual([])
    expect(await judged(ended(false), disks)).toEqual(['G1'])
  })

  test('G1: a hint that was not synced', async () => {
    const hinted = (synced: boolean) => async (scene: Scene, told: Told, homes: readonly Host[]) => {
      const fallback = fallbackOf(scene)
      await written(1, true)(scene, told, homes)
      hint(scene, told, fallback, homes[1]?.name ?? '')
      const { storage } = scene.rooms(fallback.name)
      if (synced) await scene.world.cluster.time.settle(storage.synced(storage.lastLsn))
    }
    expect(await judged(hinted(true), disks)).toEqual([])
    expect(await judged(hinted(false), disks)).toEqual(['G1'])
  })

  test('the platters themselves are looked at: a storage that says "synced" of what it only wrote is found out', async () => {
    const scene = await Scene.open({ nodes: 5, disks: true })
    const durability = new Durability(scene.world)
    const told = scene.write('a')
    await scene.store(told, scene.homes)
    for (const { name } of scene.homes) {
      const { storage } = scene.rooms(name)
      Object.defineProperty(storage, 'syncedLsn', { get: () => storage.lastLsn })
    }
    // A part of the acknowledgements is a sample.
    for (let i = 0; i < 200; i++) durability.check(writeOf(scene, told))
    expect(scene.found).toEqual([])
    await durability.finish()
    expect(scene.guarantees).toContain('G1')
    expect(new Set(scene.guarantees)).toEqual(new Set(['G1']))
  })

  test('and samples of what was synced are found whole', async () => {
    const scene = await Scene.open({ nodes: 5, disks: true })
    const durability = new Durability(scene.world)
    const told = scene.write('a')
    await written(3, true)(scene, told, scene.homes)
    for (let i = 0; i < 200; i++) durability.check(writeOf(scene, told))
    await durability.finish()
    expect(scene.found).toEqual([])
  })
})
