// The control for stalls: appends as much as a batch of a log and makes it durable, again and again, on the same disk at the same time.
// What this is held up by, the disk and the scheduler are. Tells its parent, once a second, how long the slowest took.

import { closeSync, fdatasyncSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'

const BATCH = Buffer.alloc(16 << 10, 'b')
const FILE_BYTES_MAX = 64 << 20
/** Between two, so that it takes little of the disk from what is measured. */
const PAUSE_MS = 10
const TELL_MS = 1000

const [path = ''] = process.argv.slice(2)
const file = openSync(path, 'w')
let written = 0
let slowestMs = 0
let told = performance.now()

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
  if (now - told >= TELL_MS) {
    process.send?.(slowestMs)
    slowestMs = 0
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
