// Exchanges between homes: what must hold although writes go on in the middle of them.

import { expect, test } from 'vitest'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import type { Directory } from '../../src/core/membership/directory.ts'
import { LEAVES } from '../../src/core/merkle/merkle-tree.ts'
import { keyHash, leafOfHash } from '../../src/core/ring/key-hash.ts'
import type { KeyName } from '../../src/replica/replica.ts'
import { putOver } from '../core/causality/home.ts'
import { A, B, keyIn, PARTITIONS, version, write } from '../replica/memory-home.ts'
import { exchangingHomes } from './exchanging-homes.ts'

const NAMES = ['x', 'y', 'z']

/** Two keys of one partition in different leaves of its tree. */
function keysTogether(directory: Directory): [KeyName, KeyName] {
  const leafOf = ({ bucket, key }: KeyName): number => leafOfHash(keyHash(bucket, key), PARTITIONS, LEAVES)
  const first = keyIn(directory, 0)
  for (let i = 1; ; i++) {
    const other = keyIn(directory, i)
    if (other.partition === first.partition && leafOf(other) !== leafOf(first)) return [first, other]
  }
}

test('a filling home that takes a stray in the middle of the walk does not keep it', async () => {
  const [, y, z] = await exchangingHomes(NAMES)
  const [key, other] = keysTogether(y!.directory)
  const d0 = { life: A, counter: 1 }
  const e0 = { life: A, counter: 2 }
  // At z both were superseded long ago, and the records stripped or collected: nothing but the clock tells of d0 and e0.
  z!.replica.joinClock(key.partition, DotSet.of(d0, e0))
  await z!.receive(key, write(version({ life: B, counter: 1 }, 'new')))
  await y!.filling.begin('epoch')
  z!.onRequest = async (request) => {
    if (request.type !== 'exchange') return
    // An old hint of e0, so that there is a walk, and while it goes on one of d0, in another leaf.
    if (request.leaves === null) await y!.receive(other, write(version(e0, 'stray')))
    else await y!.receive(key, write(version(d0, 'old')))
  }
  for (const peer of ['x', 'z', 'x']) await y!.antiEntropy.round(peer)
  expect(y!.filling.isActive).toBe(false)
  expect(await y!.texts(other)).toEqual([])
  expect(await y!.texts(key)).toEqual(['new'])
})

test('what a write under a dead tag had superseded is known after the clocks joined', async () => {
  const [x, y] = await exchangingHomes(NAMES)
  const key = keyIn(x!.directory, 1)
  const tag = { id: '7777777777777777', fingerprint: '11111111', basis: 0, replaces: false }
  const first = { life: A, counter: 1 }
  for (const home of [x!, y!]) {
    await home.receive(key, write(version(first, 'first', tag)))
    await home.receive(key, putOver(version({ life: A, counter: 2 }, 'successor'), version(first, 'first', tag)))
  }
  await y!.receive(key, write(version({ life: B, counter: 1 }, 'gone')))
  await x!.receive(key, write(version({ life: B, counter: 2 }, 'again', tag), DotSet.of({ life: B, counter: 1 })))
  await y!.antiEntropy.round('x')
  expect(await y!.texts(key)).toEqual(['successor'])
})

test('where no home is complete, each takes what all the others have before it calls itself complete', async () => {
  const [x, y, z] = await exchangingHomes(NAMES)
  const key = keyIn(x!.directory, 1)
  for (const home of [x!, y!, z!]) await home.filling.begin('epoch')
  await x!.receive(key, write(version({ life: A, counter: 1 }, 'at x alone')))
  await y!.antiEntropy.round('x')
  await y!.antiEntropy.round('z')
  expect(y!.replica.isFilling(key.partition) ? ['filling'] : await y!.texts(key)).not.toEqual([])
  await y!.antiEntropy.round('x')
  await y!.antiEntropy.round('z')
  expect(y!.replica.isFilling(key.partition)).toBe(false)
  expect(await y!.texts(key)).toEqual(['at x alone'])
})

test('a filling home is no proof of anything: its silence about a partition is not taken for agreement', async () => {
  const [x, y, z] = await exchangingHomes(NAMES)
  const key = keyIn(x!.directory, 1)
  for (const home of [x!, z!]) await home.receive(key, write(version({ life: A, counter: 1 }, 'value')))
  await y!.filling.begin('epoch')
  await x!.antiEntropy.round('z')
  await x!.antiEntropy.round('y')
  const own = await x!.replica.syncedClock(key.partition)
  expect(x!.reported.stable(key.partition, x!.directory, own)).toBeNull()
  await y!.antiEntropy.round('x')
  await y!.antiEntropy.round('z')
  await x!.antiEntropy.round('y')
  expect(x!.reported.stable(key.partition, x!.directory, own)?.isEmpty).toBe(false)
})

test('a storage that is not behind its name yet is served no snapshot', async () => {
  const [x, y] = await exchangingHomes(NAMES)
  const key = keyIn(x!.directory, 1)
  await x!.receive(key, write(version({ life: A, counter: 1 }, 'value')))
  const clock = Buffer.of(0)
  const request = {
    type: 'exchange',
    partition: key.partition,
    clock,
    filling: true,
    epoch: '',
    cursor: null,
    bytesMax: 1000,
    leaves: null,
  } as const
  const asked = (storage: string, partition: number): Promise<number> =>
    x!.exchange.exchange({ name: 'y', storage }, { ...request, partition }).then(({ records }) => records.length)
  expect(await asked(y!.storageId, key.partition)).toBe(1)
  await expect(asked('the next storage of y', key.partition)).rejects.toThrow('another storage')
  await expect(asked(y!.storageId, 16 * 1000 + 3)).rejects.toThrow('not shared')
})

test('records that are overwritten while a long page is read arrive, and none is taken for superseded', async () => {
  const [x, y] = await exchangingHomes(NAMES)
  const keys: KeyName[] = []
  for (let i = 0; keys.length < 1000; i++) {
    const key = keyIn(x!.directory, i)
    if (key.partition === keyIn(x!.directory, 0).partition) keys.push(key)
  }
  let counter = 0
  const last = new Map<KeyName, number>()
  const overwrite = async (key: KeyName): Promise<void> => {
    const before = last.get(key)
    const seen = before === undefined ? DotSet.empty() : DotSet.of({ life: A, counter: before })
    last.set(key, ++counter)
    await x!.receive(key, write(version({ life: A, counter }, `${key.key} ${counter}`), seen))
  }
  for (const key of keys) await overwrite(key)
  let isRunning = true
  let overwritten = 0
  const meddle = async (): Promise<void> => {
    while (isRunning) {
      for (const key of keys) await overwrite(key)
      overwritten++
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const meddling = meddle()
  await y!.antiEntropy.round('x')
  isRunning = false
  await meddling
  // It paused, or this has shown nothing.
  expect(overwritten).toBeGreaterThan(3)
  const behind = keys.filter((key) => !y!.storage.clockOf(key.partition).has({ life: A, counter: last.get(key) ?? 0 }))
  for (const key of keys.filter((each) => !behind.includes(each)))
    expect(await y!.texts(key)).toEqual(await x!.texts(key))
  await y!.antiEntropy.round('x')
  for (const key of keys) expect(await y!.texts(key)).toEqual(await x!.texts(key))
})
