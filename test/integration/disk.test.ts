// Disks that are full, that fail and that are slow, once of each kind. Needs to mount a tmpfs, and strace; what cannot be done is skipped,
// with the reason.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { whyNoInjection } from '../../scripts/torture/injection.ts'
import { whyNoSmallDisk } from '../../scripts/torture/small-disk.ts'
import { failingSyncs } from '../../scripts/torture/stories/failing-syncs.ts'
import { fullDisks } from '../../scripts/torture/stories/full-disks.ts'
import { type Story, Verdict } from '../../scripts/torture/verdict.ts'
import { atLeast, shortStory, STORY_WITHIN_MS } from './short-story.ts'

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-disk-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The part of the story that this is about. */
function disk(part: typeof fullDisks): Story {
  return async function disk(options) {
    const verdict = new Verdict()
    await withFolder((folder) => part(options, verdict, folder))
    return verdict
  }
}

test(
  'a full disk costs no write that others can take, and nothing acknowledged',
  { timeout: STORY_WITHIN_MS },
  async (ctx) => {
    const why = await withFolder(async (folder) => whyNoSmallDisk(folder))
    if (why !== null) ctx.skip(why)
    const verdict = await shortStory(disk(fullDisks), 0, 1)
    atLeast(verdict, { 'reads through full nodes': 1, 'nodes that took writes again': 1, 'acknowledged writes': 50 })
  },
)

test(
  'a node whose disk fails ends, and all that it acknowledged is there',
  { timeout: STORY_WITHIN_MS },
  async (ctx) => {
    const why = await withFolder((folder) => whyNoInjection(join(folder, 'probe.log')))
    if (why !== null) ctx.skip(why)
    const verdict = await shortStory(disk(failingSyncs), 0, 3)
    atLeast(verdict, {
      'nodes that ended because their disk failed': 1,
      'failed system calls': 3,
      'acknowledged writes': 150,
    })
  },
)
