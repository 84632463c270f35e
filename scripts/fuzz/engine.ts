// Feeds the doors of one target and judges every execution: what it throws, its own CPU time, what it allocates, the laws. Knows nothing
// of formats. Invariant: equal seeds and numbers of executions feed equal bytes; what is slow or large once is only said so when it is
// so each of three times, so that neither the collector nor neighbours on the machine count.

import { getHeapStatistics } from 'node:v8'
import fc from 'fast-check'
import { Dice } from './dice.ts'
import { type Door, LawBroken, type Target } from './door.ts'
import { Ink } from './ink.ts'
import { minimised } from './minimise.ts'
import { mutated } from './mutate.ts'

/** One execution may take so much CPU time. */
export const CPU_MS_MAX = 50
/** And allocate so many bytes for each that came, beside what every execution may. An empty array of MessagePack is one byte, and one
 * life of eight bytes a string and its place in three lists. */
export const BYTES_PER_BYTE_MAX = 512
export const BYTES_FREE: number = 160 << 10

export interface Sample {
  readonly door: string
  readonly bytes: Buffer
}

export interface Failure extends Sample {
  /** Two failures with the same are one. */
  readonly signature: string
  readonly detail: string
}

export interface Tally {
  executions: number
  accepted: number
  /** Door and kind of outcome → how often. */
  readonly kinds: Map<string, number>
  readonly failures: Failure[]
  /** Confirmed. */
  worstMs: number
  worstBytes: number
  /** Allocated for each byte that came, beyond what is free. */
  worstRatio: number
  bytesFed: number
  seconds: number
}

export interface EngineOptions {
  readonly target: Target
  readonly seed: number
  readonly executions: number
  readonly seconds: number
  readonly corpus: readonly Sample[]
  /** Spent on making one failure small (default 15 s). */
  readonly minimiseMs?: number
  /** Told of each execution before it begins, so that somebody can say which one never ended. */
  readonly before?: (door: string, bytes: Buffer) => void
}

interface Outcome {
  readonly kind: string
  readonly accepted: boolean
  readonly failure: { readonly signature: string; readonly detail: string } | null
  readonly ms: number
  readonly allocated: number
}

const DRAFTS = 8
const LIES_PER_DRAFT = 12
const MUTATIONS_PER_DRAFT = 30
const POOL_MAX = 2000
/** Larger ones cost as much as hundreds of small ones. */
const POOLED_BYTES_MAX = 8192
const DISTINCT_FAILURES_MAX = 40

export function emptyTally(): Tally {
  return {
    executions: 0,
    accepted: 0,
    kinds: new Map(),
    failures: [],
    worstMs: 0,
    worstBytes: 0,
    worstRatio: 0,
    bytesFed: 0,
    seconds: 0,
  }
}

/** One execution, judged. */
export async function judge(door: Door, bytes: Buffer): Promise<Outcome> {
  const first = await measured(door, bytes)
  let { ms, allocated } = first
  const allowed = allowedBytes(door, bytes)
  if (ms > CPU_MS_MAX / 2 || allocated > allowed) {
    for (let again = 0; again < 3; again++) {
      const next = await measured(door, bytes)
      ms = Math.min(ms, next.ms)
      allocated = Math.min(allocated, next.allocated)
    }
  }
  const { failure } = first
  const spent =
    ms > CPU_MS_MAX
      ? { signature: 'slow', detail: `${ms.toFixed(1)} ms of CPU time for ${bytes.length} bytes` }
      : allocated > allowed
        ? { signature: 'memory', detail: `${allocated} bytes allocated for ${bytes.length} bytes` }
        : null
  return { ...first, ms, allocated, failure: failure ?? spent }
}

function allowedBytes(door: Door, bytes: Buffer): number {
  return BYTES_FREE + (door.reservedBytes ?? 0) + BYTES_PER_BYTE_MAX * bytes.length
}

async function measured(door: Door, bytes: Buffer): Promise<Outcome> {
  // A copy: what is read may be views, and a reader that writes into its input would spoil the pool.
  const input = Buffer.from(bytes)
  let value: unknown
  let error: unknown = null
  let threw = false
  const held = heldBytes()
  const spent = process.threadCpuUsage()
  try {
    value = door.read(input)
    if (value instanceof Promise) value = await value
  } catch (thrown) {
    error = thrown
    threw = true
  }
  const { user, system } = process.threadCpuUsage(spent)
  const ms = (user + system) / 1000
  // Negative where the collector ran.
  const allocated = heldBytes() - held
  const done = { ms, allocated, accepted: !threw }
  if (threw) {
    if (!door.isDeclared(error)) return { ...done, kind: 'undeclared', failure: failureOf(error) }
    return { ...done, kind: `refused: ${shapeOf(error)}`, failure: null }
  }
  try {
    door.check?.(value, input)
  } catch (thrown) {
    return { ...done, kind: 'unlawful', failure: failureOf(thrown) }
  }
  return { ...done, kind: door.kindOf(value), failure: null }
}

function heldBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
  return heap + external
}

function shapeOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replace(/\d+/g, '#').slice(0, 90)
}

function failureOf(error: unknown): { signature: string; detail: string } {
  if (error instanceof LawBroken) return { signature: `law: ${shapeOf(error)}`, detail: error.message }
  if (!(error instanceof Error)) return { signature: 'no error at all', detail: String(error) }
  const place = /\/(src\/[^:]+:\d+)/.exec(error.stack ?? '')?.[1] ?? ''
  return { signature: `${error.name}: ${shapeOf(error)} ${place}`, detail: error.stack ?? error.message }
}

export async function fuzz(options: EngineOptions): Promise<Tally> {
  const { target, seed, executions, seconds, before } = options
  const tally = emptyTally()
  const dice = new Dice(seed)
  const began = performance.now()
  const signatures = new Set<string>()
  const pools = new Map<Door, Buffer[]>()
  const kinds = new Map<Door, Map<string, number>>()
  for (const door of target.doors) {
    const given = options.corpus.filter((sample) => sample.door === door.name).map(({ bytes }) => bytes)
    pools.set(door, [...(await door.samples()), ...given])
    kinds.set(door, new Map())
  }
  const isOver = (): boolean => tally.executions >= executions || performance.now() - began > seconds * 1000

  const execute = async (door: Door, bytes: Buffer): Promise<void> => {
    before?.(door.name, bytes)
    const outcome = await judge(door, bytes)
    tally.executions++
    tally.bytesFed += bytes.length
    if (outcome.accepted) tally.accepted++
    if (outcome.ms > tally.worstMs) {
      tally.worstMs = outcome.ms
      tally.worstBytes = bytes.length
    }
    const beyond = outcome.allocated - BYTES_FREE - (door.reservedBytes ?? 0)
    tally.worstRatio = Math.max(tally.worstRatio, beyond / Math.max(1, bytes.length))
    const known = kinds.get(door) as Map<string, number>
    const times = known.get(outcome.kind) ?? 0
    known.set(outcome.kind, times + 1)
    const pool = pools.get(door) as Buffer[]
    // The first few of each kind: what is rare stays in the pool, where half of all mutations begin.
    if (times < 8 && (bytes.length <= POOLED_BYTES_MAX || dice.chance(0.05))) {
      if (pool.length < POOL_MAX) pool.push(bytes)
      else pool[dice.below(POOL_MAX)] = bytes
    }
    const { failure } = outcome
    if (failure === null || signatures.size >= DISTINCT_FAILURES_MAX) return
    const signature = `${door.name} ${failure.signature}`
    if (signatures.has(signature)) return
    signatures.add(signature)
    const fails = async (smaller: Buffer): Promise<boolean> => {
      before?.(door.name, smaller)
      return (await judge(door, smaller)).failure?.signature === failure.signature
    }
    const smallest = await minimised(bytes, fails, options.minimiseMs)
    const { detail } = (await judge(door, smallest)).failure ?? failure
    tally.failures.push({ door: door.name, bytes: smallest, signature, detail })
  }

  for (const door of target.doors) for (const bytes of pools.get(door)?.slice() ?? []) await execute(door, bytes)
  const weights = target.doors.flatMap((door) => Array.from({ length: Math.round(door.weight * 4) }, () => door))
  while (!isOver()) {
    const door = dice.pick(weights)
    const pool = pools.get(door) as Buffer[]
    const drafts = fc.sample(door.grammar, { numRuns: DRAFTS, seed: dice.next() | 0 })
    for (const draft of drafts) {
      if (isOver()) break
      const { bytes: honest, fields } = Ink.render(draft, [])
      await execute(door, honest)
      for (let left = LIES_PER_DRAFT; left > 0; left--) {
        const lies = Array.from({ length: 1 + (dice.chance(0.3) ? dice.below(3) : 0) }, () => ({
          at: dice.below(fields),
          form: dice.next(),
        }))
        await execute(door, Ink.render(draft, lies).bytes)
      }
      for (let left = MUTATIONS_PER_DRAFT; left > 0; left--) {
        const base = pool.length === 0 || dice.chance(0.5) ? honest : dice.pick(pool)
        const other = pool.length === 0 ? honest : dice.pick(pool)
        const changed = mutated(base, other, dice)
        const isSealed = door.reseal !== undefined && dice.chance(0.8)
        await execute(door, isSealed && door.reseal ? door.reseal(changed, dice) : changed)
      }
    }
  }
  for (const [door, counts] of kinds)
    for (const [kind, times] of counts) tally.kinds.set(`${door.name} | ${kind}`, times)
  tally.seconds = (performance.now() - began) / 1000
  return tally
}
