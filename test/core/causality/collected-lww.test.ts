// Last writer wins after a collection: the greatest stamp that ever was here is gone, and its losers must not come back.

import { expect, test } from 'vitest'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { EMPTY_RECORD, mergeIntoRecord } from '../../../src/core/causality/record.ts'

const content = { contentType: 'text/plain', meta: [], bytes: Buffer.from('') }
const v = { dot: { life: 'aaaaaaaaaaaaaaaa', counter: 1 }, stamp: 110, deadlineMs: null, tag: null, content }
/** The deletion of v, collected with it. */
const d = { life: 'aaaaaaaaaaaaaaaa', counter: 2 }
/** Older by its stamp, and came only after that. */
const w = { ...v, dot: { life: 'bbbbbbbbbbbbbbbb', counter: 1 }, stamp: 105 }
const all = DotSet.of(v.dot, d, w.dot)

test('a late copy of what was deleted and collected does not beat it', () => {
  const view = { versions: [v], seen: DotSet.of(v.dot), deadTags: [] }
  const { record } = mergeIntoRecord({ ...EMPTY_RECORD, versions: [w] }, all, view, 'lww')
  expect(record?.versions).toEqual([w])
})

test('nor does a stray that a filling home took', () => {
  const view = { versions: [w], seen: DotSet.of(w.dot), deadTags: [] }
  const { record } = mergeIntoRecord({ ...EMPTY_RECORD, versions: [v] }, DotSet.of(v.dot), view, 'lww', all)
  expect(record?.versions).toEqual([w])
})
