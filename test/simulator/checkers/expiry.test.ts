// A value with a lifetime goes when it is over, within what clocks may be wrong by, and does not come back.

import { expect, test } from 'vitest'
import { checkExpiry, expirySlackMs } from '../../../src/simulator/checkers/expiry.ts'
import { joinStrictWrite } from '../../../src/simulator/checkers/freshness.ts'
import { type Guarantee, readOf, writeOf } from './outcomes.ts'
import { Scene, type Told, type WriteTold } from './scene.ts'

const TTL = 1000
/** Acknowledged then. */
const ENDED = 10
const SLACK = 100

interface Lifetime {
  readonly scene: Scene
  readonly told: Told
  /** A read that begins then, and what it is said to show. */
  readonly read: (at: number, shows: readonly Told[], guarantee?: Guarantee) => void
}

async function lifetime(told: WriteTold = {}): Promise<Lifetime> {
  const scene = await Scene.open()
  expect(expirySlackMs(scene.world)).toBe(SLACK)
  const write = scene.write('a', { ttlMs: TTL, endedAt: ENDED, ...told })
  joinStrictWrite(writeOf(scene, write))
  const read: Lifetime['read'] = (startedAt, shows, guarantee = 'strict') =>
    checkExpiry(scene.world, readOf(scene, { shows, startedAt, guarantee }))
  return { scene, told: write, read }
}

test('shown until its time and what clocks may be wrong by', async () => {
  const { scene, told, read } = await lifetime()
  for (const at of [20, TTL, ENDED + TTL + SLACK]) read(at, [told], 'eventual')
  expect(scene.found).toEqual([])
})

test('G15: shown longer', async () => {
  const { scene, told, read } = await lifetime()
  read(ENDED + TTL + SLACK + 1, [told], 'eventual')
  expect(scene.guarantees).toEqual(['G15'])
})

test('a write whose outcome nobody knows may have begun its life late', async () => {
  const { scene, told, read } = await lifetime({ fate: 'unknown' })
  read(100_000, [told])
  expect(scene.found).toEqual([])
})

test('a retried write may live by its last attempt', async () => {
  const { scene, told, read } = await lifetime({ tagged: true })
  read(100_000, [told])
  expect(scene.found).toEqual([])
})

test.for(['clocksTrusted', 'disksTrusted'] as const)('without %s no time is judged', async (trust) => {
  const { scene, told, read } = await lifetime()
  scene.world[trust] = false
  read(100_000, [told])
  expect(scene.found).toEqual([])
})

test('a value without a lifetime is never late', async () => {
  const scene = await Scene.open()
  checkExpiry(scene.world, readOf(scene, { shows: [scene.write('a')], startedAt: 1e9 }))
  expect(scene.found).toEqual([])
})

test('G15: live again after a strict read called it expired, however little time passed', async () => {
  const { scene, told, read } = await lifetime()
  read(1050, [])
  read(1060, [told])
  expect(scene.guarantees).toEqual(['G15'])
})

// Found by seed 70103: two clocks of three were two seconds ahead, and one of their processes ended.
test('a time that only wrong clocks have told goes with their processes', async () => {
  for (const trusted of [true, false]) {
    for (const ended of [true, false]) {
      const { scene, told, read } = await lifetime()
      scene.world.clocksTrusted = trusted
      read(1050, [])
      const [host] = scene.homes
      if (ended) host?.departed.push({ storage: scene.rooms(host.name).storage, at: 1055, harms: 0 })
      read(1060, [told])
      expect(scene.guarantees).toEqual(ended && !trusted ? [] : ['G15'])
    }
  }
})

test('a read that began before the other ended may show it still', async () => {
  const { scene, told, read } = await lifetime()
  read(1050, [])
  read(1051, [told])
  expect(scene.found).toEqual([])
})

test.for(['eventual', 'sloppy'] as const)('an answer that is only %s turns nothing', async (guarantee) => {
  const { scene, told, read } = await lifetime()
  read(1050, [], guarantee)
  read(1060, [told])
  read(1070, [])
  read(1080, [told], guarantee)
  expect(scene.found).toEqual([])
})

test('who did not have to include it has not called it expired', async () => {
  const scene = await Scene.open()
  const told = scene.write('a', { ttlMs: TTL, fate: 'unknown' })
  checkExpiry(scene.world, readOf(scene, { startedAt: 50 }))
  checkExpiry(scene.world, readOf(scene, { startedAt: 60, shows: [told] }))
  expect(scene.found).toEqual([])
})

test('what was superseded was not called expired', async () => {
  const { scene, told, read } = await lifetime()
  const over = scene.write('b', { on: [told] })
  read(500, [over])
  expect(scene.key.expiredAt.size).toBe(0)
})

test('a copy that is known to be lost proves nothing', async () => {
  const { scene, told, read } = await lifetime()
  read(1050, [])
  scene.key.suspended = true
  read(1060, [told])
  scene.key.suspended = false
  scene.key.suspendedAt = 1070
  read(1065, [told])
  expect(scene.found).toEqual([])
})

test.for([900, 1100])(
  'G15: a retried write lives again by no attempt, whenever that was made (%d)',
  async (startedAt) => {
    const { scene, told, read } = await lifetime({ tagged: true })
    const second = scene.write('a', { again: told, startedAt })
    read(1050, [])
    read(1200, [second])
    expect(scene.guarantees).toEqual(['G15'])
  },
)
