// A wiped directory, calm and under load.

import { test } from 'vitest'
import { wipe } from '../../scripts/torture/stories/wipe.ts'
import { atLeast, shortStory, STORY_WITHIN_MS } from './short-story.ts'

test(
  'a wiped node is filled while strict reads stay right, at little more than what differs',
  { timeout: STORY_WITHIN_MS },
  async () => {
    const verdict = await shortStory(wipe, 4)
    atLeast(verdict, {
      'reads while an empty home could have made a quorum': 5,
      'strict reads': 100,
      'reads through node-4': 1,
      'acknowledged writes': 400,
    })
  },
)
