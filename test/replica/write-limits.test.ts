// What a home refuses of a client's write, and how much it takes until then.

import { describe, expect, test } from 'vitest'
import { deadTagsOf } from '../../src/core/causality/attempts.ts'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { hybridFromMs } from '../../src/core/causality/hybrid-clock.ts'
import { type KeyRecord, mergeIntoRecord } from '../../src/core/causality/record.ts'
import type { Version } from '../../src/core/causality/version.ts'
import { type View, writeView } from '../../src/core/causality/view.ts'
import type { RefusalReason } from '../../src/protocol/messages.ts'
import { reasonToRefuse } from '../../src/replica/write-limits.ts'
import { A, B, NOW_MS, version } from './memory-home.ts'

const LIMITS = { siblingsMax: 10, siblingBytesMax: 1 << 20, clockBoundMs: 500 }
const TIME = { wallMs: NOW_MS, time: hybridFromMs(NOW_MS) }
const TAG = { id: '7777777777777777', fingerprint: '11111111', basis: 0, replaces: false }

function at(ms: number, of: Version): Version {
  return { ...of, stamp: hybridFromMs(ms) }
}

function reasonFor(view: View): RefusalReason | null {
  const merged = mergeIntoRecord(undefined, DotSet.empty(), view, 'siblings')
  return reasonToRefuse(LIMITS, false, { before: undefined, merged, view }, TIME)
}

/** How many of these, each by a client that saw nothing, are taken until one is refused. */
function room(versions: readonly Version[]): number {
  let record: KeyRecord | undefined
  for (const [count, each] of versions.entries()) {
    const view = writeView(each, DotSet.empty(), [])
    const merged = mergeIntoRecord(record, DotSet.empty(), view, 'siblings')
    if (reasonToRefuse(LIMITS, false, { before: record, merged, view }, TIME) !== null) return count
    record = merged.record ?? undefined
  }
  return versions.length
}

describe('a time beyond the clock bound', () => {
  const own = version({ life: A, counter: 1 }, 'v')
  const other = at(NOW_MS + 501, version({ life: B, counter: 1 }, 'w', TAG))

  test('of the write', () => {
    expect(reasonFor(writeView(at(NOW_MS + 500, own), DotSet.empty(), []))).toBeNull()
    expect(reasonFor(writeView(at(NOW_MS + 501, own), DotSet.empty(), []))).toBe('clock-ahead')
  })
  test('of a tag in its context, which nobody would ever forget', () => {
    const seen = DotSet.of(other.dot)
    expect(reasonFor(writeView(at(NOW_MS, own), seen, deadTagsOf([other], true)))).toBe('clock-ahead')
    expect(reasonFor(writeView(at(NOW_MS, own), seen, deadTagsOf([at(NOW_MS, other)], true)))).toBeNull()
  })
})

describe('a key has room for', () => {
  const dots = Array.from({ length: 100 }, (_, i) => ({ life: A, counter: i + 1 }))

  test('so many siblings', () => expect(room(dots.map((dot) => version(dot, 'v')))).toBe(10))
  test('four times as many deletions', () =>
    expect(room(dots.map((dot) => ({ ...version(dot, 'v'), content: null })))).toBe(40))
  test('and as many more attempts of one write', () => expect(room(dots.map((dot) => version(dot, 'v', TAG)))).toBe(41))
})
