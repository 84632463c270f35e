// A read ends by its deadline, whichever replica hangs.

import { expect, test } from 'vitest'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { readRound } from '../../src/coordinator/read-round.ts'
import type { ReadAnswer } from '../../src/coordinator/replica-answers.ts'
import type { Replicas } from '../../src/coordinator/replicas.ts'
import { SimulatedProcess } from '../../src/simulator/simulated-process.ts'
import { VirtualTime } from '../../src/simulator/virtual-clock.ts'

const EMPTY: ReadAnswer = {
  type: 'answered',
  view: null,
  same: false,
  missing: DotSet.empty(),
  filling: false,
  time: 1,
}

async function verdictWhere(hangs: (member: string) => boolean): Promise<[string, number]> {
  const time = new VirtualTime()
  const { clock } = new SimulatedProcess(time, 'x')
  const replicas: Pick<Replicas, 'read' | 'reachable'> = {
    reachable: () => true,
    read: (member, _question, _deadlineAt, done) => {
      if (!hangs(member)) void Promise.resolve().then(() => done(EMPTY))
    },
  }
  const round = readRound(
    { replicas: replicas as Replicas, clock },
    {
      self: 'x',
      name: { partition: 3, bucket: 'b', key: 'k' },
      conflict: 'siblings',
      homes: ['x', 'y', 'z'],
      fallbacks: [],
      required: 2,
      sloppy: false,
      askAll: false,
      mustInclude: null,
      isLive: () => false,
      deadlineAt: 1000,
      hedgeMs: 100,
    },
    null,
    () => {},
  )
  const { verdict } = await time.settle(round, 5000)
  return [verdict.state, time.now]
}

test('with all in place it is met at once', async () => expect(await verdictWhere(() => false)).toEqual(['met', 0]))

test("this node's own disk may hang: the others are asked in its place", async () =>
  expect(await verdictWhere((member) => member === 'x')).toEqual(['met', 100]))

test('with too few that answer it is lost at the deadline', async () =>
  expect(await verdictWhere((member) => member !== 'y')).toEqual(['lost', 1000]))
