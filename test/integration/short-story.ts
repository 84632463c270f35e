// Runs a torture story in its short form. What a story checks, and how, is its own business; here nothing may be violated.

import { expect } from 'vitest'
import type { Story, Verdict } from '../../scripts/torture/verdict.ts'

/** For a whole story on a small and busy machine; each of its waits has a shorter limit of its own. */
export const STORY_WITHIN_MS = 180_000

export async function shortStory(story: Story, seconds: number): Promise<Verdict> {
  const verdict = await story({ seconds, short: true, say: () => {} })
  expect(verdict.violations).toEqual([])
  expect(verdict.violated).toBe(0)
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
