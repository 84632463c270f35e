// Loaded into the node's process before anything else: how long its event loop was ever busy at a stretch, by the thread's own CPU time,
// so that a neighbour on the machine counts for nothing. Tells the parent on request. Knows nothing of the node.

const SAMPLE_MS = 5

export interface Watched {
  /** Of stretches of at least `STALL_MS`: when they ended (since the process began), and their CPU time. */
  readonly stalls: readonly (readonly [endMs: number, cpuMs: number])[]
  readonly worstMs: number
  readonly heapUsed: number
  readonly arrayBuffers: number
}

const STALL_MS = 25
const stalls: [number, number][] = []
let worstMs = 0
let last = process.threadCpuUsage()

if (process.send !== undefined) {
  // Within one turn of the loop at most: between two ticks of a timer of 5 ms, or of the next that comes in time, lies more than one
  // turn only where the loop was not late.
  let at = performance.now()
  setInterval(() => {
    const now = performance.now()
    const { user, system } = process.threadCpuUsage(last)
    last = process.threadCpuUsage()
    const cpuMs = (user + system) / 1000
    const isLate = now - at > SAMPLE_MS + STALL_MS
    at = now
    if (!isLate || cpuMs < STALL_MS) return
    worstMs = Math.max(worstMs, cpuMs)
    stalls.push([now, cpuMs])
  }, SAMPLE_MS).unref()
  process.on('message', (message) => {
    if (message !== 'watched') return
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    process.send?.({ stalls: stalls.splice(0), worstMs, heapUsed, arrayBuffers } satisfies Watched)
    worstMs = 0
  })
}
