// One Idempotency-Key through five nodes, across a partition.

import { test } from 'vitest'
import { idempotency } from '../../scripts/torture/stories/idempotency.ts'
import { atLeast, shortStory, STORY_WITHIN_MS } from './short-story.ts'

test(
  'an idempotent write is one write, across a partition and after an overwrite',
  { timeout: STORY_WITHIN_MS },
  async () => {
    const verdict = await shortStory(idempotency, 1)
    atLeast(verdict, { rounds: 1, overwritten: 12, 'attempts acknowledged': 24 })
  },
)
