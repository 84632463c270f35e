// Requests that wait, on virtual time: each is settled once, in time, and none is mistaken for another.

import { describe, expect, test } from 'vitest'
import { QuorateError } from '../../src/errors.ts'
import { LinkCounters } from '../../src/link/counters.ts'
import { InFlight } from '../../src/link/in-flight.ts'
import type { ReplyFrame } from '../../src/protocol/messages.ts'
import { SimulatedProcess } from '../../src/simulator/simulated-process.ts'
import { VirtualTime } from '../../src/simulator/virtual-clock.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { stored, write } from './two-nodes.ts'

interface Table {
  readonly time: VirtualTime
  readonly inFlight: InFlight
  readonly counters: LinkCounters
  readonly outcomes: Map<number, { readonly outcome: string; readonly at: number }>
  /** Returns its id. */
  ask(budgetMs: number, signal?: AbortSignal): number
}

function table(): Table {
  const time = new VirtualTime()
  const counters = new LinkCounters()
  const { clock } = new SimulatedProcess(time, 'a')
  const inFlight = new InFlight(clock, counters)
  const outcomes: Table['outcomes'] = new Map()
  const ask = (budgetMs: number, signal?: AbortSignal): number => {
    const id = inFlight.nextId()
    const done = (answer: unknown): void => {
      if (outcomes.has(id)) throw new Error('settled twice')
      outcomes.set(id, { outcome: answer instanceof QuorateError ? answer.code : 'answered', at: time.now })
    }
    inFlight.add(id, { request: write(), budgetMs, signal, done }, clock.monotonic())
    return id
  }
  return { time, inFlight, counters, outcomes, ask }
}

const replyTo = (id: number): ReplyFrame => ({ type: 'reply', id, time: 1, reply: stored() })

describe('requests in flight', () => {
  test('expire never before their time, nor later than a tick after it, whatever the order of their deadlines', async () => {
    const { time, inFlight, counters, outcomes, ask } = table()
    const random = new SeededRandom('deadlines')
    const due = new Map<number, number>()
    for (let i = 0; i < 400; i++) {
      const budgetMs = random.pick([0, 1, 7.5, 8, 100, 101.25, 5000, random.next() * 1000])
      due.set(ask(budgetMs), time.now + budgetMs)
      await time.runFor(random.next() * 5)
    }
    await time.runFor(6000)
    expect(inFlight.count).toBe(0)
    expect(counters.timeouts).toBe(400)
    for (const [id, dueAt] of due) {
      const settled = outcomes.get(id)
      expect(settled?.outcome).toBe('timeout')
      expect(settled?.at).toBeGreaterThanOrEqual(dueAt - 1e-6)
      expect(settled?.at).toBeLessThanOrEqual(dueAt + 8 + 1e-6)
    }
  })

  test('are settled by their reply at once, and by nothing else', async () => {
    const { time, inFlight, outcomes, ask } = table()
    const ids = Array.from({ length: 1000 }, () => ask(50))
    for (const id of ids.filter((id) => id % 3 === 0)) {
      expect(inFlight.settle(replyTo(id), 's')).toBe(true)
      expect(outcomes.get(id)?.outcome).toBe('answered')
      expect(inFlight.settle(replyTo(id), 's')).toBe(true)
    }
    expect(inFlight.settle(replyTo(0xffffffff), 's')).toBe(true)
    await time.runFor(100)
    for (const id of ids) expect(outcomes.get(id)?.outcome).toBe(id % 3 === 0 ? 'answered' : 'timeout')
    expect(inFlight.count).toBe(0)
  })

  test('one that waits for long keeps its place while many others come and go', () => {
    const { inFlight, outcomes, ask } = table()
    const patient = ask(60_000)
    for (let i = 0; i < 5000; i++) inFlight.settle(replyTo(ask(10)), 's')
    expect(outcomes.has(patient)).toBe(false)
    inFlight.settle(replyTo(patient), 's')
    expect(outcomes.get(patient)?.outcome).toBe('answered')
  })

  test.each([10, 100, 1000])('ids have no gaps, though %i requests wait for long', (hanging) => {
    const { inFlight, outcomes, ask } = table()
    const patient = Array.from({ length: hanging }, () => ask(60_000))
    for (let i = 0; i < 5000; i++) {
      const [one, two] = [ask(10), ask(10)]
      expect([one, two]).toEqual([hanging + 2 * i + 1, hanging + 2 * i + 2])
      for (const id of [one, two]) inFlight.settle(replyTo(id), 's')
    }
    expect(inFlight.count).toBe(hanging)
    for (const id of patient) {
      expect(outcomes.has(id)).toBe(false)
      inFlight.settle(replyTo(id), 's')
      expect(outcomes.get(id)?.outcome).toBe('answered')
    }
    expect(inFlight.count).toBe(0)
  })

  test('an id under which nothing was sent is given again', () => {
    const { inFlight, ask } = table()
    const first = inFlight.nextId()
    expect(inFlight.nextId()).toBe(first)
    expect([ask(10), ask(10)]).toEqual([first, first + 1])
  })

  test('a reply of another type fails the request and is told', () => {
    const { inFlight, outcomes, ask } = table()
    const id = ask(10)
    const wrong: ReplyFrame = { type: 'reply', id, time: 1, reply: { type: 'handoff', bytesGranted: 1 } }
    expect(inFlight.settle(wrong, 's')).toBe(false)
    expect(outcomes.get(id)?.outcome).toBe('protocol')
  })

  test('all fail when the link ends, and leave no timer behind', async () => {
    const { time, inFlight, outcomes, ask } = table()
    const ids = [ask(10), ask(1000)]
    inFlight.failAll(new QuorateError('closed', 'closed'))
    expect(ids.map((id) => outcomes.get(id)?.outcome)).toEqual(['closed', 'closed'])
    expect(time.idle).toBe(true)
    await time.runFor(2000)
  })

  test('one that fails with the link may ask again from there', () => {
    const { inFlight, ask, outcomes } = table()
    const id = inFlight.nextId()
    const done = (): void => void ask(10)
    inFlight.add(id, { request: write(), budgetMs: 10, signal: undefined, done }, 0)
    inFlight.settle(replyTo(id), 's')
    expect(inFlight.count).toBe(1)
    inFlight.failAll(new QuorateError('closed', 'closed'))
    expect([...outcomes.values()].map(({ outcome }) => outcome)).toEqual(['closed'])
  })

  test('a signal settles its own request only, and is let go afterwards', () => {
    const { inFlight, outcomes, ask } = table()
    const controller = new AbortController()
    const first = ask(10, controller.signal)
    const second = ask(10, controller.signal)
    const third = ask(10)
    inFlight.settle(replyTo(first), 's')
    controller.abort()
    expect([first, second, third].map((id) => outcomes.get(id)?.outcome)).toEqual(['answered', 'timeout', undefined])
  })
})
