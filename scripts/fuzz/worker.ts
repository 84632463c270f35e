// One thread that fuzzes one target. Tells its parent in shared memory which execution it is at, so that one that never ends, or takes
// the thread with it, is known; and at the end what it found.

import { Session } from 'node:inspector/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { corpusOf } from './corpus.ts'
import type { Target } from './door.ts'
import { fuzz, type Tally } from './engine.ts'
import { TARGETS } from './targets.ts'

export interface Work {
  readonly target: Target['name']
  readonly seed: number
  readonly executions: number
  readonly seconds: number
  readonly coverage: boolean
  /** How many executions were begun, the length of the present one's door and bytes, then both. */
  readonly shared: SharedArrayBuffer
}

export const SHARED_HEAD_BYTES = 12
export const SHARED_BYTES: number = 1 << 18

export interface WorkDone {
  readonly tally: Tally
  /** Lines reached, of all that can be, by file. */
  readonly coverage: readonly { readonly file: string; readonly reached: number; readonly lines: number }[]
}

if (parentPort !== null) parentPort.postMessage(await work(workerData as Work))

async function work({ target: name, seed, executions, seconds, coverage, shared }: Work): Promise<WorkDone> {
  const head = new Int32Array(shared, 0, SHARED_HEAD_BYTES / 4)
  const place = Buffer.from(shared, SHARED_HEAD_BYTES)
  const target = TARGETS[name]
  const session = coverage ? await startCoverage() : null
  const tally = await fuzz({
    target,
    seed,
    executions,
    seconds,
    corpus: corpusOf(name),
    before: (door, bytes) => {
      const length = place.write(door, 0, 'latin1')
      head[1] = length
      head[2] = Math.min(bytes.length, place.length - length)
      bytes.copy(place, length)
      Atomics.add(head, 0, 1)
    },
  })
  return { tally, coverage: session === null ? [] : await coverageOf(session, target.sources) }
}

async function startCoverage(): Promise<Session> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  return session
}

/** Type annotations are blanks at run time, so places are those of the source. */
async function coverageOf(session: Session, sources: readonly string[]): Promise<WorkDone['coverage']> {
  const { readFileSync } = await import('node:fs')
  const { fileURLToPath } = await import('node:url')
  const { result } = await session.post('Profiler.takePreciseCoverage')
  return sources.flatMap((file) => {
    const script = result.find(({ url }) => url.endsWith(file))
    if (script === undefined) return [{ file, reached: 0, lines: 0 }]
    const text = readFileSync(fileURLToPath(script.url), 'utf8')
    const counts = new Int32Array(text.length).fill(-1)
    // Outer ranges come before inner ones.
    const ranges = script.functions.flatMap((one) => one.ranges)
    for (const { startOffset, endOffset, count } of ranges.sort(
      (a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset,
    ))
      counts.fill(count, startOffset, endOffset)
    let reached = 0
    let lines = 0
    let at = 0
    for (const line of text.split('\n')) {
      const code = line.trim()
      const isCode =
        /[;(){}=]|return|throw/.test(code) && !/^(?:\/\/|\*|\/\*|import|export (?:interface|type)|\})/.test(code)
      if (isCode) {
        lines++
        if (counts.subarray(at, at + line.length).some((count, i) => count > 0 && (line[i] ?? ' ') !== ' ')) reached++
      }
      at += line.length + 1
    }
    return [{ file, reached, lines }]
  })
}
