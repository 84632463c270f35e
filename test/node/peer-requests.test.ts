// What a peer is told when the disk fails under its write, or takes too long.

import { expect, test } from 'vitest'
import { encodeView } from '../../src/core/causality/view.ts'
import { QuorateError } from '../../src/errors.ts'
import { PeerRequests, type PeerRequestParts } from '../../src/node/peer-requests.ts'
import type { ListReply, Request, WriteRequest } from '../../src/protocol/messages.ts'
import type { ExchangeService } from '../../src/repair/exchange-service.ts'
import type { ReplicaService } from '../../src/replica/replica-service.ts'
import { A, version, write } from '../replica/memory-home.ts'

const FAILED = new QuorateError('storage-failed', 'the log can not be written')
const FROM = { name: 'x', storage: 'storage of x' }
const CONTEXT = { budgetMs: 100, time: 1, trace: null }

function requestFor(hintFor: string | null): WriteRequest {
  return {
    type: 'write',
    bucket: 'b',
    key: 'k',
    partition: 3,
    intent: 'client',
    view: encodeView(write(version({ life: A, counter: 1 }, 'value'))),
    hintFor,
    durable: true,
    membersDigest: 'members',
    settingsVersion: 0,
  }
}

function handlerOver(service: Partial<ReplicaService>): PeerRequests['handle'] {
  return new PeerRequests({ service: service as ReplicaService } as PeerRequestParts).handle
}

test('a write that was merged and cannot be synced is not refused: it may be there after a restart', async () => {
  const handle = handlerOver({ write: () => Promise.reject(FAILED), hint: () => Promise.reject(FAILED) })
  for (const hintFor of [null, 'y'])
    await expect(Promise.resolve(handle(FROM, requestFor(hintFor), CONTEXT))).rejects.toBe(FAILED)
})

test('one that was not merged is refused', () => {
  const handle = handlerOver({
    write: () => {
      throw FAILED
    },
  })
  expect(handle(FROM, requestFor(null), CONTEXT)).toMatchObject({ type: 'refused', reason: 'not-serving' })
})

test('what the disk had no room for within the budget is not told at all, and not refused', async () => {
  const late = (budgetMs?: number): Promise<never> =>
    Promise.reject(new QuorateError('timeout', `not within ${budgetMs} ms`))
  const handle = new PeerRequests({
    service: {
      write: (_asker, _name, _view, _basis, { budgetMs }) => late(budgetMs),
      hint: (_name, _view, _basis, _target, { budgetMs }) => late(budgetMs),
      look: (_name, _basis, _mustInclude, budgetMs) => late(budgetMs),
      lookAtHints: (_name, _basis, _mustInclude, budgetMs) => late(budgetMs),
      synced: (_found, budgetMs) => late(budgetMs),
    } as Partial<ReplicaService> as ReplicaService,
    serving: () => true,
    list: () => ({ type: 'list' }) as ListReply,
    exchange: {
      compare: (_from, _request, budgetMs) => late(budgetMs),
      exchange: (_from, _request, budgetMs) => late(budgetMs),
    } as Partial<ExchangeService> as ExchangeService,
  } as Partial<PeerRequestParts> as PeerRequestParts).handle
  const key = { bucket: 'b', key: 'k', partition: 3, membersDigest: 'members', settingsVersion: 0 }
  const read = { type: 'read', ...key, expectDigest: null, mustInclude: null } as const
  const requests: Request[] = [
    requestFor(null),
    requestFor('y'),
    { ...read, fallback: false },
    { ...read, fallback: true },
    ...(['list', 'compare', 'exchange'] as const).map((type) => ({ type }) as Request),
  ]
  for (const request of requests) {
    const answer = Promise.resolve(handle(FROM, request, CONTEXT))
    await expect(answer).rejects.toMatchObject({ code: 'timeout', message: 'not within 100 ms' })
  }
})
