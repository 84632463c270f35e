// Runs a torture story in its short form. What a story checks, and how, is its own business; here nothing may be violated.

import { randomInt } from 'node:crypto'
import { expect } from 'vitest'
import type { Story, Verdict } from '../../scripts/torture/verdict.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'

/** For a whole story on a small and busy machine; each of its waits has a shorter limit of its own. */
export const STORY_WITHIN_MS = 180_000

export async function shortStory(story: Story, seconds: number, cycles: number = 0): Promise<Verdict> {
  const seed = Number(process.env['TORTURE_SEED'] ?? randomInt(2 ** 31))
  const replay = `its choices again: npm run torture -- ${story.name} --short --seed ${seed}`
  const options = { seconds, cycles, short: true, random: new SeededRandom(seed).fork(story.name), say: () => {} }
  const verdict = await story(options).catch((error: unknown) => {
    throw new Error(`${story.name} broke off; ${replay}`, { cause: error })
  })
  expect(verdict.violations, replay).toEqual([])
  expect(verdict.violated, replay).toBe(0)
  return verdict
}

/** That it really did what it is about. */
export function atLeast(verdict: Verdict, least: Readonly<Record<string, number>>): void {
  for (const [figure, count] of Object.entries(least)) {
    expect(
      Number(verdict.figures[figure] ?? 0),
      `${figure}: ${JSON.stringify(verdict.figures)}`,
    ).toBeGreaterThanOrEqual(count)
  }
}
