// What is shown or stored is, whole, something that somebody wrote to this very key, and nothing that was refused.

import { expect, test } from 'vitest'
import type { Version } from '../../../src/core/causality/version.ts'
import { checkIntact } from '../../../src/simulator/checkers/intact.ts'
import { contentOf, Scene, type WriteTold } from './scene.ts'

/** The guarantees that are violated where this version is shown. */
async function judged(told: WriteTold, bend: (version: Version) => Version = (version) => version): Promise<string[]> {
  const scene = await Scene.open()
  const { version } = scene.write('c0-1', told)
  checkIntact(scene.world, scene.key, bend(version), 'a read')
  return scene.guarantees
}

const withContent = (change: Partial<NonNullable<Version['content']>>) => (version: Version) =>
  version.content === null ? version : { ...version, content: { ...version.content, ...change } }

test('what was acknowledged is good', async () => expect(await judged({})).toEqual([]))
test('what nobody knows the outcome of may appear', async () => expect(await judged({ fate: 'unknown' })).toEqual([]))
test('what is still under way may appear', async () => expect(await judged({ fate: 'pending' })).toEqual([]))
test('a deletion has no bytes to be damaged', async () => expect(await judged({ kind: 'delete' })).toEqual([]))
test('G10: what was answered as not applied never appears', async () =>
  expect(await judged({ fate: 'void' })).toEqual(['G10']))

test('a retry that was acknowledged makes good what was refused before', async () => {
  const scene = await Scene.open()
  const refused = scene.write('c0-1', { fate: 'void', tagged: true })
  const again = scene.write('c0-1', { again: refused })
  for (const { version } of [refused, again]) checkIntact(scene.world, scene.key, version, 'a read')
  expect(scene.found).toEqual([])
})

test.for([
  ['one bit of it is another', (bytes: Buffer) => bytes.fill((bytes.at(-1) ?? 0) ^ 1, bytes.length - 1)],
  ['its end is missing', (bytes: Buffer) => bytes.subarray(0, -1)],
  ['it is empty', (bytes: Buffer) => bytes.subarray(0, 0)],
] as const)('G13: %s', async ([, harm]) => {
  const damaged = (version: Version): Version =>
    withContent({ bytes: harm(Buffer.from(version.content?.bytes ?? [])) })(version)
  expect(await judged({}, damaged)).toEqual(['G13'])
})

test("G13: another key's value", async () =>
  expect(await judged({}, withContent(contentOf({ bucket: 'b', key: 'other' }, 'c0-1')))).toEqual(['G13']))
test("G13: another bucket's value", async () =>
  expect(await judged({}, withContent(contentOf({ bucket: 'other', key: 'k' }, 'c0-1')))).toEqual(['G13']))
test('G13: a value that nobody wrote', async () =>
  expect(await judged({}, withContent(contentOf({ bucket: 'b', key: 'k' }, 'c9-9')))).toEqual(['G13']))
test('G13: another content type', async () =>
  expect(await judged({}, withContent({ contentType: 'text/html' }))).toEqual(['G13']))
test("G13: another write's metadata", async () =>
  expect(await judged({}, withContent({ meta: [['write', 'c0-2']] }))).toEqual(['G13']))
test('G13: more metadata than was written', async () =>
  expect(
    await judged(
      {},
      withContent({
        meta: [
          ['write', 'c0-1'],
          ['more', 'x'],
        ],
      }),
    ),
  ).toEqual(['G13']))
