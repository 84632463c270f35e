// What an answer from a peer is worth, however it is made.

import { expect, test } from 'vitest'
import { ByteWriter } from '../../src/core/bytes.ts'
import { type Directory, UNSETTLED } from '../../src/core/membership/directory.ts'
import { DEFAULT_BUCKET } from '../../src/core/membership/bucket-settings.ts'
import type { WriteAnswer } from '../../src/coordinator/replica-answers.ts'
import { Replicas } from '../../src/coordinator/replicas.ts'
import { encodeDotSet } from '../../src/core/causality/dot-set-bytes.ts'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { QuorateError } from '../../src/errors.ts'
import type { Peers } from '../../src/link/peers.ts'
import type { ReadReply, Refusal, Request, WriteReply } from '../../src/protocol/messages.ts'
import { ReplicaService } from '../../src/replica/replica-service.ts'
import { A, keyIn, memoryHomes, version, write } from '../replica/memory-home.ts'

const dot = { life: A, counter: 7 }
const view = write(version(dot, 'value'))

const WRITTEN: WriteReply = {
  type: 'write',
  outcome: 'stored',
  durable: true,
  heldLive: false,
  siblings: 1,
  context: null,
  refusedDots: null,
  filling: false,
}
const EMPTY: ReadReply = { type: 'read', digest: 'none', view: null, missing: null, filling: false }

async function replicasWith(
  reply: WriteReply | ReadReply | Refusal,
  settingsVersion = 0,
): Promise<{ replicas: Replicas; asked: Request[] }> {
  const [home] = await memoryHomes(['x', 'y', 'z'], { bucket: DEFAULT_BUCKET, version: settingsVersion })
  const { directory, replica, storage } = home!
  const asked: Request[] = []
  const service = new ReplicaService({ directory: () => directory, replica, storage, serving: () => true })
  return { replicas: replicasOver(directory, service, reply, asked), asked }
}

function replicasOver(
  directory: Directory,
  service: ReplicaService,
  reply: WriteReply | ReadReply | Refusal,
  asked: Request[] = [],
): Replicas {
  const peers: Peers = {
    request: () => Promise.reject(new Error('the callback form is used')),
    ask: (member, request, _options, done) => {
      asked.push(request)
      done({ reply: reply as never, storage: directory.storageOf(member) ?? '', time: 5 })
    },
    reachable: () => true,
    lastHeardAt: () => 0,
    onChange: () => () => {},
  }
  return new Replicas({
    directory: () => directory,
    peers,
    service,
    corrections: { exchange: () => Promise.resolve() },
    monotonic: () => 0,
    hybridNow: () => 9,
  })
}

async function written(reply: WriteReply | Refusal, settingsVersion?: number): Promise<WriteAnswer> {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const { replicas } = await replicasWith(reply, settingsVersion)
  const outgoing = { name: keyIn(home!.directory, 1), view, intent: 'client', durable: true } as const
  return new Promise((resolve) => replicas.write('y', outgoing, null, 1000, resolve))
}

test('an acknowledgement is one', async () =>
  expect(await written(WRITTEN)).toMatchObject({ type: 'written', refused: [] }))

test('garbled fields are a failure, for the write may have been taken', async () => {
  expect(await written({ ...WRITTEN, context: Buffer.from('garbage') })).toEqual({ type: 'failed' })
  expect(await written({ ...WRITTEN, refusedDots: Buffer.of(0xff) })).toEqual({ type: 'failed' })
})

test('of refused dots only those count that were sent, however many are named', async () => {
  const all = new ByteWriter()
  all.varint(1)
  all.hex(A, 8)
  all.varint(1)
  all.varint(0)
  all.varint(Number.MAX_SAFE_INTEGER - 2)
  expect(await written({ ...WRITTEN, refusedDots: all.finish() })).toMatchObject({ type: 'written', refused: [dot] })
  const other = encodeDotSet(DotSet.of({ life: A, counter: 8 }))
  expect(await written({ ...WRITTEN, refusedDots: other })).toMatchObject({ type: 'written', refused: [] })
})

test('while the settings are being settled nothing is sent', async () => {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const { replicas, asked } = await replicasWith(WRITTEN, UNSETTLED)
  const outgoing = { name: keyIn(home!.directory, 1), view, intent: 'client', durable: true } as const
  for (const member of ['x', 'y']) {
    const answer = await new Promise((resolve) => replicas.write(member, outgoing, null, 1000, resolve))
    expect(answer).toEqual({ type: 'refused', reason: 'stale-settings' })
  }
  expect(asked).toEqual([])
})

test("the time that a home knows is its own word, not the question's", async () => {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const { replicas } = await replicasWith(EMPTY)
  const question = { name: keyIn(home!.directory, 1), fallback: false, expect: null, mustInclude: null }
  const answer = await new Promise((resolve) => replicas.read('y', question, 1000, resolve))
  expect(answer).toMatchObject({ type: 'answered', time: 5 })
})

test('a read or a repair here that waits for the disk ends with its time; a write of a client waits on', async () => {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const budgets: (number | undefined)[] = []
  const late = (budgetMs?: number): Promise<never> => {
    budgets.push(budgetMs)
    return Promise.reject(new QuorateError('timeout', 'no room'))
  }
  const service: Partial<ReplicaService> = {
    look: (_name, _basis, _mustInclude, budgetMs) => late(budgetMs),
    lookAtHints: (_name, _basis, _mustInclude, budgetMs) => late(budgetMs),
    write: (_asker, _name, _view, _basis, { budgetMs }) => late(budgetMs),
  }
  const replicas = replicasOver(home!.directory, service as ReplicaService, WRITTEN)
  const name = keyIn(home!.directory, 1)
  for (const fallback of [false, true]) {
    const question = { name, fallback, expect: null, mustInclude: null }
    const answer = await new Promise((resolve) => replicas.read('x', question, 1000, resolve))
    expect(answer).toEqual({ type: 'failed' })
  }
  for (const intent of ['repair', 'client'] as const)
    await new Promise((resolve) => replicas.write('x', { name, view, intent, durable: true }, null, 1000, resolve))
  expect(budgets).toEqual([1000, 1000, 1000, Infinity])
})
