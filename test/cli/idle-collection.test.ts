import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { collectGarbage } from '../../src/cli/engine-flags.ts'
import { collectWhenQuiet } from '../../src/cli/idle-collection.ts'

vi.mock('../../src/cli/engine-flags.ts', () => ({ collectGarbage: vi.fn() }))

/** Microseconds of CPU, at each look. */
let usedEachSecond = 0

beforeEach(() => {
  vi.useFakeTimers()
  let user = 0
  vi.spyOn(process, 'cpuUsage').mockImplementation(() => ({ user: (user += usedEachSecond), system: 0 }))
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

it('leaves a process alone that steadily does little, and one that works', () => {
  for (const used of [50_000, 900_000]) {
    usedEachSecond = used
    const watch = collectWhenQuiet()
    vi.advanceTimersByTime(600_000)
    watch.stop()
  }
  expect(collectGarbage).not.toHaveBeenCalled()
})

it('collects once when work is over', () => {
  usedEachSecond = 900_000
  const watch = collectWhenQuiet()
  vi.advanceTimersByTime(10_000)
  usedEachSecond = 1000
  vi.advanceTimersByTime(14_000)
  expect(collectGarbage).not.toHaveBeenCalled()
  vi.advanceTimersByTime(60_000)
  watch.stop()
  expect(collectGarbage).toHaveBeenCalledTimes(1)
})
