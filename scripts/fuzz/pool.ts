// Runs one target's fuzzing in worker threads and brings together what they found. Decides when a thread hangs: no execution ended for
// a while. Invariant: a thread that hangs, dies or runs out of memory is a failure with the bytes that it was at.

import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Target } from './door.ts'
import { emptyTally, type Tally } from './engine.ts'
import { SHARED_BYTES, SHARED_HEAD_BYTES, type Work, type WorkDone } from './worker.ts'

/** Far more than an execution may take, and than minimising a slow one does between two. */
const HANG_MS = 20_000
const LOOK_MS = 1000

export interface PoolOptions {
  readonly target: Target['name']
  readonly executions: number
  readonly seconds: number
  readonly seed: number
  readonly jobs: number
  readonly coverage: boolean
  readonly onProgress: (executions: number) => void
}

export async function fuzzInThreads(options: PoolOptions): Promise<WorkDone> {
  const { jobs, executions, seed, target, seconds, coverage } = options
  const begun: number[] = []
  const progress = (job: number, count: number): void => {
    begun[job] = count
    options.onProgress(begun.reduce((sum, one) => sum + one, 0))
  }
  const done = await Promise.all(
    Array.from({ length: jobs }, (_, job) => {
      const shared = new SharedArrayBuffer(SHARED_HEAD_BYTES + SHARED_BYTES)
      const work: Work = {
        ...{ target, seconds, shared, coverage },
        seed: seed + job,
        executions: Math.ceil(executions / jobs),
      }
      return inThread(work, (count) => progress(job, count))
    }),
  )
  return { tally: together(done.map(({ tally }) => tally)), coverage: done.flatMap((one) => one.coverage) }
}

function inThread(work: Work, progress: (executions: number) => void): Promise<WorkDone> {
  const head = new Int32Array(work.shared, 0, SHARED_HEAD_BYTES / 4)
  const began = performance.now()
  return new Promise((resolve) => {
    const worker = new Worker(fileURLToPath(new URL('worker.ts', import.meta.url)), {
      workerData: work,
      resourceLimits: { maxOldGenerationSizeMb: 1024 },
    })
    let last = -1
    let at = performance.now()
    const watch = setInterval(() => {
      const count = Atomics.load(head, 0)
      progress(count)
      if (count !== last) at = performance.now()
      else if (performance.now() - at > HANG_MS) end(lost(work, `hangs: no end after ${HANG_MS} ms`))
      last = count
    }, LOOK_MS)
    const end = (result: WorkDone): void => {
      clearInterval(watch)
      result.tally.seconds = (performance.now() - began) / 1000
      void worker.terminate()
      resolve(result)
    }
    worker.once('message', (result: WorkDone) =>
      end({ ...result, tally: { ...result.tally, failures: result.tally.failures.map(asBuffers) } }),
    )
    worker.once('error', (error) => end(lost(work, String(error))))
  })
}

/** Bytes come from another thread as plain arrays. */
function asBuffers(failure: Tally['failures'][number]): Tally['failures'][number] {
  return { ...failure, bytes: Buffer.from(failure.bytes) }
}

function lost({ shared }: Work, why: string): WorkDone {
  const head = new Int32Array(shared, 0, SHARED_HEAD_BYTES / 4)
  const [count = 0, doorBytes = 0, length = 0] = head
  const place = Buffer.from(shared, SHARED_HEAD_BYTES)
  const door = place.toString('latin1', 0, doorBytes)
  const bytes = Buffer.from(place.subarray(doorBytes, doorBytes + length))
  const tally = emptyTally()
  tally.executions = count
  tally.failures.push({
    door,
    bytes,
    signature: `${door} ${why}`,
    detail: `${why}, in the thread's execution ${count}`,
  })
  return { tally, coverage: [] }
}

function together(tallies: readonly Tally[]): Tally {
  const all = emptyTally()
  const known = new Set<string>()
  for (const tally of tallies) {
    all.executions += tally.executions
    all.accepted += tally.accepted
    all.bytesFed += tally.bytesFed
    all.seconds = Math.max(all.seconds, tally.seconds)
    all.worstRatio = Math.max(all.worstRatio, tally.worstRatio)
    if (tally.worstMs > all.worstMs) {
      all.worstMs = tally.worstMs
      all.worstBytes = tally.worstBytes
    }
    for (const [kind, times] of tally.kinds) all.kinds.set(kind, (all.kinds.get(kind) ?? 0) + times)
    for (const failure of tally.failures) {
      if (known.has(failure.signature)) continue
      known.add(failure.signature)
      all.failures.push(failure)
    }
  }
  return all
}
