// Sends tasks over a few keep-alive connections, many under way on each, and judges every answer. Decides the pace: as fast as answers
// come, or a constant rate. Knows nothing of what tasks mean. Invariant: a task is judged exactly once, or the run fails.

import { createHistogram, performance } from 'node:perf_hooks'
import { connect, type Socket } from 'node:net'
import type { Dialect, Task } from './dialects.ts'

export interface Pace {
  readonly connections: number
  /** Tasks under way on one connection. A node serves them one after the other: durable writes want connections, not depth. */
  readonly depth: number
}

export interface RunOptions {
  /** Tasks are due at this rate whatever becomes of those before, and times count from when each was due. Absent: full speed. */
  readonly ratePerSecond?: number
  readonly onJudged?: (task: Task, isRight: boolean) => void
}

export interface RunResult {
  readonly tasks: number
  readonly wrong: number
  readonly seconds: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
  /** What the first few wrong answers said. */
  readonly samples: readonly string[]
}

/** More wrong answers than this part, and figures count for nothing. */
export const WRONG_SHARE_MAX = 0.001

const SAMPLES_MAX = 3
const SAMPLE_BYTES = 400
/** Without any answer for so long the run has failed. */
const SILENCE_MS_MAX = 60_000

/** A run that was wrong too often, or did nothing, is no run. */
export function checked(what: string, result: RunResult): RunResult {
  if (result.tasks === 0) throw new Error(`${what}: nothing was done`)
  if (result.wrong > result.tasks * WRONG_SHARE_MAX)
    throw new Error(`${what}: ${result.wrong} of ${result.tasks} answers were wrong:\n${result.samples.join('\n')}`)
  return result
}

export class Driver {
  readonly #dialect: Dialect
  readonly #pace: Pace
  readonly #port: number
  #lines: Line[] = []
  /** Answers so far, of all runs. */
  judged = 0
  #slowestMs = 0
  #latencies = createHistogram()
  #wrong = 0
  #samples: string[] = []
  #onJudged: ((task: Task, isRight: boolean) => void) | null = null
  #fail: ((error: Error) => void) | null = null
  #more: (line: Line) => void = () => {}

  /** Connections are opened when they are needed: a server closes those that were idle for long. */
  constructor(port: number, dialect: Dialect, pace: Pace) {
    this.#port = port
    this.#dialect = dialect
    this.#pace = pace
  }

  /** Of the answers since this was asked last. */
  takeSlowestMs(): number {
    const slowest = this.#slowestMs
    this.#slowestMs = 0
    return slowest
  }

