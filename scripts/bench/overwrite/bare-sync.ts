// The controls, beside what is measured and at the same time. For stalls: appends as much as a batch of a log and makes it durable, again
// and again, on the same disk; what this is held up by, the disk and the scheduler are. For the rate: a fixed piece of computing, now and
// then; a core that is shared with others takes more of its own time for it. Tells its parent, once a second, how long the slowest append
// took, and the medians of both.

import { createHash } from 'node:crypto'
import { median } from '../parts/figures.ts'
import { closeSync, fdatasyncSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'

const BATCH = Buffer.alloc(16 << 10, 'b')
const FILE_BYTES_MAX = 64 << 20
/** Between two, so that it takes little of the disk from what is measured. */
const PAUSE_MS = 10
const TELL_MS = 1000
/** Takes a good half of a millisecond, so one core in a hundred. */
const WORK = Buffer.alloc(256 << 10, 'w')
const WORK_EACH = 5

const [path = ''] = process.argv.slice(2)
const file = openSync(path, 'w')
let written = 0
let slowestMs = 0
let told = performance.now()
let ticks = 0
let workMs: number[] = []
let appendMs: number[] = []

export interface Told {
  readonly slowestMs: number
  /** Of an append, usually. */
  readonly appendMs: number
  /** CPU time, so what a busy scheduler takes does not count. */
  readonly workMs: number
}

function work(): void {
  const before = process.cpuUsage()
  createHash('sha256').update(WORK).digest()
  const { user, system } = process.cpuUsage(before)
  workMs.push((user + system) / 1000)
}

const tick = (): void => {
  const from = performance.now()
  if (written > FILE_BYTES_MAX) {
    ftruncateSync(file, 0)
    written = 0
  }
  writeSync(file, BATCH, 0, BATCH.length, written)
  fdatasyncSync(file)
  written += BATCH.length
  const now = performance.now()
  slowestMs = Math.max(slowestMs, now - from)
  appendMs.push(now - from)
  if (ticks++ % WORK_EACH === 0) work()
  if (now - told >= TELL_MS) {
    const tell: Told = { slowestMs, appendMs: median(appendMs), workMs: median(workMs) }
    process.send?.(tell)
    slowestMs = 0
    workMs = []
    appendMs = []
    told = now
  }
  setTimeout(tick, PAUSE_MS)
}
tick()

process.on('disconnect', () => {
  closeSync(file)
  rmSync(path, { force: true })
  process.exit()
})
