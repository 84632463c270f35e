// SIGKILL of nodes under writers of all kinds, with an audit log.

import { test } from 'vitest'
import { kill } from '../../scripts/torture/stories/kill.ts'
import { atLeast, shortStory, STORY_WITHIN_MS } from './short-story.ts'

test(
  'nodes that are killed lose nothing that was acknowledged, and bring nothing back',
  { timeout: STORY_WITHIN_MS },
  async () => {
    const verdict = await shortStory(kill, 8)
    atLeast(verdict, {
      kills: 2,
      'acknowledged writes': 50,
      'strict reads': 50,
      'chain reads': 5,
      'keys compared through each node': 5,
    })
  },
)
