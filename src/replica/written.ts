// What a home says of a view that it has merged. Pure. Invariant: it never names what was superseded here to somebody who was not shown it.

import { areTwins, liveOf, sameDeadTags, uniteDeadTags } from '../core/causality/attempts.ts'
import { type Dot, sameDot } from '../core/causality/dot.ts'
import type { DotSet } from '../core/causality/dot-set.ts'
import { contextOf, type KeyRecord, type Merged } from '../core/causality/record.ts'
import type { Version } from '../core/causality/version.ts'
import type { View } from '../core/causality/view.ts'

export interface Written {
  readonly type: 'written'
  /** False: all of it was known before. */
  readonly stored: boolean
  readonly durable: boolean
  readonly heldLive: boolean
  readonly siblings: number
  /** Only where it was asked for, and this complete replica now holds exactly the view's one version. */
  readonly context: DotSet | null
  /** Dots of the view that this replica has dropped as superseded. */
  readonly refused: readonly Dot[]
  readonly filling: boolean
}

interface Facts {
  readonly before: KeyRecord | undefined
  readonly merged: Merged
  readonly view: View
  /** Before the merge. */
  readonly clock: DotSet
  readonly nowMs: number
  readonly filling: boolean
}

export function writtenOf(
  { before, merged, view, clock, nowMs, filling }: Facts,
  { durable, tellContext }: { readonly durable: boolean; readonly tellContext: boolean },
): Written {
  const { record } = merged
  const versions = record?.versions ?? NO_VERSIONS
  const only = versions.length === 1 && view.versions.length === 1 && merged.refused.length === 0
  // Nor where it would name what was superseded without the tags that died with it.
  const tells = tellContext && only && !filling && record && !hasOtherDeadTags(record, view)
  return {
    type: 'written',
    stored: merged.stored,
    durable,
    heldLive: before !== undefined && holdsLiveBeside(before, view, nowMs),
    siblings: liveOf(versions, nowMs).length,
    context: tells ? contextOf(record, clock) : null,
    refused: merged.refused,
    filling,
  }
}

const NO_VERSIONS: readonly Version[] = []

function hasOtherDeadTags({ deadTags }: KeyRecord, view: View): boolean {
  return deadTags.length > 0 && !sameDeadTags(uniteDeadTags(view.deadTags, deadTags), view.deadTags)
}

/** Whether a client would have seen something here that is neither this write nor another attempt of it. */
function holdsLiveBeside(before: KeyRecord, view: View, nowMs: number): boolean {
  for (const version of liveOf(before.versions, nowMs)) {
    if (!view.versions.some((other) => sameDot(version.dot, other.dot) || areTwins(version, other))) return true
  }
  return false
}
