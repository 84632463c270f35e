// G3: a dot names one (key, value) for ever, whatever disks were wiped, restored or copied. One map for the whole simulated world.

import { formatDot } from '../../core/causality/dot.ts'
import type { Version } from '../../core/causality/version.ts'
import { hash64, hexOf } from '../../core/hash64.ts'
import type { KeyHistory } from '../history.ts'
import type { Violations } from '../violation.ts'

export class DotsUnique {
  readonly #violations: Violations
  readonly #named = new Map<string, string>()

  constructor(violations: Violations) {
    this.#violations = violations
  }

  note(key: KeyHistory, version: Version): void {
    // Counters are counted for each (partition, n).
    const dot = `${key.partition} ${formatDot(version.dot)}`
    const bytes = version.content?.bytes
    const value = bytes
      ? hexOf(hash64(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')))
      : 'deletion'
    const named = `${key.name} ${value}`
    const known = this.#named.get(dot)
    if (known === undefined) this.#named.set(dot, named)
    else if (known !== named) this.#violations.add('G3', `dot ${dot} names ${known} and ${named}`)
  }
}
