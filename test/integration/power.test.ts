// The power of every disk is cut under load.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { whyNoPowerCut } from '../../scripts/torture/power-cut.ts'
import { power } from '../../scripts/torture/stories/power.ts'
import { atLeast, shortStory, STORY_WITHIN_MS } from './short-story.ts'

const folder = mkdtempSync(join(tmpdir(), 'quorate-power-probe-'))
const reason = whyNoPowerCut(folder)
rmSync(folder, { recursive: true, force: true })

const title = 'what was acknowledged survives a power cut of all disks'
test.skipIf(reason !== null)(
  reason === null ? title : `${title} (skipped: ${reason})`,
  { timeout: STORY_WITHIN_MS },
  async () => {
    const verdict = await shortStory(power, 0, 1)
    atLeast(verdict, { 'power cuts of all five': 1, 'acknowledged writes': 60 })
  },
)
