// What a PUT may say of itself when the cluster changes under it, and when it is a retry.

import { expect, test } from 'vitest'
import { EMPTY_CONTEXT } from '../../src/core/causality/context-token.ts'
import { HybridClock } from '../../src/core/causality/hybrid-clock.ts'
import { DotMint } from '../../src/coordinator/dot-mint.ts'
import { KeyCoordinator } from '../../src/coordinator/key-coordinator.ts'
import type { PutOptions, PutOutcome } from '../../src/coordinator/operations.ts'
import type { WriteAnswer } from '../../src/coordinator/replica-answers.ts'
import type { Replicas } from '../../src/coordinator/replicas.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { SimulatedCluster } from '../../src/simulator/simulated-cluster.ts'
import { memoryHomes, STILL_CLOCK } from '../replica/memory-home.ts'

const WRITTEN: WriteAnswer = {
  type: 'written',
  stored: true,
  durable: true,
  heldLive: false,
  siblings: 1,
  context: null,
  refused: [],
  filling: false,
}

const PUT = {
  bucket: 'b',
  key: 'k',
  content: { contentType: 'text/plain', meta: [], bytes: Buffer.from('value') },
  timeoutMs: 1000,
} satisfies PutOptions

/** A storage is replaced whenever `replacedIn` names the round that is under way; all homes answer as `answer` says. */
async function putWhile(
  replacedIn: (round: number) => boolean,
  answer: (round: number, member: string) => WriteAnswer,
  options: Partial<PutOptions> = {},
  told: string[] = [],
  isEnding = false,
): Promise<PutOutcome> {
  const homes = await memoryHomes(['x', 'y', 'z'])
  const { directory } = homes[0]!
  let asked = 0
  const replicas: Pick<Replicas, 'write' | 'reachable' | 'onChange'> = {
    reachable: () => true,
    onChange: () => () => {},
    write: (member, _write, _hintFor, _deadlineAt, done) => {
      told.push(member)
      const round = Math.floor(asked++ / 3) + 1
      if (replacedIn(round)) homes[1]!.storageId = `storage of y in round ${round}`
      const said = answer(round, member)
      if (said.type === 'unreachable') done(said)
      else void Promise.resolve().then(() => done(said))
    },
  }
  const coordinator = new KeyCoordinator({
    directory: () => directory,
    notServing: () => (told.length > 0 && isEnding ? 'it shuts down' : null),
    replicas: replicas as Replicas,
    clock: STILL_CLOCK,
    hybrid: new HybridClock(),
    random: new SeededRandom(1),
    mint: new DotMint(new SeededRandom(1)),
    clockBoundMs: 500,
    hedgeMs: 100,
    reachGraceMs: 100,
    readAllRate: 0,
    readRepair: false,
    onReadRepair: () => {},
    keepHint: () => {},
    onEverywhere: () => {},
    underWay: () => () => {},
  })
  return coordinator.put({ ...PUT, ...options })
}

test('acknowledgements of a replaced storage are asked for again', async () =>
  expect(
    (
      await putWhile(
        (round) => round === 1,
        () => WRITTEN,
      )
    ).type,
  ).toBe('stored'))

test('a write that was met once is never called "not applied", whatever a later round hears', async () => {
  const refused: WriteAnswer = { type: 'refused', reason: 'too-many-siblings' }
  const outcome = await putWhile(
    (round) => round === 1,
    (round) => (round === 1 ? WRITTEN : refused),
  )
  expect(outcome).toMatchObject({ type: 'quorum-not-met', outcome: 'unknown' })
})

test('where a storage is replaced in every round there is no acknowledgement to give', async () =>
  expect(
    await putWhile(
      () => true,
      () => WRITTEN,
    ),
  ).toMatchObject({ type: 'quorum-not-met', outcome: 'unknown' }))

// A node that ends waited for its links, which it had closed itself, until its time was over.
test.each([true, false])('a write whose links broke is sent again unless its node is ending (%s)', async (isEnding) => {
  const told: string[] = []
  await putWhile(
    () => false,
    () => ({ type: 'failed' }),
    { w: 3, sloppy: false },
    told,
    isEnding,
  )
  expect(told).toHaveLength(isEnding ? 3 : 9)
})

// Found by a review: it went to everybody three times.
test('a write that found no room in a queue is not sent again to those who have it', async () => {
  const told: string[] = []
  const answer = (_: number, member: string): WriteAnswer => (member === 'z' ? { type: 'unreachable' } : WRITTEN)
  const outcome = await putWhile(() => false, answer, { w: 3, sloppy: false }, told)
  expect(outcome).toMatchObject({ type: 'quorum-not-met', outcome: 'unknown' })
  expect(told.toSorted()).toEqual(['x', 'y', 'z'])
})

test('a retry under a context that has seen the first attempt does not take the value away', async () => {
  const cluster = new SimulatedCluster({ seed: 1, nodes: 3, partitions: 4 })
  cluster.startAll()
  expect(await cluster.untilServing()).toBe(true)
  const { coordinator } = cluster.hosts[0]!.node!
  const options = { ...PUT, idempotencyKey: 'once' }
  const first = await cluster.time.settle(coordinator.put(options))
  const context = first.type === 'stored' ? first.context : EMPTY_CONTEXT
  expect(context.tags).toHaveLength(1)
  // With one home away a read of all three can tell nothing of the first attempt.
  cluster.crash(cluster.hosts[2]!, 'reset', false)
  await cluster.time.runFor(2000)
  const retried = await cluster.time.settle(coordinator.put({ ...options, context, r: 'all' }))
  expect(retried.type).toBe('quorum-not-met')
  expect((await cluster.time.settle(coordinator.put({ ...options, context }))).type).toBe('stored')
  const found = await cluster.time.settle(coordinator.get(PUT))
  expect(found.type === 'found' && found.versions.map(({ dot }) => dot)).toEqual([
    first.type === 'stored' && first.version,
  ])
})
