// What a lost write is called: the one cause that a client can do something about, and only where nothing was stored.

import { expect, test } from 'vitest'
import { beginWrite, tallyWrite, type WriteEvent, writeVerdict } from '../../src/core/quorum/write-tally.ts'
import { lost } from '../../src/coordinator/answers.ts'
import type { Receipt } from '../../src/coordinator/operations.ts'
import type { Plan } from '../../src/coordinator/plan.ts'
import type { RefusalReason } from '../../src/protocol/messages.ts'

const TERMS = { homes: ['a', 'b', 'c'], fallbacks: ['d'], required: 2, sloppy: true, durable: false }

function named(...events: WriteEvent<RefusalReason>[]): unknown {
  const tally = [...events, { type: 'deadline' } as const].reduce(tallyWrite<RefusalReason>, beginWrite(TERMS))
  const verdict = writeVerdict(tally)
  if (verdict.state === 'pending') throw new Error('not decided')
  // Of the plan only W is told, and the receipt is passed on.
  const failure = lost(
    { w: 2 } as Plan,
    { verdict, written: [], newTo: [], tally, notAsked: new Set() },
    { receipt: {} as Receipt },
  )
  return failure.type === 'quorum-not-met' ? `${failure.type} ${failure.outcome}` : failure.type
}

function refused(replica: string, reason: RefusalReason): WriteEvent<RefusalReason> {
  return { type: 'refused', replica, reason, absent: reason !== 'storage-full' }
}

test('homes without room, and a stand-in without room for hints, are one cause', () => {
  const full = [refused('a', 'storage-full'), refused('b', 'storage-full')]
  expect(named(...full, refused('c', 'storage-full'))).toBe('storage-full')
  expect(named(...full, { type: 'unreachable', replica: 'c' }, refused('d', 'hints-full'))).toBe('storage-full')
})

test('other causes beside it, or one copy that somebody took, leave a quorum that was not met', () => {
  const full = [refused('a', 'storage-full'), refused('b', 'storage-full')]
  expect(named(...full, refused('c', 'not-serving'))).toBe('quorum-not-met not-applied')
  expect(named(...full, { type: 'acknowledged', replica: 'c', durable: true })).toBe('quorum-not-met unknown')
  expect(named(...full, { type: 'failed', replica: 'c' })).toBe('quorum-not-met unknown')
  const away = ['a', 'b', 'c'].map((replica) => ({ type: 'unreachable', replica }) as const)
  expect(named(...away, refused('d', 'hints-full'))).toBe('quorum-not-met not-applied')
})
