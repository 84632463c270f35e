// Shows that a loop that is held up is seen to be late, by whoever reads the figures before and after.

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { percentileOf, windowOf } from '../../scripts/bench/parts/figures.ts'
import { watchEventLoop } from '../../src/http/event-loop-watch.ts'
import type { LatencyFigures } from '../../src/telemetry/latency.ts'

test('a loop that is held up is late by as much', async () => {
  const watch = watchEventLoop()
  const read = (): LatencyFigures => structuredClone(watch.figures().eventLoopDelaySeconds)
  while (read().count < 3) await delay(5)
  const before = read()
  const until = performance.now() + 120
  while (performance.now() < until);
  while (read().count <= before.count) await delay(1)
  const held = windowOf(before, read())
  expect(percentileOf(held, 100)).toBeGreaterThanOrEqual(0.1)
  watch.stop()
  const { count } = read()
  await delay(30)
  expect(read().count).toBe(count)
})
