// What keeps a healed cluster from being one: each of it is named, and nothing else.

import { expect, test } from 'vitest'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { whatDiffers } from '../../../src/simulator/checkers/convergence.ts'
import type { Host } from '../../../src/simulator/simulated-cluster.ts'
import { OTHER_LIFE, Scene, type SceneOptions, type Told } from './scene.ts'

type Stage = (scene: Scene, told: Told, homes: readonly [Host, Host, Host]) => void | Promise<void>

/** What differs after one write is at all homes, and then something happened. */
async function differs(stage: Stage, whole = true, options: SceneOptions = {}): Promise<string | null> {
  const scene = await Scene.open({ nodes: 4, ...options })
  const told = scene.write('a')
  await scene.store(told, scene.homes)
  await stage(scene, told, scene.homes as [Host, Host, Host])
  return whatDiffers(scene.world, whole)
}

test('nothing', async () => expect(await differs(() => {})).toBeNull())
test('nothing, where many writes came in different orders', async () =>
  expect(
    await differs(async (scene, told, [first, second, third]) => {
      const [b, c] = [scene.write('b', { on: [told] }), scene.write('c', { ttlMs: 5000 })]
      for (const one of [b, c]) await scene.store(one, [first])
      for (const one of [c, b]) await scene.store(one, [second, third])
    }),
  ).toBeNull())

test('a host that does not serve', async () =>
  expect(await differs(({ world }) => void (world.cluster.hosts[2]!.serving = false))).toMatch(
    /^node-2 does not serve/,
  ))
test('no ring', async () =>
  expect(await differs((scene) => void (scene.rooms('node-0').membership.ring = null))).toBe('no ring'))
test('a host without a storage', async () =>
  expect(await differs(({ world }) => void (world.cluster.hosts[3]!.node = null))).toBe('node-3 has no storage'))
test('a storage that is being filled', async () =>
  expect(
    await differs((scene) => void (scene.rooms('node-1').filling = { isActive: true, isFilling: () => false })),
  ).toBe('node-1 is filling'))
test('a missing link', async () =>
  expect(await differs((scene) => void (scene.rooms('node-1').links.reachable = (member) => member !== 'node-2'))).toBe(
    'node-1 has no link to node-2',
  ))

test('a hint', async () =>
  expect(
    await differs((scene, { version, seen }) => {
      const view = { versions: [version], seen, deadTags: [] }
      scene.rooms('node-3').storage.hints.add('node-0', scene.key, 'siblings', view)
    }),
  ).toBe('node-3 holds 1 hints, for node-0 b/k'))

test('data at a node that is no home', async () =>
  expect(
    await differs(async (scene, told, homes) => {
      await scene.store(
        told,
        scene.world.cluster.hosts.filter((host) => !homes.includes(host)),
      )
    }),
  ).toMatch(/^node-\d holds data of partition \d+, of which it is no home$/))

test('a version that one home lacks', async () => {
  const lacking: Stage = (scene, _told, [first, second]) => scene.store(scene.write('b'), [first, second])
  expect(await differs(lacking)).toMatch(/^partition \d+: node-\d holds/)
  expect(await differs(lacking, false)).toMatch(/^partition \d+: node-\d holds/)
})

test('a deletion that one home lacks', async () =>
  expect(
    await differs((scene, told, [, second, third]) =>
      scene.store(scene.write('d', { kind: 'delete', on: [told] }), [second, third]),
    ),
  ).toMatch(/†/))

test('a deadline that is another', async () =>
  expect(
    await differs(async (scene, _told, [first, second, third]) => {
      const b = scene.write('b', { ttlMs: 5000 })
      await scene.store(b, [first, second])
      await scene.store({ ...b, version: { ...b.version, deadlineMs: 6000 } }, [third])
    }),
  ).toMatch(/@5000.*@6000/))

test('clocks, where they are compared', async () => {
  const ahead: Stage = (scene, _told, [first]) =>
    void scene.rooms(first.name).storage.joinClock(scene.key.partition, DotSet.of({ life: OTHER_LIFE, counter: 1 }))
  expect(await differs(ahead)).toMatch(/^partition \d+: node-\d holds/)
  expect(await differs(ahead, false)).toBeNull()
})

test('dead tags, where they are compared', async () => {
  const tag = { id: '1111111111111111', fingerprint: 'aaaaaaaa', stamp: 1, replaces: false, kills: true }
  const tagged: Stage = async (scene, _told, [first, second, third]) => {
    const b = scene.write('b')
    await scene.store(b, [first, second])
    await scene.store(b, [third], [{ ...tag, dot: { life: OTHER_LIFE, counter: 1 } }])
  }
  expect(await differs(tagged)).toMatch(/1111111111111111@/)
  expect(await differs(tagged, false)).toBeNull()
})

test('a tree that does not say what the data does, where they are compared', async () => {
  const stale: Stage = (scene, _told, [first]) => {
    const { indexes } = scene.rooms(first.name)
    indexes.tree(scene.key.partition).update(0, null, { hi: 1, lo: 2 })
  }
  expect(await differs(stale)).toMatch(/^partition \d+: the tree of node-\d says/)
  expect(await differs(stale, false)).toBeNull()
})
