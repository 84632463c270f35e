import { describe, expect, test } from 'vitest'
import { sleep } from '../../src/ports/clock.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { SimulatedProcess } from '../../src/simulator/simulated-process.ts'
import { VirtualTime } from '../../src/simulator/virtual-clock.ts'

describe('virtual time', () => {
  test('runs events in order of time, then of creation', async () => {
    const time = new VirtualTime()
    const order: string[] = []
    time.at(5, () => order.push('5a'))
    time.at(1, () => order.push('1'))
    time.at(5, () => order.push('5b'))
    time.at(3, () => {
      order.push('3')
      time.at(0, () => order.push('late'))
    })
    await time.runUntilIdle()
    expect(order).toEqual(['1', '3', 'late', '5a', '5b'])
    expect(time.now).toBe(5)
  })

  test('drains every microtask before the next event, however long the chain', async () => {
    const time = new VirtualTime()
    const order: string[] = []
    time.at(1, () => {
      void (async () => {
        for (let i = 0; i < 100; i++) await Promise.resolve()
        order.push('chain')
      })()
    })
    time.at(1, () => order.push('next'))
    await time.runUntilIdle()
    expect(order).toEqual(['chain', 'next'])
  })

  test('a thousand seconds of sleep pass at once', async () => {
    const time = new VirtualTime()
    const { clock } = new SimulatedProcess(time, 'node')
    await time.settle(sleep(clock, 500_000))
    expect(time.now).toBe(500_000)
  })

  test('an error in an event ends the run, and the next run works', async () => {
    const time = new VirtualTime()
    time.at(1, () => {
      throw new Error('inside')
    })
    await expect(time.runUntilIdle()).rejects.toThrow('inside')
    await time.runFor(10)
    expect(time.now).toBeGreaterThanOrEqual(10)
  })

  test('a run says when its condition never held', async () => {
    const time = new VirtualTime()
    expect(await time.runUntilCondition(() => false, 100)).toBe(false)
    expect(time.now).toBe(100)
    await expect(time.settle(new Promise(() => {}), 100)).rejects.toThrow('pending')
  })
})

describe('a process', () => {
  test('that is killed never runs again', async () => {
    const time = new VirtualTime()
    const process = new SimulatedProcess(time, 'node')
    let after = false
    void sleep(process.clock, 10).then(() => {
      after = true
    })
    time.at(5, () => process.kill())
    await time.runUntilIdle()
    expect(after).toBe(false)
  })

  test('that is paused catches up in order when it goes on', async () => {
    const time = new VirtualTime()
    const process = new SimulatedProcess(time, 'node')
    const ran: string[] = []
    process.clock.after(10, () => ran.push(`a@${time.now}`))
    process.clock.after(20, () => ran.push(`b@${time.now}`))
    time.at(5, () => process.pause(100))
    await time.runUntilIdle()
    expect(ran).toEqual(['a@105', 'b@105'])
  })

  test('has its own wall clock: offset, drift and jumps leave intervals alone', async () => {
    const time = new VirtualTime()
    const { clock } = new SimulatedProcess(time, 'node', { offsetMs: 100, drift: 0.01 })
    await time.runUntil(1000)
    expect(clock.errorMs).toBeCloseTo(110, 6)
    const before = clock.monotonic()
    clock.jump(-5000)
    expect(clock.monotonic()).toBe(before)
    expect(clock.errorMs).toBeCloseTo(-4890, 6)
    clock.setDrift(0)
    await time.runUntil(2000)
    expect(clock.errorMs).toBeCloseTo(-4890, 6)
  })

  test('does not fire early when its clock slows down meanwhile', async () => {
    const time = new VirtualTime()
    const { clock } = new SimulatedProcess(time, 'node')
    let firedAt = 0
    clock.after(100, () => {
      firedAt = clock.monotonic()
    })
    time.at(50, () => clock.setDrift(-0.5))
    await time.runUntilIdle()
    expect(firedAt).toBeGreaterThanOrEqual(99.99)
    expect(time.now).toBeCloseTo(150, 2)
  })
})

describe('seeded random', () => {
  test('repeats for a seed and differs for another', () => {
    const draw = (seed: string): number[] => {
      const random = new SeededRandom(seed)
      return Array.from({ length: 20 }, () => random.next())
    }
    expect(draw('a')).toEqual(draw('a'))
    expect(draw('a')).not.toEqual(draw('b'))
  })

  test('a fork does not depend on what its parent drew', () => {
    const fresh = new SeededRandom(7)
    const used = new SeededRandom(7)
    for (let i = 0; i < 10; i++) used.next()
    expect(used.fork('x').next()).toBe(fresh.fork('x').next())
    expect(fresh.fork('x').next()).not.toBe(fresh.fork('y').next())
  })
})
