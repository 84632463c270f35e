// The JavaScript engine of a process that runs a node: its flags, before the node is composed and, for the size of the young generation,
// as it grows; and a collection of garbage. Knows nothing of when one is wanted.

import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The young generation may take this part of the budget for memory: a larger one costs room for data, a smaller one collections. */
const YOUNG_SHARE = 1 / 16
const YOUNG_BYTES_LEAST = 8 << 20
/** What it grows to by itself. */
const YOUNG_BYTES_MOST = 128 << 20

/**
 * V8 watches which allocations survive, and then makes all objects of such a place in the old generation. Here the same places make
 * what a key keeps and what one request needs: the garbage of requests then keeps more of it alive, young collections copy megabytes
 * instead of kilobytes, and take 30 ms instead of 2.
 */
export function tuneEngine(memoryBytesMax: number): void {
  setFlagsFromString('--no-allocation-site-pretenuring')
  const youngBytesMax = Math.max(YOUNG_BYTES_LEAST, memoryBytesMax * YOUNG_SHARE)
  if (youngBytesMax < YOUNG_BYTES_MOST) limitYoung(youngBytesMax)
}

/**
 * Its limit can only be set when a process begins, by who starts it; but by how much it grows is looked up each time it does, right after
 * a collection. It also shrinks, and then may grow again.
 */
function limitYoung(bytesMax: number): void {
  let mayGrow = true
  const look = (): void => {
    const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0
    // Told a little later: it may have grown once more by then.
    if (4 * young <= bytesMax === mayGrow) return
    mayGrow = !mayGrow
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`)
  }
  new PerformanceObserver(look).observe({ entryTypes: ['gc'] })
}

let collector: ((options: object) => void) | null = null

/** All of it, and gives pages back to the system. Some hundred milliseconds. */
export function collectGarbage(): void {
  if (collector === null) {
    setFlagsFromString('--expose-gc')
    collector = runInNewContext('gc') as (options: object) => void // V8 defines it in each context that is made under this flag
  }
  collector({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
