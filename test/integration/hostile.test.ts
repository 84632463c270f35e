// Hostile input on both ports.

import { test } from 'vitest'
import { hostile } from '../../scripts/torture/stories/hostile.ts'
import { atLeast, shortStory, STORY_WITHIN_MS } from './short-story.ts'

test('every limit is answered clearly, and no node dies of what it is sent', { timeout: STORY_WITHIN_MS }, async () => {
  const verdict = await shortStory(hostile, 1)
  atLeast(verdict, { 'hostile requests': 45, 'hostile peers': 25, 'altered contexts': 60 })
})
