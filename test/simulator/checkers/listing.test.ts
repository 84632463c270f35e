// A listing has every key that lived throughout, once, and no other.

import { describe, expect, test } from 'vitest'
import { checkListing, expectListed } from '../../../src/simulator/checkers/listing.ts'
import { joinStrictWrite } from '../../../src/simulator/checkers/freshness.ts'
import { writeOf } from './outcomes.ts'
import { Scene, type SceneOptions, type Told, type WriteTold } from './scene.ts'

async function withKey(options: SceneOptions = {}): Promise<{ scene: Scene; a: Told }> {
  const scene = await Scene.open(options)
  const a = write(scene, 'a')
  return { scene, a }
}

/** Strictly acknowledged. */
function write(scene: Scene, id: string, told: WriteTold = {}): Told {
  const write = scene.write(id, told)
  joinStrictWrite(writeOf(scene, write, { deleted: told.kind === 'delete' }))
  return write
}

/** A listing, during which something happens. */
function list(scene: Scene, listed: readonly string[], meanwhile: () => void = () => {}): string[] {
  const expected = expectListed(scene.world, 'b')
  meanwhile()
  checkListing(scene.world, 'b', 'node-0', expected, listed)
  return scene.guarantees
}

test('a key that lives is listed', async () => expect(list((await withKey()).scene, ['k'])).toEqual([]))
test('a key that lives is not listed', async () => expect(list((await withKey()).scene, [])).toEqual(['listing']))
test('a key is listed twice', async () => expect(list((await withKey()).scene, ['k', 'k'])).toEqual(['listing']))
test('a key is listed that nobody wrote', async () =>
  expect(list((await withKey()).scene, ['k', 'x'])).toEqual(['listing']))

test('a key is listed of which every write was refused', async () => {
  const scene = await Scene.open()
  scene.write('a', { fate: 'void' })
  expect(list(scene, ['k'])).toEqual(['listing'])
})

test('a key is listed of which only a write with an unknown outcome is known', async () => {
  const scene = await Scene.open()
  scene.write('a', { fate: 'unknown' })
  expect(list(scene, ['k'])).toEqual([])
})

test('a key that was deleted may still be listed, and need not be', async () => {
  const { scene, a } = await withKey()
  write(scene, 'd', { kind: 'delete', on: [a] })
  expect(list(scene, ['k'])).toEqual([])
  expect(list(scene, [])).toEqual([])
})

test('a sibling of what was deleted lives', async () => {
  const { scene, a } = await withKey()
  write(scene, 'b')
  write(scene, 'd', { kind: 'delete', on: [a] })
  expect(list(scene, [])).toEqual(['listing'])
})

describe('need not be listed:', () => {
  test.for([
    ['a key that is written meanwhile', (scene: Scene): void => void scene.write('b', { fate: 'pending' })],
    ['a key of which a copy is lost meanwhile', (scene: Scene): void => void (scene.key.suspended = true)],
  ] as const)('%s', async ([, meanwhile]) => {
    const { scene } = await withKey()
    expect(list(scene, [], () => meanwhile(scene))).toEqual([])
  })

  test.for([
    ['something on it is under way', (scene: Scene): void => void (scene.key.writes.at(-1)!.open = 1)],
    ['the outcome of something on it is unknown', (scene: Scene): void => void scene.write('b', { fate: 'unknown' })],
    ['it has a lifetime', (scene: Scene): void => void write(scene, 'b', { ttlMs: 60_000 })],
    ['a copy is lost', (scene: Scene): void => void (scene.key.suspended = true)],
    ['a disk is from the past', (scene: Scene): void => void (scene.world.disksTrusted = false)],
  ] as const)('a key while %s', async ([, before]) => {
    const { scene } = await withKey()
    before(scene)
    expect(list(scene, [])).toEqual([])
  })

  test('a key of which a copy was lost when it began, though it is repaired meanwhile', async () => {
    const { scene } = await withKey()
    scene.key.suspended = true
    expect(list(scene, [], () => void (scene.key.suspended = false))).toEqual([])
  })

  test('a key that was only written sloppily', async () => {
    const scene = await Scene.open()
    scene.write('a')
    expect(list(scene, [])).toEqual([])
  })

  test('a key where quorums do not overlap', async () =>
    expect(list((await withKey({ bucket: { r: 1, w: 2 } })).scene, [])).toEqual([]))

  test('a key with deletions where the last writer wins', async () => {
    const { scene } = await withKey({ bucket: { conflict: 'lww' } })
    expect(list(scene, [], () => {}).length).toBe(1)
    write(scene, 'd', { kind: 'delete' })
    expect(list(scene, []).length).toBe(1)
  })
})
