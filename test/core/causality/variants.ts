// The naive rules that look right and are not, one function each. Scenarios show what each does; the random model must notice them all.
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { contextOf, mergeIntoRecord } from '../../../src/core/causality/record.ts'
import { RULES, type Rules } from './home.ts'

const dotsOf = (versions: readonly { readonly dot: { readonly life: string; readonly counter: number } }[]): DotSet =>
  DotSet.of(...versions.map((v) => v.dot))

/** T1 */
export const visibleDotsOnly: Rules = { ...RULES, contextOf: (record) => dotsOf(record.versions) }

/** T2 */
export const pastForgotten: Rules = {
  ...RULES,
  merge: (...args) => {
    const merged = mergeIntoRecord(...args)
    return merged.record ? { ...merged, record: { ...merged.record, past: DotSet.empty() } } : merged
  },
}

/** T3: having received (a, 2) counts as having received (a, 1). */
export const plainVectors: Rules = {
  ...RULES,
  contextOf: (record, clock) => {
    const exact = contextOf(record, clock)
    const { lives, tops } = exact.tops()
    for (const [at, life] of lives.entries())
      for (let counter = 1; counter < (tops[at] as number); counter++) exact.add({ life, counter })
    return exact
  },
}

/** T4 */
export const contextIntoClock: Rules = {
  ...RULES,
  advance: (clock, view, merged) => RULES.advance(clock, view, merged).union(view.seen),
}

/** T5 */
export const siblingAlone: Rules = {
  ...RULES,
  pieces: (view) => (view.versions.length < 2 ? [view] : view.versions.map((one) => ({ ...view, versions: [one] }))),
}

/** T6 */
export const wholeContextInAnswer: Rules = {
  ...RULES,
  answer: (asked, version, home, key) => {
    const record = home.records.get(key)
    const answer = asked.union(DotSet.of(version.dot))
    if (record) answer.addAll(contextOf(record, home.clock))
    return answer
  },
}

/** T7 */
export const collectedOnTheDot: Rules = {
  ...RULES,
  collect: (record, clock, stable, isSpent) => {
    const gone = record.versions.filter((v) => isSpent(v) && stable.has(v.dot))
    if (gone.length === 0) return record
    const versions = record.versions.filter((v) => !gone.includes(v))
    return versions.length > 0 ? { ...record, versions, span: record.span ?? contextOf(record, clock).tops() } : null
  },
}

/** T8 */
export const collectedOnOwnClock: Rules = { ...RULES, stable: (home) => home.clock }

/** T10 */
export const acknowledgedByDeadDisk: Rules = { ...RULES, refusesForReplacedStorage: false }

/** T12 */
export const filledFromOne: Rules = { ...RULES, fillFrom: 1 }
export const filledFromOldSnapshot: Rules = { ...RULES, snapshotOfFillOnly: false }
export const readWhileFilling: Rules = { ...RULES, fillingIsRead: true }

/** T13 */
export const damagedClockKept: Rules = { ...RULES, afterDamage: (kept, clock) => ({ clock, records: new Map(kept) }) }
export const damagedWithoutUnstrip: Rules = {
  ...RULES,
  afterDamage: (kept) => ({
    clock: dotsOf([...kept.values()].flatMap((record) => record.versions)),
    records: new Map(kept),
  }),
}

/** T20: an expired attempt is collected like any version. */
export const collectedWithItsTag: Rules = {
  ...RULES,
  collect: (record, ...rest) => {
    const kept = RULES.collect(record, ...rest)
    return kept && { ...kept, deadTags: record.deadTags }
  },
}

/** T21: a tag that has died once is dead for ever. */
export const deadForEver: Rules = {
  ...RULES,
  merge: (record, clock, view, conflict, alsoSuperseded) => {
    const stamp = Math.max(0, ...view.versions.map((version) => version.stamp))
    const ageless = record && { ...record, deadTags: record.deadTags.map((tag) => ({ ...tag, stamp })) }
    return RULES.merge(ageless, clock, view, conflict, alsoSuperseded)
  },
}

/** T18: stripped as soon as every home has the versions, though not all that they are known to have superseded. */
export const strippedOnTheDots: Rules = {
  ...RULES,
  strip: (record, clock, stable) => {
    if (!record.versions.every((v) => stable.has(v.dot))) return record
    const next = { ...record, span: null, past: record.past.subtract(clock) }
    return next.versions.length === 0 && next.past.isEmpty && next.deadTags.length === 0 ? null : next
  },
}

/** T19: only what the asker's clock says that it lacks travels. */
const bySiblings: Rules['travels'] = (record, _clock, theirs) => record.versions.some((v) => !theirs.has(v.dot))
export const travelsByVersions: Rules = { ...RULES, travels: bySiblings }
export const travelsByContext: Rules = {
  ...RULES,
  travels: (record, clock, theirs) => bySiblings(record, clock, theirs) || !contextOf(record, clock).isSubsetOf(theirs),
}
export const partForAnybody: Rules = { ...travelsByContext, partOnlyForAsker: false }

/** Those that random schedules find by themselves; T10, T16, T18, T20 and T21 need a longer chain of accidents, and have their stories. */
export const VARIANTS: readonly [string, Rules][] = [
  ['T1 a context of visible dots only', visibleDotsOnly],
  ['T2 a past that is forgotten', pastForgotten],
  ['T3 plain version vectors', plainVectors],
  ['T4 a context that enters the clock', contextIntoClock],
  ['T5 one sibling repaired with the context of all', siblingAlone],
  ["T6 the replica's whole context in the put's answer", wholeContextInAnswer],
  ['T7 a deletion collected on its dot alone', collectedOnTheDot],
  ['T8 a deletion collected on the own clock', collectedOnOwnClock],
  ['T12 a storage filled from one peer', filledFromOne],
  ['T12 a storage filled from a snapshot taken before the wipe', filledFromOldSnapshot],
  ['T12 a storage that is read while it fills', readWhileFilling],
  ['T13 damage with the clock kept', damagedClockKept],
  ['T13 damage without unstripping', damagedWithoutUnstrip],
  ['T19 a part of the records taken by a storage that did not ask for it', partForAnybody],
]
