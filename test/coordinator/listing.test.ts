// A listing believes a home only as far as its page makes sense.

import { expect, test } from 'vitest'
import { hexOf } from '../../src/core/hash64.ts'
import { keyHash, partitionOfHash } from '../../src/core/ring/key-hash.ts'
import { list, type ListAsk, type ListingParts } from '../../src/coordinator/listing.ts'
import type { ListOptions, ListOutcome } from '../../src/coordinator/operations.ts'
import type { Replicas } from '../../src/coordinator/replicas.ts'
import type { ListReply } from '../../src/protocol/messages.ts'
import { memoryHomes, PARTITIONS, STILL_CLOCK } from '../replica/memory-home.ts'

const KEYS = ['k1', 'k2', 'k3', 'k4', 'k5']

function honest({ partition, after, limit }: ListAsk): ListReply {
  const places = KEYS.map((key) => ({ hash: keyHash('b', key), key }))
    .filter(({ hash }) => partitionOfHash(hash, PARTITIONS) === partition >> 4)
    .map(({ hash, key }) => ({ hash: hexOf(hash), key, digest: 'd', live: true }))
    .filter(
      (place) => after === null || place.hash > after.hash || (place.hash === after.hash && place.key > after.key),
    )
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
  return { type: 'list', filling: false, keys: places.slice(0, limit), more: places.length > limit }
}

async function listed(
  limit: number,
  answer: (member: string, ask: ListAsk) => ListReply,
  more: Partial<ListOptions> = {},
): Promise<ListOutcome> {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const parts: Partial<ListingParts> = {
    directory: () => home!.directory,
    notServing: () => null,
    clock: STILL_CLOCK,
    replicas: { reachable: () => true } as unknown as Replicas,
    askHome: async (member, ask) => answer(member, ask),
  }
  return list(parts as ListingParts, { bucket: 'b', prefix: '', limit, cursor: null, timeoutMs: 1000, ...more })
}

const sorted = (outcome: ListOutcome): readonly string[] =>
  outcome.type === 'page' ? outcome.keys.toSorted() : [outcome.type]

test('homes that agree are believed', async () =>
  expect(sorted(await listed(10, (_, ask) => honest(ask)))).toEqual(KEYS))

const MADE_UP: readonly [string, (reply: ListReply) => ListReply][] = [
  ['is cut short before its first key', (reply) => ({ ...reply, keys: [], more: true })],
  ['names no hash', (reply) => ({ ...reply, keys: [{ hash: 'zz', key: 'a', digest: 'd', live: true }] })],
  ['is out of order', (reply) => ({ ...reply, keys: reply.keys.toReversed().concat(reply.keys) })],
]
for (const [what, garble] of MADE_UP) {
  test(`the page of a home that ${what} counts for nothing; another home is asked`, async () => {
    const outcome = await listed(10, (member, ask) => (member === 'y' ? garble(honest(ask)) : honest(ask)))
    expect(sorted(outcome)).toEqual(KEYS)
  })
}

test('a page asked ahead that fails when nobody waits for it ends no process', async () => {
  const outcome = await listed(1, (_, ask) => {
    if (ask.partition >> 4 === PARTITIONS - 1) throw new Error('a bug')
    return honest(ask)
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(outcome.type).toBe('page')
})

const cursorOf = (outcome: ListOutcome): string | null => (outcome.type === 'page' ? outcome.cursor : null)

test('a cursor goes on with the listing that gave it, and is refused by any other', async () => {
  const first = await listed(2, (_, ask) => honest(ask))
  const cursor = cursorOf(first)
  expect(cursor).not.toBeNull()
  const rest = await listed(10, (_, ask) => honest(ask), { cursor })
  expect([...sorted(first), ...sorted(rest)].toSorted()).toEqual(KEYS)
  const asked: ListAsk[] = []
  const note = (_: string, ask: ListAsk): ListReply => {
    asked.push(ask)
    return honest(ask)
  }
  for (const other of [{ bucket: 'c' }, { prefix: 'k' }, { bucket: 'bk' }])
    expect(await listed(10, note, { cursor, ...other }), JSON.stringify(other)).toEqual({ type: 'bad-cursor' })
  expect(asked).toEqual([])
})

test('a cursor whose key no peer would understand is refused', async () => {
  const cursor = cursorOf(await listed(2, (_, ask) => honest(ask))) as string
  const head = Buffer.from(cursor, 'base64url').subarray(0, 24)
  const forged = (key: string | Buffer): string => Buffer.concat([head, Buffer.from(key)]).toString('base64url')
  const fails = (_: string): ListReply => {
    throw new Error('a home was asked')
  }
  const bad = [forged('a'.repeat(1025)), forged('€'.repeat(342)), forged(Buffer.of(0xff)), forged(''.padEnd(2000, 'a'))]
  const foreign = [Buffer.from('0'.repeat(16) + 'a'.repeat(2000)).toString('base64url'), 'nonsense', `${cursor}=`]
  for (const text of [...bad, ...foreign])
    expect(await listed(10, fails, { cursor: text }), text).toEqual({ type: 'bad-cursor' })
  expect((await listed(10, (_, ask) => honest(ask), { cursor: forged('€'.repeat(341)) })).type).toBe('page')
})
