// The coordinator's rounds under every order of answers, refusals, failures, late words and hedges, against a model that only counts: a
// write is met with the W-th slot filled, a read with the R-th complete home, each at that very moment, and lost only when it cannot be.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { formatDot } from '../../src/core/causality/dot.ts'
import { EMPTY_VIEW, mergeViews, type View } from '../../src/core/causality/view.ts'
import { readRound, type ReadRoundResult } from '../../src/coordinator/read-round.ts'
import type { ReadAnswer, WriteAnswer } from '../../src/coordinator/replica-answers.ts'
import type { Replicas } from '../../src/coordinator/replicas.ts'
import { writeRound, type WriteRoundResult } from '../../src/coordinator/write-round.ts'
import { SimulatedProcess } from '../../src/simulator/simulated-process.ts'
import { VirtualTime } from '../../src/simulator/virtual-clock.ts'
import { A, B, version, write } from '../replica/memory-home.ts'

const DEADLINE_MS = 1000
const HEDGE_MS = 100
const NAME = { partition: 3, bucket: 'b', key: 'k' }

/** `silent`: the link gives it up when the deadline is over. */
type Word = 'yes' | 'away' | 'no' | 'failed' | 'unreachable' | 'silent' | 'filling'

interface Script {
  readonly reachable: boolean
  readonly word: Word
  readonly delayMs: number
  /** Which of four versions a read finds there, as bits. */
  readonly holds: number
}

const script: fc.Arbitrary<Script> = fc.record({
  reachable: fc.nat(5).map((n) => n !== 0),
  word: fc.constantFrom('yes', 'yes', 'yes', 'away', 'no', 'failed', 'unreachable', 'silent', 'filling'),
  delayMs: fc.oneof(fc.nat(20), fc.nat(1200)),
  holds: fc.nat(15),
})

const terms = fc
  .record({
    homes: fc.array(script, { minLength: 1, maxLength: 5 }),
    fallbacks: fc.array(script, { maxLength: 3 }),
    required: fc.nat(4),
    sloppy: fc.boolean(),
  })
  .map((given) => ({ ...given, required: 1 + (given.required % given.homes.length) }))

/** `h0` … are homes, `f0` … fallbacks. */
class Members {
  readonly time: VirtualTime = new VirtualTime()
  readonly homes: readonly string[]
  readonly fallbacks: readonly string[]
  readonly #scripts = new Map<string, Script>()

  constructor(homes: readonly Script[], fallbacks: readonly Script[]) {
    this.homes = homes.map((_, i) => `h${i}`)
    this.fallbacks = fallbacks.map((_, i) => `f${i}`)
    for (const [i, one] of homes.entries()) this.#scripts.set(`h${i}`, one)
    for (const [i, one] of fallbacks.entries()) this.#scripts.set(`f${i}`, one)
  }

  of(name: string): Script {
    return this.#scripts.get(name) as Script
  }

  /** When its word comes, from now on. */
  after(name: string): number {
    const { word, delayMs } = this.of(name)
    return word === 'silent' ? DEADLINE_MS + 5 - this.time.now : delayMs
  }
}

interface Heard {
  readonly at: number
  readonly from: string
  readonly hintFor: string | null
  readonly answer: WriteAnswer
}

function writeAnswer(member: string, word: Word): WriteAnswer {
  switch (word) {
    case 'yes':
    case 'filling':
      return member.startsWith('f')
        ? { type: 'hinted', durable: true }
        : {
            ...{ type: 'written', stored: true, durable: true, heldLive: false, siblings: 1, context: null },
            ...{ refused: [], filling: word === 'filling' },
          }
    case 'away':
      return { type: 'refused', reason: 'not-serving' }
    case 'no':
      return { type: 'refused', reason: 'too-many-siblings' }
    case 'unreachable':
      return { type: 'unreachable' }
    default:
      return { type: 'failed' }
  }
}

const slotsOf = (heard: readonly Heard[]): number =>
  new Set(
    heard.flatMap(({ from, hintFor, answer }) =>
      answer.type === 'written' ? [from] : answer.type === 'hinted' ? [hintFor] : [],
    ),
  ).size

