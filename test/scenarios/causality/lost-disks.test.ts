// Stories T10, T12 and T13: a storage that lost what it had knows so, and everybody else does too.

import { describe, expect, test } from 'vitest'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { type Home, homesNamed, put, readFrom, RULES, type Rules, texts, version } from '../../core/causality/home.ts'
import * as naive from '../../core/causality/variants.ts'

const A = 'aaaaaaaaaaaaaaaa'
const B = 'bbbbbbbbbbbbbbbb'
const d0 = version(A, 1, 'd0')

function three(rules: Rules): [Home, Home, Home] {
  const [r0, r1, r2] = homesNamed(['r0', 'r1', 'r2'], rules)
  return [r0!, r1!, r2!]
}

describe('T10 an acknowledgement of a replaced storage is void', () => {
  const story = (rules: Rules): { acknowledged: boolean; shown: string[] } => {
    const [r0, r1, r2] = three(rules)
    const table = new Map([r0, r1, r2].map((home) => [home.name, home.storage]))
    const acks = new Map([[r1.name, r1.receive('k', put(d0), table)!.storage]])
    r1.wipe()
    const snapshots = [r0.snapshotFor(r1), r2.snapshotFor(r1)]
    // The same write reaches r0 only now.
    const late = r0.receive('k', put(d0), table)
    if (late) acks.set(r0.name, late.storage)
    else for (const [name, storage] of acks) if (r0.table.get(name) !== storage) acks.delete(name)
    for (const snapshot of snapshots) r1.takeSnapshot(snapshot)
    expect(r1.isFilling).toBe(false)
    return { acknowledged: acks.size >= 2, shown: texts(readFrom([r1, r2], 'k')) }
  }
  test('r0, which served the new storage, refuses: the write is not acknowledged', () =>
    expect(story(RULES)).toEqual({ acknowledged: false, shown: [] }))
  test('else W is met by a dead disk, and a strict read misses the write', () =>
    expect(story(naive.acknowledgedByDeadDisk)).toEqual({ acknowledged: true, shown: [] }))
})

describe('T12 a new storage is complete after every other home was asked since its start', () => {
  // d0 is acknowledged by r0 and r1; r1's disk is lost.
  const begin = (rules: Rules): [Home, Home, Home] => {
    const homes = three(rules)
    homes[0].receive('k', put(d0))
    homes[1].receive('k', put(d0))
    return homes
  }
  const filledFromOne = (rules: Rules): string[] | 'no answer' => {
    const [, r1, r2] = begin(rules)
    r1.wipe()
    r1.takeSnapshot(r2.snapshotFor(r1))
    return r1.isFilling ? 'no answer' : texts(readFrom([r1, r2], 'k'))
  }
  test('one peer is not enough', () => expect(filledFromOne(RULES)).toBe('no answer'))
  test('else a strict read of it and that peer misses d0', () => expect(filledFromOne(naive.filledFromOne)).toEqual([]))

  const oldSnapshot = (rules: Rules): string[] | 'no answer' => {
    const [r0, r1, r2] = three(rules)
    const old = r0.snapshotFor(r1) // asked for before the wipe, delivered after it
    for (const home of [r0, r1]) home.receive('k', put(d0))
    r1.wipe()
    for (const snapshot of [old, r2.snapshotFor(r1)]) r1.takeSnapshot(snapshot)
    return r1.isFilling ? 'no answer' : texts(readFrom([r1, r2], 'k'))
  }
  test('a snapshot from before the wipe does not count', () => expect(oldSnapshot(RULES)).toBe('no answer'))
  test('else what came between is missed', () => expect(oldSnapshot(naive.filledFromOldSnapshot)).toEqual([]))

  const readWhileFilling = (rules: Rules): string[] | 'no answer' => {
    const [, r1, r2] = begin(rules)
    r1.wipe()
    return r1.look('k') === null ? 'no answer' : texts(readFrom([r1, r2], 'k'))
  }
  test('until then it counts in no R', () => expect(readWhileFilling(RULES)).toBe('no answer'))
  test('else an empty storage makes up a read quorum', () =>
    expect(readWhileFilling(naive.readWhileFilling)).toEqual([]))

  test('filled from all, it has d0 again', () => {
    const [r0, r1, r2] = begin(RULES)
    r1.wipe()
    for (const home of [r0, r2]) r1.takeSnapshot(home.snapshotFor(r1))
    expect(texts(readFrom([r1, r2], 'k'))).toEqual(['d0'])
  })
})

describe('T13 after damage the clock claims no more than what was kept, and what was kept says what it had seen', () => {
  const lostRecord = (rules: Rules): string[] => {
    const [r0, r1, r2] = three(rules)
    for (const home of [r0, r1, r2]) home.receive('k', put(d0))
    r1.damage(['k'])
    for (const home of [r0, r2]) r1.takeSnapshot(home.snapshotFor(r1))
    for (const home of [r0, r2]) home.takeSnapshot(r1.snapshotFor(home))
    return texts(readFrom([r0, r2], 'k'))
  }
  test('the good copies of the others survive', () => expect(lostRecord(RULES)).toEqual(['d0']))
  test('else the peers drop theirs: the clock says that d0 was superseded', () =>
    expect(lostRecord(naive.damagedClockKept)).toEqual([]))

  const keptDeletion = (rules: Rules): number => {
    const [r0, r1] = three(rules)
    for (const home of [r0, r1]) home.receive('k', put(d0))
    r1.receive('k', put(version(B, 1, null), DotSet.of(d0.dot)))
    r1.damage([])
    r1.takeSnapshot(r0.snapshotFor(r1))
    return r1.records.get('k')!.versions.length
  }
  test('a kept deletion refuses the d0 of a peer', () => expect(keptDeletion(RULES)).toBe(1))
  test('else d0 stands beside its deletion', () => expect(keptDeletion(naive.damagedWithoutUnstrip)).toBe(2))
})
