// `npm run simulate -- --seed N --shrink`: tells the shortest story that could be found in which the seed's guarantee still fails, and with
// `--html FILE` draws it, or the whole seed. Decides what of a run is worth a line.

import { writeFileSync } from 'node:fs'
import { drawPicture, type HistoryEvent } from '../src/simulator/picture.ts'
import { planOf, type SeedPlan } from '../src/simulator/seed-plan.ts'
import { type RunOptions, runSeed, type SeedResult } from '../src/simulator/run.ts'
import { type Ending, Shrinker, type Story } from '../src/simulator/shrink.ts'
import { Wiretap } from '../src/simulator/wiretap.ts'
import type { Doings, World } from '../src/simulator/world.ts'

/** Of a line. */
const WIDTH = 160

export interface ShrinkTerms {
  /** Null: the first that is violated. */
  readonly guarantee: string | null
  readonly triesMax: number
  /** A file for the picture, or null. */
  readonly html: string | null
}

/** Resolves with the exit status: 1, since something was violated; 0 where nothing was. */
export async function shrinkSeed(seed: number, { guarantee, triesMax, html }: ShrinkTerms): Promise<number> {
  const plan = planOf(seed)
  const whole = await runSeed(seed, { plan })
  const first = whole.violations.find((violation) => guarantee === null || violation.guarantee === guarantee)
  if (!first) {
    process.stdout.write(`seed ${seed}: ${guarantee === null ? 'no violation' : `${guarantee} is not violated`}\n`)
    return 0
  }
  const name = first.guarantee
  process.stdout.write(`seed ${seed}: ${name} violated at ${first.at.toFixed(1)} ms: ${first.what}\n`)
  const story: Story = { plan, leftOut: { faults: new Set(), operations: new Set() }, activeUntilMs: whole.activeMs }
  const ending = await endingOf(story, name)
  if (ending.violation === null) {
    process.stdout.write('it does not happen when the run is cut at the same time: not shrunk\n')
    return 1
  }
  const shrinker = new Shrinker(story, ending, {
    tell: (shorter) => endingOf(shorter, name),
    triesMax,
    onProgress: (tries, { faults, operations }) => {
      if (!process.stderr.isTTY) return
      process.stderr.write(`\r\x1b[K${tries} stories told; ${faults.size} faults, ${operations.size} operations left `)
    },
  })
  const shortest = await shrinker.shrink()
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  const { plan: left, leftOut, activeUntilMs } = shortest
  const told = await tell(seed, { plan: left, leftOut, activeUntilMs, stopAt: name })
  const { faults, operations } = told.done
  const violation = told.result.violations.find((one) => one.guarantee === name)
  const summary = [
    `after ${shrinker.tries} stories: ${left.nodes} nodes, ${left.partitions} partitions, ${faults.size} faults, ${operations.size} operations`,
    ...settingsOf(left),
  ]
  const end = `${violation?.guarantee ?? 'nothing'}: ${violation?.what ?? ''}`
  process.stdout.write(`${[...summary, '', ...told.events.map(lineOf), '', end].join('\n')}\n`)
  if (html !== null) draw(html, `Seed ${seed}: ${end}`, summary, left, told)
  return 1
}

/** The whole seed. Resolves with the exit status. */
export async function drawSeed(seed: number, html: string): Promise<number> {
  const plan = planOf(seed)
  const told = await tell(seed, { plan })
  const { violations, hash } = told.result
  const found = violations.map(({ guarantee, at, what }) => `${guarantee} violated at ${at.toFixed(1)} ms: ${what}`)
  process.stdout.write(`seed ${seed}: ${hash}\n${found.length === 0 ? 'no violation' : found.join('\n')}\n`)
  draw(html, `Seed ${seed}`, [...settingsOf(plan), ...found], plan, told)
  return found.length > 0 ? 1 : 0
}

interface Told {
  readonly result: SeedResult
  readonly done: Doings
  readonly events: readonly HistoryEvent[]
  readonly wiretap: Wiretap
}

async function tell(seed: number, options: RunOptions): Promise<Told> {
  const events: HistoryEvent[] = []
  const wiretap = new Wiretap()
  const worlds: World[] = []
  const result = await runSeed(seed, {
    ...options,
    onEvent: (at, text) => {
      if (isTold(text)) events.push({ at, text })
    },
    onWorld: (world) => {
      world.cluster.network.onDelivered = (delivery) => wiretap.hear(delivery)
      worlds.push(world)
    },
  })
  return { result, done: (worlds[0] as World).begun, events, wiretap }
}

async function endingOf({ plan, leftOut, activeUntilMs }: Story, guarantee: string): Promise<Ending> {
  const worlds: World[] = []
  const onWorld = (world: World): void => void worlds.push(world)
  const result = await runSeed(plan.seed, { plan, leftOut, activeUntilMs, stopAt: guarantee, onWorld })
  const violation = result.violations.find((one) => one.guarantee === guarantee) ?? null
  return { violation, done: (worlds[0] as World).begun }
}

function settingsOf({ buckets }: SeedPlan): string[] {
  return buckets.map(
    ({ name, settings: { n, r, w, conflict, durability } }) =>
      `bucket ${name}: n=${n} r=${r} w=${w} ${conflict} ${durability}`,
  )
}

/** What clients asked and got, faults, and what was found; nodes' own words where they warn. */
function isTold(event: string): boolean {
  return /^(c\d+ |fault |VIOLATION|everything |enlarge )|^\S+ (warn|error) |^net (cut|heal|crash)/.test(event)
}

function lineOf({ at, text }: HistoryEvent): string {
  const line = `${at.toFixed(1).padStart(9)} ${text}`
  return line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line
}

function draw(file: string, title: string, summary: readonly string[], plan: SeedPlan, told: Told): void {
  const nodes = Array.from({ length: plan.nodes }, (_, number) => `node-${number}`)
  writeFileSync(file, drawPicture({ title, summary, nodes, events: told.events, messages: told.wiretap.messages }))
  process.stdout.write(`drawn: ${file}\n`)
}
