// Nodes are stopped for a while and go on as if nothing had been.

import { test } from 'vitest'
import { pause } from '../../scripts/torture/stories/pause.ts'
import { atLeast, shortStory, STORY_WITHIN_MS } from './short-story.ts'

test(
  'paused nodes that awake acknowledge nothing wrongly and lose nothing',
  { timeout: STORY_WITHIN_MS },
  async (ctx) => {
    if (process.platform === 'win32') ctx.skip('this needs signals that stop a process')
    const verdict = await shortStory(pause, 0, 4)
    atLeast(verdict, { pauses: 4, 'acknowledged writes': 50, 'strict reads': 50 })
  },
)
