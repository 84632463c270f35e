// Last writer wins after a collection: the greatest stamp that ever was here is gone, and its losers must not come back.

import { expect, test } from 'vitest'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { EMPTY_RECORD, mergeIntoRecord } from '../../../src/core/causality/record.ts'

test('lww: what was deleted and collected does not come back beside an older write (pure)', () => {
  const v = {
    dot: { life: 'aaaaaaaaaaaaaaaa', counter: 1 },
    stamp: 110,
    deadlineMs: null,
    tag: null,
    content: { contentType: 'text/plain', meta: [], bytes: Buffer.from('v') },
  }
  const d = { life: 'aaaaaaaaaaaaaaaa', counter: 2 }
  const w = {
    ...v,
    dot: { life: 'bbbbbbbbbbbbbbbb', counter: 1 },
    stamp: 105,
    content: { ...v.content, bytes: Buffer.from('w') },
  }
  // v was deleted by d, and both collected; then w came.
  const clock = DotSet.of(v.dot, d, w.dot)
  const record = { ...EMPTY_RECORD, versions: [w] }
  const merged = mergeIntoRecord(record, clock, { versions: [v], seen: DotSet.of(v.dot), deadTags: [] }, 'lww')
  expect(merged.record?.versions.map((x) => x.content && Buffer.from(x.content.bytes).toString())).toEqual(['w'])
})

test('lww: a stray in a filling home does not win over what its peers hold (pure)', () => {
  const v = {
    dot: { life: 'aaaaaaaaaaaaaaaa', counter: 1 },
    stamp: 110,
    deadlineMs: null,
    tag: null,
    content: { contentType: 'text/plain', meta: [], bytes: Buffer.from('v') },
  }
  const d = { life: 'aaaaaaaaaaaaaaaa', counter: 2 }
  const w = { ...v, dot: { life: 'bbbbbbbbbbbbbbbb', counter: 1 }, stamp: 105 }
  const merged = mergeIntoRecord(
    { ...EMPTY_RECORD, versions: [v] },
    DotSet.of(v.dot),
    { versions: [w], seen: DotSet.of(w.dot), deadTags: [] },
    'lww',
    DotSet.of(v.dot, d, w.dot),
  )
  expect(merged.record?.versions).toEqual([w])
})
