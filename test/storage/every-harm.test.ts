// Every single harm to small directories of all kinds: never a wrong value, never silence about what was synced, never another exception;
// and after damage the storage goes on. What is allowed is `harm-judge.ts`, what is done `harms.ts`.

import { afterAll, describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { type Directory, makeDirectory, PLANS, type Plan } from './directories.ts'
import { HarmJudge, type Outcome } from './harm-judge.ts'
import { changedBytes, files, type Harm, isCheckpoint, isLog, pairs, truncations } from './harms.ts'

const PAIRS = 150

const counts: Record<Outcome, number> = { exact: 0, cut: 0, damage: 0, refused: 0 }

async function judgeAll(directory: Directory, harms: Iterable<Harm>, thoroughEach: number): Promise<void> {
  const judge = new HarmJudge(directory)
  const found: string[] = []
  let count = 0
  for (const harm of harms) {
    const { outcome, wrong } = await judge.judge(harm, count++ % thoroughEach === 0)
    if (outcome === 'wrong') found.push(`${harm.what}: ${wrong.slice(0, 3).join(' | ')}`)
    else counts[outcome]++
    if (found.length === 10) break
  }
  expect(found).toEqual([])
}

async function twins(plan: Plan): Promise<[Directory, Directory]> {
  return [await makeDirectory(plan, 1), await makeDirectory(plan, 2)]
}

describe.each(PLANS)('$name', (plan) => {
  test('is what it is called, and opens', async () => {
    const directory = await makeDirectory(plan)
    const names = [...directory.image.keys()]
    expect(names.some(isCheckpoint)).toBe(plan.generations > 0)
    if (plan.segmentBytesMax < 1000) expect(names.filter(isLog).length).toBeGreaterThan(2)
    if (plan.generations > 0) expect([...directory.gone.keys()].filter(isLog).length).toBeGreaterThan(0)
    if (plan.generations > 1 && plan.ranges !== 'restored')
      expect([...directory.gone.keys()].filter(isCheckpoint).length).toBeGreaterThan(0)
    if (plan.ranges) expect(names.filter(isCheckpoint).length).toBeGreaterThan(4)
    const unharmed: Harm = { what: 'nothing', image: directory.image, touched: [], isCut: false }
    expect(await new HarmJudge(directory).judge(unharmed, true)).toEqual({ outcome: 'exact', wrong: [] })
  })

  test('every byte changed', { timeout: 120_000 }, async () => {
    const directory = await makeDirectory(plan)
    await judgeAll(directory, changedBytes(directory), 12)
  })

  test('every file cut anywhere', { timeout: 120_000 }, async () => {
    const directory = await makeDirectory(plan)
    await judgeAll(directory, truncations(directory), 12)
  })

  test('files lost, swapped, copied, set back, brought back, foreign, added to', { timeout: 120_000 }, async () => {
    const [directory, other] = await twins(plan)
    await judgeAll(directory, files(directory, other), 1)
  })

  test('two of all that at once', { timeout: 120_000 }, async () => {
    const directory = await makeDirectory(plan)
    await judgeAll(directory, pairs(directory, new SeededRandom(`pairs of ${plan.name}`), PAIRS), 1)
  })
})

test('are many thousands', async () => {
  let count = 0
  for (const plan of PLANS) {
    const [directory, other] = await twins(plan)
    for (const harms of [changedBytes(directory), truncations(directory), files(directory, other)])
      for (const _ of harms) count++
  }
  expect(count).toBeGreaterThan(10_000)
})

afterAll(() => {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0)
  process.stdout.write(`${all} harms: ${JSON.stringify(counts)}\n`)
})
