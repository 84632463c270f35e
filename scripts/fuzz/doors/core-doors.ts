// What peers send inside of frames and what lies inside of records: views and sets of dots. Read as a replica reads them, and merged.

import { MalformedBytes } from '../../../src/core/bytes.ts'
import { decodeDotSet, encodeDotSet } from '../../../src/core/causality/dot-set-bytes.ts'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { decodeRecord, encodeRecord, mergeIntoRecord, viewOf } from '../../../src/core/causality/record.ts'
import { decodeView, encodeView, mergeViews, type View } from '../../../src/core/causality/view.ts'
import { type Door, door, law } from '../door.ts'
import { Ink } from '../ink.ts'
import fc from 'fast-check'
import { dotsGrammar, shapeOfDots, shapeOfView, viewGrammar } from './core-drafts.ts'

export const isMalformed = (error: unknown): boolean => error instanceof MalformedBytes

/** Drafts as honest bytes: valid samples. */
export function honest(grammar: fc.Arbitrary<(ink: Ink) => void>, count: number): Buffer[] {
  return fc.sample(grammar, { numRuns: count, seed: 7 }).map((draft) => Ink.render(draft, []).bytes)
}

/** Sets that are equal have one form: otherwise one could be told in several ways, each of which comes back as itself. */
export function checkNormal(set: DotSet): void {
  let last = ''
  for (const life of set.lives()) {
    law(life > last, 'lives are out of order')
    last = life
    const bounds = set.of(life)
    law(bounds.length > 0, 'a life has no dots')
    // Not adjacent either: a gap of one dot at least.
    let end = -1
    for (let i = 0; i < bounds.length; i += 2) {
      law((bounds[i] as number) > end + 1, 'intervals are adjacent or out of order')
      end = bounds[i + 1] as number
      law(end >= (bounds[i] as number) && Number.isSafeInteger(end), 'an interval ends before it begins')
    }
  }
}

/** What becomes of a view at a replica that knows nothing of the key, and at one that has it already. */
export function merged(view: View): void {
  const clock = DotSet.empty()
  const first = mergeIntoRecord(undefined, clock, view, 'siblings')
  for (const dot of first.received) clock.add(dot)
  if (first.record === null) return
  const stored = decodeRecord(encodeRecord(first.record))
  encodeView(viewOf(stored, clock))
  mergeIntoRecord(stored, clock, view, 'lww')
}

export const viewDoor: Door = door<View>({
  name: 'view',
  weight: 3,
  grammar: viewGrammar,
  samples: () => honest(viewGrammar, 40),
  isDeclared: isMalformed,
  read: (bytes) => {
    const view = decodeView(bytes)
    merged(view)
    return view
  },
  check: (view) => {
    checkNormal(view.seen)
    const again = encodeView(view)
    law(encodeView(decodeView(again)).equals(again), 'a view that was encoded decodes to another')
    const twice = encodeView(mergeViews(view, view, 'siblings'))
    law(encodeView(decodeView(twice)).equals(twice), 'a merged view decodes to another')
  },
  kindOf: shapeOfView,
})

export const dotsDoor: Door = door<DotSet>({
  name: 'dots',
  weight: 1,
  grammar: dotsGrammar,
  samples: () => honest(dotsGrammar, 20),
  isDeclared: isMalformed,
  read: (bytes) => decodeDotSet(bytes),
  check: (set, bytes) => {
    checkNormal(set)
    law(encodeDotSet(set).equals(bytes), 'a set of dots has two spellings')
  },
  kindOf: shapeOfDots,
})
