// Gauges of each node, held against their bounds.

import { expect, test } from 'vitest'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { writeView } from '../../../src/core/causality/view.ts'
import { checkBounds } from '../../../src/simulator/checkers/bounds.ts'
import { LIFE, Scene, type Rooms } from './scene.ts'

const MEBIBYTE = 1 << 20

async function judged(
  bend: (rooms: Rooms, scene: Scene) => void | Promise<void>,
  plan: { hintBytesMax?: number } = {},
): Promise<string[]> {
  const scene = await Scene.open({ plan: { hintBytesMax: MEBIBYTE, ...plan } })
  await bend(scene.rooms('node-1'), scene)
  checkBounds(scene.world)
  for (const { what } of scene.found) expect(what).toContain('node-1')
  return scene.guarantees
}

const status = (pendingBytes: number, inFlight: number) => (rooms: Rooms) => {
  rooms.links.status = () => [{ member: 'node-2', pendingBytes, inFlight }]
}

function hint(rooms: Rooms, scene: Scene): void {
  const { version, seen } = scene.write('a')
  rooms.storage.hints.add('node-2', scene.key, 'siblings', writeView(version, seen, []))
}

/** Every other dot up to 2 · count. */
function gaps(count: number): DotSet {
  const set = DotSet.empty()
  for (let i = 1; i <= count; i++) set.add({ life: LIFE, counter: 2 * i })
  return set
}

test('nothing is waiting', async () => expect(await judged(() => {})).toEqual([]))
test('a node without rooms has no gauges', async () =>
  expect(
    await judged((rooms, scene) => {
      status(1 << 30, 0)(rooms)
      scene.world.cluster.host('node-1').node = null
    }),
  ).toEqual([]))

test('hints within their budget', async () => expect(await judged(hint)).toEqual([]))
test('G14: hints beyond it', async () => expect(await judged(hint, { hintBytesMax: 10 })).toEqual(['G14']))

// Found by seed 82136.
test('damage brings back hints that were delivered', async () =>
  expect(
    await judged(
      (rooms, scene) => {
        hint(rooms, scene)
        scene.world.cluster.host('node-1').disk.counters.bitRot++
      },
      { hintBytesMax: 10 },
    ),
  ).toEqual([]))

test('8 MiB and 10,000 questions on one link', async () =>
  expect(await judged(status(8 * MEBIBYTE, 10_000))).toEqual([]))
test('G14: more bytes waiting for a member', async () =>
  expect(await judged(status(8 * MEBIBYTE + 1, 0))).toEqual(['G14']))
test('G14: more questions', async () => expect(await judged(status(0, 10_001))).toEqual(['G14']))

test('G14: bytes waiting for the disk', async () =>
  expect(
    await judged((rooms) => {
      const { storage } = rooms
      const stats = { ...storage.stats, pendingBytes: 8 * MEBIBYTE + 1 }
      rooms.storage = Object.create(storage, { stats: { value: stats } }) as Rooms['storage']
      Object.defineProperties(rooms.storage, {
        hints: { value: storage.hints },
        partitions: { value: () => storage.partitions() },
        clockOf: { value: (partition: number) => storage.clockOf(partition) },
      })
    }),
  ).toEqual(['G14']))

test('a clock of 2000 intervals', async () =>
  expect(await judged((rooms, { key }) => void rooms.storage.joinClock(key.partition, gaps(2000)))).toEqual([]))
test('G14: of more', async () =>
  expect(await judged((rooms, { key }) => void rooms.storage.joinClock(key.partition, gaps(2001)))).toEqual(['G14']))
