// The one question that the entries' format asks of a record's bytes: which dot they are the version of. Knows nothing else of records.

import type { Dot } from '../core/causality/dot.ts'

/** The dot of the only version of a steady record; null: not such a record. */
export function ownDotOf(_record: Uint8Array): Dot | null {
  return null
}
