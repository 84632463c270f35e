// The freshness checker against the slow one, on thousands of small histories: overlapping operations, unknown outcomes, deletions,
// lifetimes, answers that are right and answers that forget. Both must find the same in each of them.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { expirySlackMs } from '../../../src/simulator/checkers/expiry.ts'
import { checkFreshness, joinStrictWrite } from '../../../src/simulator/checkers/freshness.ts'
import type { ObservedRead } from '../../../src/simulator/observed.ts'
import { freshnessOf, type Operation, type Verdict } from './exhaustive-freshness.ts'
import { type Begun, begin, type Guarantee, readOf, writeOf } from './outcomes.ts'
import { Scene, seenOf, type Told, type WriteTold } from './scene.ts'

interface WriteStep {
  readonly do: 'put' | 'delete'
  readonly fate: NonNullable<WriteTold['fate']>
  readonly guarantee: Guarantee
  /** Which earlier writes its client had seen, as bits. */
  readonly on: number
  readonly barely: boolean
  /** It breaks off before anything left its coordinator. */
  readonly unsent: boolean
  readonly ttlMs: number | undefined
  readonly from: number
  readonly forMs: number
}

interface ReadStep {
  readonly do: 'read'
  readonly guarantee: Guarantee
  /** Which writes it has come across, as bits. */
  readonly knows: number
  /** And all that strict operations knew which had ended when it began. */
  readonly honest: boolean
  /** Its context names only what it shows. */
  readonly tacit: boolean
  /** What its client's own context had seen, as bits; null: it gave none. */
  readonly including: number | null
  readonly from: number
  readonly forMs: number
}

type Step = WriteStep | ReadStep

const bits = fc.nat(63)
const guarantee = fc.constantFrom<Guarantee>('strict', 'strict', 'strict', 'strict', 'eventual', 'sloppy')
/** Some time after the one told before it began, or somewhat before that. */
const when = { from: fc.nat(1200), forMs: fc.nat(700) }
const EVERY_MS = 500

const writeStep: fc.Arbitrary<WriteStep> = fc.record({
  do: fc.constantFrom('put', 'put', 'put', 'delete'),
  fate: fc.constantFrom('acknowledged', 'acknowledged', 'acknowledged', 'unknown', 'void', 'pending'),
  guarantee,
  on: bits,
  barely: fc.nat(3).map((n) => n === 0),
  unsent: fc.nat(9).map((n) => n === 0),
  ttlMs: fc.constantFrom(undefined, undefined, undefined, 1200, 2400),
  ...when,
})

const readStep: fc.Arbitrary<ReadStep> = fc.record({
  do: fc.constant('read'),
  guarantee,
  knows: bits,
  honest: fc.constantFrom(true, false, false),
  tacit: fc.boolean(),
  including: fc.option(bits, { freq: 4 }),
  ...when,
})

type Compare = (observed: ObservedRead, fast: Verdict, slow: Verdict) => void

/** One history of one key: beginnings and ends in the order of time, each read judged as it ends. */
class Play {
  readonly #scene: Scene
  readonly #compare: Compare
  readonly #told: Told[] = []
  readonly #operations: Operation[] = []
  readonly #coming: { readonly at: number; readonly run: () => void }[] = []

  constructor(scene: Scene, compare: Compare) {
    this.#scene = scene
    this.#compare = compare
  }

  run(steps: readonly Step[]): void {
    for (const [i, given] of steps.entries()) {
      const step = { ...given, from: given.from + i * EVERY_MS }
      this.#at(step.from, () => (step.do === 'read' ? this.#read(step) : this.#write({ ...step, do: step.do })))
    }
    for (let next = this.#next(); next; next = this.#next()) next()
  }

  #at(at: number, run: () => void): void {
    this.#coming.push({ at, run })
  }

  /** The first that was said for the earliest time. */
  #next(): (() => void) | undefined {
    const at = Math.min(...this.#coming.map((one) => one.at))
    const index = this.#coming.findIndex((one) => one.at === at)
    return this.#coming.splice(index, 1)[0]?.run
  }