  /** Until `next` gives null and all answers have come. */
  async run(next: () => Task | null, options: RunOptions = {}): Promise<RunResult> {
    const { ratePerSecond, onJudged = null } = options
    const before = this.judged
    this.#lines = this.#lines.filter(({ socket }) => !socket.destroyed && !socket.readableEnded)
    while (this.#lines.length < this.#pace.connections) this.#lines.push(this.#line(await connected(this.#port)))
    this.#latencies.reset()
    this.#wrong = 0
    this.#samples = []
    this.#onJudged = onJudged
    const from = performance.now()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#fail = reject
    let heard = this.judged
    const watch = setInterval(() => {
      if (heard === this.judged) reject(new Error(`no answer for ${SILENCE_MS_MAX / 1000} s`))
      heard = this.judged
    }, SILENCE_MS_MAX)
    try {
      if (ratePerSecond === undefined) this.#fullSpeed(next, resolve)
      else this.#constantRate(next, ratePerSecond, resolve)
      await promise
    } finally {
      clearInterval(watch)
      this.#fail = null
      this.#more = () => {}
    }
    const seconds = (performance.now() - from) / 1000
    const tasks = this.judged - before
    const ms = (percentile: number): number => this.#latencies.percentile(percentile) / 1e6
    return {
      ...{ tasks, wrong: this.#wrong, seconds, perSecond: tasks / seconds, samples: this.#samples },
      ...{ p50Ms: ms(50), p99Ms: ms(99), p999Ms: ms(99.9), maxMs: tasks === 0 ? 0 : this.#latencies.max / 1e6 },
    }
  }

  close(): void {
    this.#fail = null
    for (const line of this.#lines) line.socket.destroy()
  }

  #fullSpeed(next: () => Task | null, done: () => void): void {
    const { depth } = this.#pace
    let isOver = false
    let open = this.#lines.length
    this.#more = (line) => {
      // Several at a time: one write for each would be most of the work.
      if (line.underWay.length > depth / 2) return
      const now = performance.now()
      while (!isOver && line.underWay.length < depth) {
        const task = next()
        if (task === null) isOver = true
        else this.#put(line, task, now)
      }
      line.flush()
      if (isOver && line.underWay.length === 0 && !line.isDone) {
        line.isDone = true
        if (--open === 0) done()
      }
    }
    for (const line of this.#lines) {
      line.isDone = false
      this.#more(line)
    }
  }

  #constantRate(next: () => Task | null, ratePerSecond: number, done: () => void): void {
    const from = performance.now()
    let sent = 0
    let at = 0
    const timer = setInterval(() => {
      const due = (): number => from + (sent * 1000) / ratePerSecond
      for (const now = performance.now(); due() <= now; sent++) {
        const task = next()
        if (task === null) {
          clearInterval(timer)
          if (this.#lines.every((line) => line.underWay.length === 0)) done()
          else this.#more = () => this.#lines.every((line) => line.underWay.length === 0) && done()
          break
        }
        this.#put(this.#lines[at++ % this.#lines.length] as Line, task, due())
      }
      for (const line of this.#lines) line.flush()
    }, 1)
    const fail = this.#fail
    this.#fail = (error) => {
      clearInterval(timer)
      fail?.(error)
    }
  }

  #put(line: Line, task: Task, dueAt: number): void {
    line.underWay.push({ task, dueAt })
    line.add((target, at) => this.#dialect.write(target, at, task))
  }

  #line(socket: Socket): Line {
    const line = new Line(socket, this.#dialect.bytesMax * Math.max(this.#pace.depth, 64), this.#dialect.bytesMax)
    const broken = (error: Error): void => this.#fail?.(error)
    let now = 0
    const reader = this.#dialect.reader((status, bytes, from, to, headAt) => {
      const { task, dueAt } = line.underWay.shift() ?? {}
      if (task === undefined || dueAt === undefined) throw new Error('an answer that nobody asked for')
      const ms = now - dueAt
      this.#latencies.record(Math.max(1, Math.round(ms * 1e6)))
      if (ms > this.#slowestMs) this.#slowestMs = ms
      const isRight = this.#dialect.isRight(task, status, bytes, from, to, headAt)
      if (!isRight) {
        this.#wrong++
        if (this.#samples.length < SAMPLES_MAX)
          this.#samples.push(
            `${JSON.stringify(task)}: ${bytes.toString('latin1', headAt, Math.min(to, headAt + SAMPLE_BYTES))}`,
          )
      }
      this.judged++
      this.#onJudged?.(task, isRight)
    })
    socket.on('data', (chunk: Buffer) => {
      now = performance.now()
      try {
        reader.take(chunk)
      } catch (error) {
        broken(error instanceof Error ? error : new Error(String(error)))
        return
      }
      this.#more(line)
    })
    socket.on('error', broken)
    socket.on('end', () => broken(new Error('the server closed a connection')))
    return line
  }
}

/** One connection and what waits on it. */
class Line {
  readonly socket: Socket
  readonly underWay: { readonly task: Task; readonly dueAt: number }[] = []
  isDone = false
  readonly #bytes: number
  readonly #leastRoom: number
  #buffer: Buffer | null = null
  #used = 0

  constructor(socket: Socket, bytes: number, leastRoom: number) {
    this.socket = socket
    this.#bytes = bytes
    this.#leastRoom = leastRoom
  }

  add(write: (target: Buffer, at: number) => number): void {
    if (this.#buffer !== null && this.#used + this.#leastRoom > this.#bytes) this.flush()
    this.#buffer ??= Buffer.allocUnsafe(this.#bytes)
    this.#used = write(this.#buffer, this.#used)
  }

  flush(): void {
    if (this.#buffer === null || this.#used === 0) return
    this.socket.write(this.#buffer.subarray(0, this.#used))
    this.#buffer = null
    this.#used = 0
  }
}

function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}