test('a write is met with the W-th slot, lost when it cannot be, and every home that missed it gets a hint', async () => {
  const seen = { met: 0, unknown: 0, 'not-applied': 0 }
  await fc.assert(
    fc.asyncProperty(terms, async ({ homes, fallbacks, required, sloppy }) => {
      const members = new Members(homes, fallbacks)
      const { time } = members
      const heard: Heard[] = []
      /** For whom: null is for themselves. */
      const asked = new Map<string, string | null>()
      const kept: string[] = []
      let settled: boolean | null = null
      const replicas: Pick<Replicas, 'write' | 'reachable'> = {
        reachable: (member) => members.of(member).reachable,
        write: (member, _write, hintFor, _deadlineAt, done) => {
          expect(asked.has(member)).toBe(false)
          asked.set(member, hintFor)
          time.after(members.after(member), () => {
            const answer = writeAnswer(member, members.of(member).word)
            heard.push({ at: time.now, from: member, hintFor, answer })
            done(answer)
          })
        },
      }
      let told: { readonly result: WriteRoundResult; readonly at: number } | null = null
      void writeRound(
        {
          replicas: replicas as Replicas,
          clock: new SimulatedProcess(time, 'x').clock,
          keepHint: (_write, target) => void kept.push(target),
        },
        { name: NAME, view: write(version({ life: A, counter: 1 }, 'v')), intent: 'client', durable: true },
        {
          ...{ homes: members.homes, fallbacks: members.fallbacks, required, sloppy },
          ...{ deadlineAt: DEADLINE_MS, hedgeMs: HEDGE_MS, nothingToSend: false },
        },
        null,
        (everywhere) => {
          expect(settled).toBeNull()
          settled = everywhere
        },
      ).then((result) => (told = { result, at: time.now }))
      await time.runFor(3 * DEADLINE_MS)
      const { result, at } = told as unknown as { result: WriteRoundResult; at: number }
      const { verdict } = result
      seen[verdict.state === 'met' ? 'met' : verdict.outcome]++
      const before = heard.filter((one) => one.at < at)
      const upTo = heard.filter((one) => one.at <= at)
      expect(at).toBeLessThanOrEqual(DEADLINE_MS)
      if (verdict.state === 'met') {
        expect(slotsOf(upTo)).toBeGreaterThanOrEqual(required)
        expect(slotsOf(before)).toBeLessThan(required)
      } else {
        expect(slotsOf(before)).toBeLessThan(required)
        // What comes in time from those who were asked would not have been enough either.
        if (!sloppy) expect(slotsOf(heard.filter((one) => one.at < DEADLINE_MS))).toBeLessThan(required)
        const isClean = heard.every(({ answer }) => answer.type === 'refused' || answer.type === 'unreachable')
        const isHeard = heard.every((one) => one.at < DEADLINE_MS)
        if (verdict.outcome === 'not-applied') expect(isClean).toBe(true)
        // With a first refusal it is worth waiting for the last word.
        else expect(isClean && isHeard && before.some(({ answer }) => answer.type === 'refused')).toBe(false)
        // Where a home is away and nobody stands in for it, there was nobody left to ask.
        const isOpen = (home: string): boolean => {
          const standIns = [...asked].filter(([, hintFor]) => hintFor === home).map(([member]) => member)
          return standIns.some((member) => {
            const answer = before.find(({ from }) => from === member)?.answer
            return answer === undefined || answer.type === 'hinted'
          })
        }
        const isAway = (home: string): boolean => {
          const answer = before.find(({ from }) => from === home)?.answer
          if (answer === undefined) return !members.of(home).reachable
          return answer.type === 'refused' ? answer.reason === 'not-serving' : answer.type !== 'written'
        }
        if (sloppy && members.homes.some((home) => isAway(home) && !isOpen(home)))
          for (const fallback of members.fallbacks)
            expect(asked.has(fallback) || !members.of(fallback).reachable, fallback).toBe(true)
      }
      const written = new Set(heard.filter(({ answer }) => answer.type === 'written').map(({ from }) => from))
      const hinted = new Set(heard.filter(({ answer }) => answer.type === 'hinted').map(({ hintFor }) => hintFor))
      expect(settled).toBe(written.size === homes.length)
      const mayBeHeld = heard.some(({ answer }) => !['refused', 'unreachable'].includes(answer.type))
      for (const home of members.homes) {
        const isCovered = written.has(home) || hinted.has(home) || kept.includes(home)
        if (mayBeHeld) expect(isCovered, home).toBe(true)
        if (written.has(home) || hinted.has(home)) expect(kept).not.toContain(home)
      }
    }),
    { numRuns: 3000 },
  )
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(50)
})

