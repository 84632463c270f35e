// Packets between nodes are lost: one node alone, one way, flapping. Needs network namespaces; skipped, with the reason, where there are none.

import { test } from 'vitest'
import { whyNoNamespaces } from '../../scripts/torture/namespaces.ts'
import { partition } from '../../scripts/torture/stories/partition.ts'
import { atLeast, shortStory, STORY_WITHIN_MS } from './short-story.ts'

test(
  'clients go on writing while packets between nodes are lost, and nothing is lost after',
  { timeout: STORY_WITHIN_MS },
  async (ctx) => {
    const why = whyNoNamespaces()
    if (why !== null) ctx.skip(why)
    const verdict = await shortStory(partition, 0, 3)
    atLeast(verdict, { 'acknowledged writes': 50, 'strict reads': 50, 'cuts and mends of flapping links': 4 })
  },
)
