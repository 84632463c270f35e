// Story T19: an exchange of only those records that the asker lacks. Found while proving the rules.

import { describe, expect, test } from 'vitest'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { homesNamed, put, putOver, readFrom, type Rules, texts, version } from '../../core/causality/home.ts'
import * as variants from '../../core/causality/variants.ts'

const A = 'aaaaaaaaaaaaaaaa'
const B = 'bbbbbbbbbbbbbbbb'

describe('T19 a part of the records is for the clock that asked', () => {
  const story = (rules: Rules): string[] => {
    const [r0, r1, r2] = homesNamed(['r0', 'r1', 'r2'], rules)
    for (const home of [r0!, r1!, r2!]) home.receive('k', put(version(A, 1, 'v')))
    const part = r0!.snapshotFor(r2!) // nothing in it: r2 has all
    r2!.damage(['k'])
    r2!.takeSnapshot(part)
    for (const home of [r0!, r1!]) r2!.takeSnapshot(home.snapshotFor(r2!))
    return texts(readFrom([r1!, r2!], 'k'))
  }
  test('a storage that was damaged meanwhile does not take it', () =>
    expect(story(variants.travelsByContext)).toEqual(['v']))
  test('else it claims what it lost, and a strict read takes its word', () =>
    expect(story(variants.partForAnybody)).toEqual([]))
})

describe('T19 what travels is what has news in its context, not only in its versions', () => {
  const tag = { id: '7777777777777777', fingerprint: '11111111', basis: 0, replaces: false }
  const story = (rules: Rules): string[] => {
    const [r0, r1, r2] = homesNamed(['r0', 'r1', 'r2'], rules)
    const first = version(A, 1, 'first', { tag })
    for (const home of [r0!, r1!, r2!]) {
      home.receive('k', put(first))
      home.receive('k', putOver(version(A, 2, 'successor'), first))
    }
    r1!.receive('k', put(version(B, 1, 'gone')))
    // Under the dead tag: not held anywhere, but what it saw is superseded.
    r0!.receive('k', put(version(B, 2, 'again', { tag }), DotSet.of({ life: B, counter: 1 })))
    r1!.takeSnapshot(r0!.snapshotFor(r1!))
    return texts(r1!.look('k'))
  }
  test('what a version with a dead tag had seen is superseded at the asker too', () =>
    expect(story(variants.travelsByContext)).toEqual(['successor']))
  test('else clocks become equal, and homes stay different', () =>
    expect(story(variants.travelsByVersions)).toEqual(['successor', 'gone']))
})
