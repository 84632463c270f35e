// Ends and beginnings: drain, newcomers, all nodes killed at once.

import { test } from 'vitest'
import { restart } from '../../scripts/torture/stories/restart.ts'
import { atLeast, shortStory, STORY_WITHIN_MS } from './short-story.ts'

test('nodes drain in time, turn newcomers away, and find everything again', { timeout: STORY_WITHIN_MS }, async () => {
  const verdict = await shortStory(restart, 1)
  atLeast(verdict, { 'times that all five were killed': 1, 'acknowledged writes': 20 })
})
