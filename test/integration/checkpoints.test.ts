// SIGKILL of a single node while it writes checkpoints, with an audit log.

import { test } from 'vitest'
import { checkpoints } from '../../scripts/torture/stories/checkpoints.ts'
import { atLeast, shortStory, STORY_WITHIN_MS } from './short-story.ts'

test(
  'a node that is killed while it writes a checkpoint has everything that it acknowledged',
  { timeout: STORY_WITHIN_MS },
  async () => {
    const verdict = await shortStory(checkpoints, 8)
    atLeast(verdict, { kills: 4, 'acknowledged writes': 50, 'keys compared through each node': 5 })
  },
)
