// G13 and G10 on whatever is shown or stored: a value is, whole, one that somebody wrote to this key, and none that was answered as
// certainly not applied.

import { formatDot } from '../../core/causality/dot.ts'
import type { Version } from '../../core/causality/version.ts'
import type { KeyHistory } from '../history.ts'
import { claimOf } from '../values.ts'
import type { World } from '../world.ts'

export function checkIntact(world: World, key: KeyHistory, version: Version, where: string): void {
  if (version.content === null) return
  const dot = formatDot(version.dot)
  const claim = claimOf(version.content.bytes)
  if (!claim) return world.violations.add('G13', `${where} of ${key.name} gives damaged bytes as ${dot}`)
  if (claim.bucket !== key.bucket || claim.key !== key.key) {
    return world.violations.add(
      'G13',
      `${where} of ${key.name} gives a value of ${claim.bucket}/${claim.key} as ${dot}`,
    )
  }
  const write = key.find(claim.writeId)
  if (!write) return world.violations.add('G13', `${where} of ${key.name} gives ${dot}, which nobody wrote`)
  if (write.fate === 'void') {
    world.violations.add('G10', `${where} of ${key.name} gives ${write.id} (${dot}), which was answered as not applied`)
  }
  if (
    version.content.contentType !== 'text/plain' ||
    version.content.meta.length !== 1 ||
    version.content.meta[0]?.[1] !== claim.writeId
  ) {
    world.violations.add('G13', `${where} of ${key.name} gives ${dot} with another one's content type or metadata`)
  }
}
