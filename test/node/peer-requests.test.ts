// What a peer is told when the disk fails under its write.

import { expect, test } from 'vitest'
import { encodeView } from '../../src/core/causality/view.ts'
import { QuorateError } from '../../src/errors.ts'
import { PeerRequests, type PeerRequestParts } from '../../src/node/peer-requests.ts'
import type { WriteRequest } from '../../src/protocol/messages.ts'
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
