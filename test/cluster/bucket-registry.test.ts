// What is fixed about a bucket is settled with every member's word, and a proposal that comes to nothing holds nobody up.

import { expect, test } from 'vitest'
import { DEFAULT_BUCKET } from '../../src/core/membership/bucket-settings.ts'
import { UNSETTLED } from '../../src/core/membership/directory.ts'
import { BucketRegistry } from '../../src/cluster/bucket-registry.ts'
import { QuorateError } from '../../src/errors.ts'
import { fakePeers } from '../link/fake-peers.ts'
import { A, type MemoryHome, memoryHomes, version, write } from '../replica/memory-home.ts'

const NAMES = ['x', 'y', 'z']

interface Member {
  readonly home: MemoryHome
  readonly registry: BucketRegistry
  /** Before this member answers a proposal. */
  onAsked: () => void
  reachable: boolean
}

async function registries(): Promise<{ members: Member[]; time: { ms: number } }> {
  const time = { ms: 0 }
  const members: Member[] = []
  for (const home of await memoryHomes(NAMES)) {
    const registry = new BucketRegistry({
      storage: home.storage,
      peers: fakePeers((name, request) => {
        const member = members.find((candidate) => candidate.home.name === name)
        if (!member?.reachable || request.type !== 'settings') throw new QuorateError('timeout', name)
        member.onAsked()
        const settings = member.registry.answer(home.name, request.settings)
        return { reply: { type: 'settings', settings }, storage: '', time: 0 }
      }),
      clock: { now: () => 0, monotonic: () => time.ms, after: () => ({ cancel() {} }) },
      members: () => NAMES,
      self: home.name,
      defaults: () => DEFAULT_BUCKET,
      budgetMs: 5000,
    })
    members.push({ home, registry, onAsked: () => {}, reachable: true })
  }
  return { members, time }
}

const versionsOf = (members: readonly Member[]): number[] =>
  members.map(({ registry }) => registry.settingsOf('b').version)

test('settled with everybody, it is the same everywhere', async () => {
  const { members } = await registries()
  expect(await members[0]!.registry.change('b', { n: 2 })).toMatchObject({ type: 'ok' })
  expect(members.map(({ registry }) => registry.settingsOf('b').settings.n)).toEqual([2, 2, 2])
  expect(new Set(versionsOf(members)).size).toBe(1)
})

test('while it is being settled nothing is built on it', async () => {
  const { members } = await registries()
  const seen: number[][] = []
  members[2]!.onAsked = () => seen.push(versionsOf(members))
  await members[0]!.registry.change('b', { n: 2 })
  expect(seen[0]!.slice(0, 2)).toEqual([UNSETTLED, UNSETTLED])
})

test('where somebody holds keys it is fixed, and everybody serves on at once', async () => {
  const { members } = await registries()
  await members[2]!.home.receive(
    { partition: 3, bucket: 'b', key: 'k' },
    write(version({ life: A, counter: 1 }, 'value')),
  )
  expect(await members[0]!.registry.change('b', { n: 2 })).toEqual({ type: 'bucket-fixed', property: 'n' })
  expect(versionsOf(members)).toEqual([0, 0, 0])
})

test('without every word it is not settled, and those that were heard serve on at once', async () => {
  const { members } = await registries()
  members[2]!.reachable = false
  expect(await members[0]!.registry.change('b', { n: 2 })).toEqual({ type: 'members-unreachable', members: ['z'] })
  expect(versionsOf(members)).toEqual([0, 0, 0])
})

test('nobody else changes a bucket that is being settled, not even what is not fixed', async () => {
  const { members } = await registries()
  let other: Promise<unknown> = Promise.resolve()
  members[2]!.onAsked = () => {
    members[2]!.onAsked = () => {}
    other = members[1]!.registry.change('b', { r: 'one' })
  }
  expect(await members[0]!.registry.change('b', { n: 2 })).toMatchObject({ type: 'ok' })
  expect(await other).toEqual({ type: 'members-unreachable', members: ['x'] })
})

test('a process that stood still for longer than the promises last does not go on with them', async () => {
  const { members, time } = await registries()
  members[2]!.onAsked = () => {
    time.ms += 60_000
  }
  expect(await members[0]!.registry.change('b', { n: 2 })).toMatchObject({ type: 'members-unreachable' })
  expect(versionsOf(members)).toEqual([0, 0, 0])
})
