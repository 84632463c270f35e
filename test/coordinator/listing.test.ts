// A listing believes a home only as far as its page makes sense.

import { expect, test } from 'vitest'
import { hexOf } from '../../src/core/hash64.ts'
import { keyHash, partitionOfHash } from '../../src/core/ring/key-hash.ts'
import { list, type ListAsk, type ListingParts } from '../../src/coordinator/listing.ts'
import type { ListOutcome } from '../../src/coordinator/operations.ts'
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

async function listed(limit: number, answer: (member: string, ask: ListAsk) => ListReply): Promise<ListOutcome> {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const parts: Partial<ListingParts> = {
    directory: () => home!.directory,
    notServing: () => null,
    clock: STILL_CLOCK,
    replicas: { reachable: () => true } as unknown as Replicas,
    askHome: async (member, ask) => answer(member, ask),
  }
  return list(parts as ListingParts, { bucket: 'b', prefix: '', limit, cursor: null, timeoutMs: 1000 })
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
