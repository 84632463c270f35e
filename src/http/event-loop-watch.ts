// Watches how late this process's event loop is, by a timer that says when it should have come. Knows nothing of who reads it.
// Invariant: costs one timer, keeps no process alive, and ends with `stop`.

import { DELAY_SAMPLE_MS, delayRecorder, type ProcessFigures, processFigures } from '../telemetry/process-figures.ts'

export interface EventLoopWatch {
  figures(): ProcessFigures
  stop(): void
}

export function watchEventLoop(): EventLoopWatch {
  const delays = delayRecorder()
  let last = performance.now()
  // Not perf_hooks' own histogram: that can only be read or cleared as a whole, and each reader would take it from the others.
  const timer = setInterval(() => {
    const now = performance.now()
    delays.observe(Math.max(0, now - last - DELAY_SAMPLE_MS) / 1000)
    last = now
  }, DELAY_SAMPLE_MS)
  timer.unref()
  return { figures: () => processFigures(process.memoryUsage(), delays), stop: () => clearInterval(timer) }
}
