// G6: what is shown together is truly concurrent: none of it was written by somebody who had seen another of it. In an `lww` bucket one
// version is shown; to a client that alone writes a key, carries the union of its contexts and was always told the outcome, one too.

import { formatDot } from '../../core/causality/dot.ts'
import type { ObservedRead } from '../observed.ts'
import type { World } from '../world.ts'
import { describe } from './inclusion.ts'

export function checkSiblings(world: World, read: ObservedRead): void {
  if (read.outcome.type !== 'found' || !world.disksTrusted) return
  const { key } = read
  const { versions } = read.outcome
  if (key.conflict === 'lww' && versions.length > 1) {
    world.violations.add('G6', `${key.name} shows ${versions.length} versions in a bucket where the last writer wins`)
  }
  for (const version of versions) {
    const write = key.writeOf(version)
    if (!write) continue
    for (const other of versions) {
      const attempt = key.writeOf(other)?.attempts.get(formatDot(other.dot))
      if (other !== version && attempt?.seen.has(version.dot)) {
        world.violations.add(
          'G6',
          `${key.name} shows ${describe(write)} beside ${formatDot(other.dot)}, which had seen it`,
        )
      }
      if (other !== version && key.writeOf(other) === write) {
        world.violations.add('G6', `${key.name} shows ${describe(write)} twice`)
      }
    }
  }
}
