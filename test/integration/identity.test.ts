// Directories that were wiped, copied and put back from an old copy.

import { test } from 'vitest'
import { identity } from '../../scripts/torture/stories/identity.ts'
import { atLeast, shortStory, STORY_WITHIN_MS } from './short-story.ts'

test(
  'a directory that was wiped, copied or put back loses nothing that was acknowledged',
  { timeout: STORY_WITHIN_MS },
  async () => {
    const verdict = await shortStory(identity, 0, 1)
    atLeast(verdict, { 'acknowledged writes': 300, 'strict reads': 50, 'chain reads': 10 })
  },
)
