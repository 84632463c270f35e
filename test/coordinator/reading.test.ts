// A read whose write-back meets homes that have moved on.

import { expect, test } from 'vitest'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { HybridClock } from '../../src/core/causality/hybrid-clock.ts'
import { planFor } from '../../src/coordinator/plan.ts'
import { read } from '../../src/coordinator/reading.ts'
import type { ReadAnswer, WriteAnswer } from '../../src/coordinator/replica-answers.ts'
import type { Replicas } from '../../src/coordinator/replicas.ts'
import { invariant } from '../../src/errors.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { SimulatedProcess } from '../../src/simulator/simulated-process.ts'
import { VirtualTime } from '../../src/simulator/virtual-clock.ts'
import { A, B, memoryHomes, version, write } from '../replica/memory-home.ts'

// Found by a review: it waited for its own disk, which was full, until its time was over, and then could not ask again.
test('it asks again as soon as one says so, whoever else has not answered', async () => {
  const time = new VirtualTime()
  const { clock } = new SimulatedProcess(time, 'x')
  const { directory } = (await memoryHomes(['x', 'y', 'z']))[0]!
  const plan = planFor(directory, { bucket: 'b', key: 'k', timeoutMs: 4000, r: 2 }, clock.monotonic())
  invariant(!('badQuorum' in plan), 'a plan')
  const dots = [A, B].map((life) => ({ life, counter: 1 }))
  const [mine, theirs] = dots.map((dot) => write(version(dot, `by ${dot.life}`)))
  const newer = write(version({ life: B, counter: 2 }, 'newer'), DotSet.of(...dots))
  let hasMovedOn = false
  const replicas: Pick<Replicas, 'read' | 'write' | 'reachable' | 'onChange'> = {
    reachable: () => true,
    onChange: () => () => {},
    read: (member, _question, deadlineAt, done) => {
      if (time.now >= deadlineAt) return done({ type: 'unreachable' })
      const view = hasMovedOn ? newer : member === directory.self ? mine! : theirs!
      const said: ReadAnswer = { type: 'answered', view, same: false, missing: DotSet.empty(), filling: false, time: 1 }
      void Promise.resolve().then(() => done(said))
    },
    write: (member, _write, _hintFor, _deadlineAt, done) => {
      if (member === directory.self) return
      hasMovedOn = true
      const facts = { stored: false, durable: true, heldLive: true, siblings: 1, context: null, filling: false }
      const said: WriteAnswer = { type: 'written', refused: dots, ...facts }
      void Promise.resolve().then(() => done(said))
    },
  }
  const result = await time.settle(
    read(
      {
        ...{ directory: () => directory, replicas: replicas as Replicas, clock, hybrid: new HybridClock() },
        ...{ random: new SeededRandom(1), hedgeMs: 100, readAllRate: 0, readRepair: true, onReadRepair: () => {} },
      },
      plan,
      null,
      null,
    ),
  )
  expect(result).toMatchObject({ type: 'read', view: newer })
  expect(time.now).toBeLessThan(1000)
})
