// The door of a replica: what was built on another basis leaves no trace.

import { expect, test } from 'vitest'
import { DEFAULT_BUCKET } from '../../src/core/membership/bucket-settings.ts'
import { UNSETTLED } from '../../src/core/membership/directory.ts'
import { ReplicaService } from '../../src/replica/replica-service.ts'
import type { KeyName, WriteResult } from '../../src/replica/replica.ts'
import { A, keyIn, memoryHomes, version, write } from './memory-home.ts'

const view = write(version({ life: A, counter: 1 }, 'value'))

async function written(asker: string, settingsVersion: number, place: (key: KeyName) => KeyName): Promise<WriteResult> {
  const [home] = await memoryHomes(['x', 'y', 'z'], { bucket: DEFAULT_BUCKET, version: settingsVersion })
  const { directory, replica, storage } = home!
  const service = new ReplicaService({ directory: () => directory, replica, storage, serving: () => true })
  const basis = { membersDigest: directory.membersDigest, settingsVersion }
  const key = place(keyIn(directory, 1))
  const result = await service.write(asker, key, view, basis, { intent: 'client', durable: false })
  expect(storage.memtable.totalKeys).toBe(result.type === 'refused' ? 0 : 1)
  return result
}

async function asked(settingsVersion: number, place: (key: KeyName) => KeyName = (key) => key): Promise<string> {
  const result = await written('y', settingsVersion, place)
  return result.type === 'refused' ? result.reason : result.type
}

test('a write on the settings in force is taken', async () => expect(await asked(7)).toBe('written'))

test('while the settings are being settled, two nodes that both wait for the result agree on nothing', async () =>
  expect(await asked(UNSETTLED)).toBe('stale-settings'))

test('a key that does not belong to the partition is not taken into it', async () =>
  expect(await asked(7, (key) => ({ ...key, partition: key.partition ^ 16 }))).toBe('not-home'))

test('a partition that does not exist is refused like any other', async () =>
  expect(await asked(7, (key) => ({ ...key, partition: 16 * 1000 + 3 }))).toBe('not-home'))

test.each([
  ['x', 'itself', true],
  ['y', 'another home', false],
  ['w', 'no home', true],
])('asked by %s, %s, it tells its context: %s', async (asker, _, told) => {
  const result = await written(asker, 7, (key) => key)
  expect(result.type === 'written' && result.context !== null).toBe(told)
})