const VERSIONS = [
  { life: A, counter: 1 },
  { life: A, counter: 2 },
  { life: B, counter: 1 },
  { life: B, counter: 7 },
].map((dot) => write(version(dot, formatDot(dot))))

function viewOf(holds: number): View | null {
  const views = VERSIONS.filter((_, i) => (holds >> i) % 2 === 1)
  return views.length === 0 ? null : views.reduce((a, b) => mergeViews(a, b, 'siblings'))
}

function readAnswer({ word, holds }: Script): ReadAnswer {
  switch (word) {
    case 'yes':
    case 'filling': {
      const common = { same: false, missing: DotSet.empty(), time: 1 }
      return { type: 'answered', view: viewOf(holds), filling: word === 'filling', ...common }
    }
    case 'away':
    case 'no':
      return { type: 'refused', reason: 'not-serving' }
    case 'unreachable':
      return { type: 'unreachable' }
    default:
      return { type: 'failed' }
  }
}

test('a read is met with the R-th complete home, and shows what these know, all of it and nothing else', async () => {
  const seen = { met: 0, lost: 0, late: 0 }
  await fc.assert(
    fc.asyncProperty(terms, fc.boolean(), async ({ homes, required }, askAll) => {
      const members = new Members(homes, [])
      const { time } = members
      const complete: { readonly at: number; readonly from: string; readonly view: View | null }[] = []
      const asked: string[] = []
      const late: string[] = []
      const replicas: Pick<Replicas, 'read' | 'reachable'> = {
        reachable: (member) => members.of(member).reachable,
        read: (member, _question, _deadlineAt, done) => {
          expect(asked).not.toContain(member)
          asked.push(member)
          time.after(members.after(member), () => {
            const answer = readAnswer(members.of(member))
            if (answer.type === 'answered' && !answer.filling)
              complete.push({ at: time.now, from: member, view: answer.view })
            done(answer)
          })
        },
      }
      let told: { readonly result: ReadRoundResult; readonly at: number } | null = null
      void readRound(
        { replicas: replicas as Replicas, clock: new SimulatedProcess(time, 'x').clock },
        {
          ...{ self: 'x', name: NAME, conflict: 'siblings', homes: members.homes, fallbacks: [], required },
          ...{ sloppy: false, askAll, mustInclude: null, isLive: () => false },
          ...{ deadlineAt: DEADLINE_MS, hedgeMs: HEDGE_MS },
        },
        null,
        (member) => void late.push(member),
      ).then((result) => (told = { result, at: time.now }))
      await time.runFor(3 * DEADLINE_MS)
      const { result, at } = told as unknown as { result: ReadRoundResult; at: number }
      const counted = result.homes.map(({ member }) => member)
      seen[result.verdict.state]++
      if (late.length > 0) seen.late++
      expect(at).toBeLessThanOrEqual(DEADLINE_MS)
      // Whose answer counted had answered, in that order; all others that are complete came late.
      expect(counted).toEqual(complete.slice(0, counted.length).map(({ from }) => from))
      expect(late).toEqual(complete.slice(counted.length).map(({ from }) => from))
      const known = complete.slice(0, counted.length).map(({ view }) => view ?? EMPTY_VIEW)
      const union = known.reduce((a, b) => mergeViews(a, b, 'siblings'), EMPTY_VIEW)
      expect(result.view.versions).toEqual(union.versions)
      if (result.verdict.state === 'met') {
        expect(counted).toHaveLength(required)
        expect(complete[required - 1]?.at).toBe(at)
      } else {
        expect(complete.filter((one) => one.at < DEADLINE_MS).length).toBeLessThan(required)
        const able = members.homes.map((home) => members.of(home)).filter((one) => one.reachable && one.word === 'yes')
        expect(able.filter(({ delayMs }) => HEDGE_MS + delayMs < DEADLINE_MS).length).toBeLessThan(required)
      }
      // No more than needed unless somebody failed, was slow, or it is time to look at all.
      const isSmooth = members.homes.every((home) => {
        const { reachable, word, delayMs } = members.of(home)
        return reachable && word === 'yes' && delayMs < HEDGE_MS
      })
      if (isSmooth) expect(asked).toHaveLength(askAll ? homes.length : required)
    }),
    { numRuns: 3000 },
  )
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(50)
})
