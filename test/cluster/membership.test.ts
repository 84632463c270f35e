// When a new storage may take a known name's place, and what a failed disk does to a table that peers bring.

import { expect, test } from 'vitest'
import type { Identity } from '../../src/core/membership/identity.ts'
import { MemberTable } from '../../src/core/membership/member-table.ts'
import { Membership } from '../../src/cluster/membership.ts'
import { QuorateError } from '../../src/errors.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { SILENT_LOGGER } from '../../src/telemetry/log.ts'
import { memoryHomes } from '../replica/memory-home.ts'

const TERMS = { clusterName: 'c', partitions: 4, defaults: '{}' }
const identity = (name: string, digit: string): Identity => ({
  name,
  storage: `${digit.repeat(8)}-0000-4000-8000-000000000000`,
  peerAddress: '',
  clientAddress: '',
})
const [X, Y, Z] = [identity('x', '1'), identity('y', '2'), identity('z', '3')]
const TABLE = MemberTable.founded('00000000-0000-4000-8000-000000000000', TERMS, [X, Y, Z])
const NEW_X = identity('x', '9')

async function newcomer(
  linked: readonly string[],
): Promise<{ membership: Membership; time: { ms: number }; fatal: string[]; storage: Storage }> {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const time = { ms: 0 }
  const fatal: string[] = []
  const membership = new Membership({
    storage: home!.storage,
    logger: SILENT_LOGGER,
    self: NEW_X,
    terms: TERMS,
    expect: null,
    monotonic: () => time.ms,
    silenceMs: 4000,
    heard: (member) => (linked.includes(member) ? 'some storage' : null),
    onChange: () => {},
    onFatal: (error) => fatal.push(error.message),
    onNewStorage: () => Promise.resolve(),
  })
  membership.receive(Y, { type: 'formed', table: TABLE })
  return { membership, time, fatal, storage: home!.storage }
}

test('with every other member linked the place is free', async () => {
  const { membership } = await newcomer(['y', 'z'])
  expect(await membership.takePlace(false)).toBe(true)
  expect(membership.table?.storageOf('x')).toBe(NEW_X.storage)
})

test('a member that cannot be asked is waited for, but not for ever', async () => {
  const { membership } = await newcomer(['z'])
  expect(await membership.takePlace(false)).toBe(false)
  expect(await membership.takePlace(true)).toBe(true)
})

test('one that says that the old storage is alive is not passed over', async () => {
  const { membership, time, fatal } = await newcomer(['z'])
  time.ms = 3000
  membership.onGoodbye('name-taken', 'x is alive')
  time.ms = 5000
  expect(await membership.takePlace(true)).toBe(false)
  time.ms = 7500
  membership.onGoodbye('name-taken', 'x is alive')
  expect(fatal).toHaveLength(1)
})

test('a table that comes when the disk has failed stops the node, and throws at no peer', async () => {
  const { membership, fatal, storage } = await newcomer(['y', 'z'])
  await membership.takePlace(false)
  await storage.close()
  const moved = MemberTable.founded(TABLE.clusterId, TERMS, [NEW_X, Y, { ...Z, peerAddress: 'elsewhere:1' }])
  const later = new MemberTable(
    moved.clusterId,
    TERMS,
    moved.members.map((member) => ({ ...member, generation: 2 })),
  )
  expect(() => membership.receive(Y, { type: 'formed', table: later })).not.toThrow(QuorateError)
  expect(fatal).toHaveLength(1)
})
