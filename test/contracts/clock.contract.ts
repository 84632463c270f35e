// What every Clock promises. Run on the real one and on the simulated one alike.

import { describe, expect, test } from 'vitest'
import { sleep } from '../../src/ports/clock.ts'
import type { Clock } from '../../src/ports/clock.ts'

export interface ClockSubject {
  readonly clock: Clock
  /** Lets time pass until the promise settles. */
  settle<T>(promise: Promise<T>): Promise<T>
}

export function clockContract(name: string, subject: () => ClockSubject): void {
  describe(`clock: ${name}`, () => {
    test('never runs a callback before its time, and runs it once', async () => {
      const { clock, settle } = subject()
      for (const delayMs of [0, 1, 7.5, 30]) {
        const started = clock.monotonic()
        let runs = 0
        await settle(
          new Promise<void>((resolve) => {
            clock.after(delayMs, () => {
              runs++
              resolve()
            })
          }),
        )
        expect(clock.monotonic() - started).toBeGreaterThanOrEqual(delayMs - 0.002)
        await settle(sleep(clock, 5))
        expect(runs).toBe(1)
      }
    })

    test('never runs a cancelled callback, and cancelling twice is harmless', async () => {
      const { clock, settle } = subject()
      let ran = false
      const timer = clock.after(2, () => {
        ran = true
      })
      timer.cancel()
      timer.cancel()
      await settle(sleep(clock, 15))
      expect(ran).toBe(false)
    })

    test('runs callbacks in the order of their times, never inside the call that set them', async () => {
      const { clock, settle } = subject()
      const order: number[] = []
      for (const delayMs of [25, 5, 15, 0]) clock.after(delayMs, () => order.push(delayMs))
      expect(order).toEqual([])
      await settle(sleep(clock, 60))
      expect(order).toEqual([0, 5, 15, 25])
    })

    test('a sleep ends early when its signal aborts', async () => {
      const { clock, settle } = subject()
      const controller = new AbortController()
      const started = clock.monotonic()
      clock.after(5, () => controller.abort())
      await settle(sleep(clock, 20_000, controller.signal))
      expect(clock.monotonic() - started).toBeLessThan(5000)
    })

    test('monotonic time does not go back, and now is wall time in milliseconds', async () => {
      const { clock, settle } = subject()
      let last = clock.monotonic()
      for (let i = 0; i < 5; i++) {
        await settle(sleep(clock, 2))
        expect(clock.monotonic()).toBeGreaterThanOrEqual(last)
        last = clock.monotonic()
      }
      expect(clock.now()).toBeGreaterThan(Date.UTC(2020, 0))
      expect(clock.now()).toBeLessThan(Date.UTC(2100, 0))
    })
  })
}
