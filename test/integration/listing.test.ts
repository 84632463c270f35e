// Listing a bucket that \`quorate import\` has loaded, through faults.

import { test } from 'vitest'
import { listing } from '../../scripts/torture/stories/listing.ts'
import { atLeast, shortStory, STORY_WITHIN_MS } from './short-story.ts'

test(
  'a listing shows each key once, or stops where too few homes are complete and goes on later',
  { timeout: STORY_WITHIN_MS },
  async () => {
    const verdict = await shortStory(listing, 1)
    atLeast(verdict, { 'other keys written meanwhile': 50 })
  },
)
