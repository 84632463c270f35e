// When a new storage may take a known name's place, and what a failed disk does to a table that peers bring.

import { expect, test } from 'vitest'
import type { Identity } from '../../src/core/membership/identity.ts'
import { MemberTable } from '../../src/core/membership/member-table.ts'
import { Membership, type MembershipParts } from '../../src/cluster/membership.ts'
import { encodeTable } from '../../src/cluster/tables.ts'
import type { HelloFrame } from '../../src/protocol/messages.ts'
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

function membershipOf(self: Identity, storage: Storage, parts: Partial<MembershipParts> = {}): Membership {
  return new Membership({
    ...{ storage, self, terms: TERMS, logger: SILENT_LOGGER, expect: null, silenceMs: 4000 },
    monotonic: () => 0,
    heard: () => null,
    onChange: () => {},
    onFatal: (error) => {
      throw error
    },
    onNewStorage: () => Promise.resolve(),
    ...parts,
  })
}

function helloOf(self: Identity, table: Buffer, clusterId: string | null = null): HelloFrame {
  return { ...self, type: 'hello', version: 2, to: null, clusterName: 'c', nonce: Buffer.alloc(1), clusterId, table }
}

async function newcomer(
  linked: readonly string[],
): Promise<{ membership: Membership; time: { ms: number }; fatal: string[]; storage: Storage }> {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const time = { ms: 0 }
  const fatal: string[] = []
  const membership = membershipOf(NEW_X, home!.storage, {
    monotonic: () => time.ms,
    heard: (member) => (linked.includes(member) ? 'some storage' : null),
    onFatal: (error) => fatal.push(error.message),
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

// Found by an operator's audit: they waited for a second name for ever.
test('of two founders with one name one goes', async () => {
  const fatal: string[] = []
  const time = { ms: 0 }
  const [first, second] = await Promise.all(
    [X, NEW_X].map(async (self) => {
      const [home] = await memoryHomes(['x'])
      const parts = { expect: 2, monotonic: () => time.ms, onFatal: (error: Error) => fatal.push(error.message) }
      const membership = membershipOf(self, home!.storage, parts)
      membership.load()
      await membership.start()
      return membership
    }),
  )
  expect(second!.admit(helloOf(X, first!.encoded)).accept).toBe(true)
  const refused = first!.admit(helloOf(NEW_X, second!.encoded))
  if (refused.accept) throw new Error('accepted')
  for (time.ms of [0, 2000, 5000]) second!.onGoodbye(refused.reason, refused.detail)
  expect(fatal).toEqual([expect.stringContaining('is called x too')])
})

// Found by an operator's audit: a node took another's directory for its own, and the other one was shut out as its predecessor.
test('a storage that belongs to another member is refused, by the node itself and by the others', async () => {
  const started = (self: Identity, storage: Storage): Membership => {
    const membership = membershipOf(self, storage)
    membership.load()
    return membership
  }
  const [home, other] = await memoryHomes(['x', 'y', 'z'])
  started(X, home!.storage).receive(Y, { type: 'formed', table: TABLE })
  expect(() => started(Y, home!.storage)).toThrow('this storage belongs to x: start it under that name')
  // Also where the identity is new, after damage.
  expect(() => started(identity('y', '8'), home!.storage)).toThrow('belongs to x')
  expect(started(X, home!.storage).table?.storageOf('x')).toBe(X.storage)
  // One that never heard of a cluster is somebody's too.
  started(X, other!.storage)
  expect(() => started(Y, other!.storage)).toThrow('belongs to x')
  const z = started(Z, (await memoryHomes(['z']))[0]!.storage)
  z.receive(Y, { type: 'formed', table: TABLE })
  const table = encodeTable({ type: 'formed', table: TABLE })
  const hello = helloOf({ ...X, name: 'y' }, table, TABLE.clusterId)
  expect(z.admit(hello)).toMatchObject({ accept: false, reason: 'name-taken' })
})
