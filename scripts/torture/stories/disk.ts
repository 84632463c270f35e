// Disks that are full, that fail and that are slow. Full and slow ones stand under a cluster, whose other nodes must go on for it; failing
// ones under a node alone, since what that acknowledged wrongly nobody else can give back. Decides only what is done where.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { whyNoInjection } from '../injection.ts'
import { whyNoSmallDisk } from '../small-disk.ts'
import { type StoryOptions, Verdict } from '../verdict.ts'
import { failingSyncs } from './failing-syncs.ts'
import { fullDisks } from './full-disks.ts'
import { slowDisks } from './slow-disks.ts'

export async function disk(options: StoryOptions): Promise<Verdict> {
  const verdict = new Verdict()
  const folder = mkdtempSync(join(tmpdir(), 'quorate-disk-'))
  try {
    const whyNotFull = whyNoSmallDisk(folder)
    if (whyNotFull === null) await fullDisks(options, verdict, folder)
    else verdict.skip('full disks', whyNotFull)
    const whyNotFailing = await whyNoInjection(join(folder, 'probe.log'))
    if (whyNotFailing === null) {
      await failingSyncs(options, verdict, folder)
      await slowDisks(options, verdict, folder)
    } else verdict.skip('failing and slow disks', whyNotFailing)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return verdict
}