  #pick(mask: number): Told[] {
    return this.#told.filter((_, i) => (mask >> i) % 2 === 1)
  }

  #write(step: WriteStep): void {
    const { do: kind, fate, from: startedAt, ttlMs } = step
    const scene = this.#scene
    const endedAt = startedAt + step.forMs + 0.5
    const write = scene.write(`w${this.#told.length}`, {
      ...{ kind, fate: 'pending', startedAt, on: this.#pick(step.on), barely: step.barely },
      unsent: step.unsent && fate !== 'acknowledged',
      ...(ttlMs !== undefined && kind === 'put' && { ttlMs }),
    })
    this.#told.push(write)
    this.#at(endedAt, () => {
      write.write.fate = fate
      if (fate !== 'acknowledged') return
      const told = { guarantee: step.guarantee, startedAt, endedAt, deleted: kind === 'delete' }
      const observed = writeOf(scene, write, told)
      scene.key.noteAcknowledged(write.write, write.version.dot, endedAt, 2)
      joinStrictWrite(observed)
      this.#operations.push({ type: 'write', observed })
    })
  }

  #read(step: ReadStep): void {
    const begun = begin(this.#scene, step.from)
    this.#at(step.from + step.forMs + 0.5, () => this.#answer(step, begun))
  }

  #answer(step: ReadStep, begun: Begun): void {
    const scene = this.#scene
    const owed = step.honest ? this.#told.filter(({ version }) => begun.strictAtStart.has(version.dot)) : []
    const known = [...new Set([...this.#pick(step.knows), ...owed])].filter(({ write }) => write.attempts.size > 0)
    const shows = maximaOf(known).filter(({ version }) => version.content !== null)
    const seen = seenOf(...(step.tacit ? shows : known))
    const including = step.including === null ? null : seenOf(...this.#pick(step.including))
    const observed = readOf(scene, {
      ...{ shows, begun, endedAt: step.from + step.forMs + 0.5, guarantee: step.guarantee },
      ...(including ? { including, seen: seen.union(including) } : { seen }),
    })
    const before = scene.found.length
    checkFreshness(scene.world, observed)
    const found = scene.found.slice(before)
    const fast = {
      missing: found
        .filter((one) => one.guarantee === 'G9')
        .map(({ what }) => / misses \w+ (\S+)/.exec(what)?.[1] ?? ''),
      risen: found.filter((one) => one.guarantee === 'G4').map(({ what }) => / shows \w+ (\S+)/.exec(what)?.[1] ?? ''),
    }
    const slow = freshnessOf(scene.key, observed, this.#operations, expirySlackMs(scene.world))
    this.#compare(observed, { missing: fast.missing.sort(), risen: fast.risen.sort() }, slow)
    this.#operations.push({ type: 'read', observed })
  }
}

/** What is superseded by another of them is not shown. */
function maximaOf(told: readonly Told[]): Told[] {
  return told.filter((one) => !told.some((other) => other !== one && other.seen.has(one.version.dot)))
}

const HISTORIES = 4000

test('the checker finds what the definition says, and nothing else', { timeout: 120_000 }, async () => {
  let [judged, good, stale, risen] = [0, 0, 0, 0]
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(writeStep, readStep), { minLength: 4, maxLength: 8, size: 'max' }),
      async (steps) => {
        let isJudged = false
        let isGood = true
        const play = new Play(await Scene.open({ nodes: 1 }), (observed, fast, slow) => {
          const isStrict = observed.outcome.receipt.guarantee === 'strict'
          expect(fast).toEqual(isStrict ? slow : { missing: [], risen: [] })
          if (!isStrict || observed.strictAtStart.isEmpty) return
          isJudged = true
          isGood &&= slow.missing.length + slow.risen.length === 0
          if (slow.missing.length > 0) stale++
          if (slow.risen.length > 0) risen++
        })
        play.run(steps)
        if (!isJudged) return
        judged++
        if (isGood) good++
      },
    ),
    { numRuns: HISTORIES },
  )
  // Of histories in which something is to be judged many are good and many are not: else agreement would say little.
  expect(judged).toBeGreaterThan(HISTORIES / 4)
  expect(good / judged).toBeGreaterThan(0.2)
  expect((judged - good) / judged).toBeGreaterThan(0.2)
  expect(stale).toBeGreaterThan(judged / 10)
  expect(risen).toBeGreaterThan(judged / 50)
})
