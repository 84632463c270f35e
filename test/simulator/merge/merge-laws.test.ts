// Each law is found broken by a merge that breaks it, and by no other; and what is lost is laid at the right merge's door.

import { describe, expect, test } from 'vitest'
import {
  addToList,
  canonical,
  type Json,
  lostByName,
  MergeFailed,
  MergeFunction,
} from '../../../src/simulator/merge/merge-function.ts'
import { MergeLaws } from '../../../src/simulator/merge/merge-laws.ts'
import { MergeLedger } from '../../../src/simulator/merge/merge-ledger.ts'
import { Scene } from '../checkers/scene.ts'

function merging(merge: (siblings: Json[]) => unknown): MergeFunction {
  return new MergeFunction({ merge, change: addToList, initial: [], lost: lostByName }, (code) => code())
}

/** The laws that it breaks on these sets of siblings. */
function brokenBy(merge: (siblings: Json[]) => unknown, ...sets: readonly (readonly Json[])[]): string[] {
  const laws = new MergeLaws()
  for (const siblings of sets) laws.examine(merging(merge), siblings)
  for (const { broken, smallest } of laws.verdicts.values()) expect(smallest === null).toBe(broken === 0)
  return [...laws.verdicts].filter(([, { broken }]) => broken > 0).map(([law]) => law)
}

const LISTS = [[['a'], ['b']] as Json[], [['a', 'b'], ['b', 'c'], ['d']] as Json[]]
const numbers = (values: Json[]): number[] => values.map(Number)
const flat = (values: Json[]): Json[] => values.flatMap((value) => (Array.isArray(value) ? (value as Json[]) : []))

describe('laws', () => {
  test('a union keeps them all', () =>
    expect(brokenBy((siblings) => [...new Set(flat(siblings))].sort(), ...LISTS)).toEqual([]))
  test('so does the greatest', () =>
    expect(brokenBy((siblings) => Math.max(...numbers(siblings)), [3, 1], [2, 5, 4, 1])).toEqual([]))
  test('the order of members is no difference', () =>
    expect(
      brokenBy(
        (siblings) => Object.fromEntries(siblings.flatMap((one) => Object.entries(one as object))),
        [{ a: 1 }, { b: 2 }],
      ),
    ).toEqual([]))

  test('the first of them depends on the order alone', () =>
    expect(brokenBy((siblings) => siblings[0], ...LISTS)).toEqual(['order']))
  test('a union in the order of coming does too', () =>
    expect(brokenBy((siblings) => [...new Set(flat(siblings))], ...LISTS)).toEqual(['order']))
  test('a sum counts twice what comes twice', () =>
    expect(brokenBy((siblings) => numbers(siblings).reduce((a, b) => a + b, 0), [3, 1, 2])).toEqual(['repetition']))
  test('a mean depends on what is merged first', () =>
    expect(brokenBy((siblings) => numbers(siblings).reduce((a, b) => a + b, 0) / siblings.length, [3, 1, 8])).toContain(
      'grouping',
    ))
  test('a counter of its own gives another value each time', () => {
    let calls = 0
    expect(brokenBy(() => ++calls, [3, 1])).toContain('determinism')
  })

  test('the smallest counterexample is kept', () => {
    const laws = new MergeLaws()
    for (const set of [
      ['a long one', 'another long one'],
      ['a', 'b'],
      ['middle', 'sized'],
    ])
      laws.examine(
        merging((siblings) => siblings[0]),
        set,
      )
    expect(laws.verdicts.get('order')).toMatchObject({ tried: 3, broken: 3, smallest: { siblings: ['a', 'b'] } })
    expect(laws.hold).toBe(false)
  })

  test('what it does to its arguments is its own affair', () => {
    const siblings: Json[] = [['b'], ['a']]
    expect(
      brokenBy((given) => {
        const [first = [], ...others] = given as Json[][]
        for (const other of others) first.push(...other)
        return [...new Set(first)].sort()
      }, siblings),
    ).toEqual([])
    expect(siblings).toEqual([['b'], ['a']])
  })
})

describe('an answer', () => {
  test.for([
    ['nothing', (): void => {}, /no JSON; is a `return` missing/],
    ['a function', (): unknown => merging, /no JSON/],
    ['a promise', async (): Promise<Json[]> => [], /promise/],
    ['a bigint', (): bigint => 1n, /no JSON/],
    [
      'an exception',
      (): never => {
        throw new TypeError('oops')
      },
      /merge threw TypeError: oops/,
    ],
  ] as const)('of %s cannot be gone on with', ([, merge, why]) => {
    const siblings: Json[] = ['x', 'y']
    expect(() => merging(merge).merge(siblings)).toThrow(why)
    try {
      merging(merge).merge(siblings)
    } catch (error) {
      expect(error).toBeInstanceOf(MergeFailed)
      expect((error as MergeFailed).siblings).toEqual(siblings)
    }
  })

  test('is what JSON makes of it', () =>
    expect(merging(() => ({ at: new Date(0), none: undefined })).merge([1])).toEqual({
      at: '1970-01-01T00:00:00.000Z',
    }))
})

test('canonical: members in any order, elements in theirs', () => {
  expect(canonical({ a: 1, b: { d: 2, c: [1, 2] } })).toBe(canonical({ b: { c: [1, 2], d: 2 }, a: 1 }))
  expect(canonical([1, 2])).not.toBe(canonical([2, 1]))
})

test('an edit is lost when its name is nowhere in the value, and whole names count', () => {
  const edits = ['c1-1', 'c1-2', 'c1-12'].map((id, i) => ({ id, client: 'c1', number: i + 1 }))
  expect(lostByName(edits, [])).toEqual(['c1-1', 'c1-2', 'c1-12'])
  expect(lostByName(edits, { deep: [{ list: ['c1-12'] }], 'c1-2': true })).toEqual(['c1-1'])
})

test('a lost edit is laid at the first merge that had it and dropped it; one that was not acknowledged is not lost', async () => {
  const scene = await Scene.open()
  const ledger = new MergeLedger()
  const edit = (id: string, fate: 'acknowledged' | 'unknown'): void => {
    const { write } = scene.write(id, { fate })
    ledger.edits.push({ id, client: 'c0', number: ledger.edits.length + 1, key: scene.key, write })
  }
  edit('kept', 'acknowledged')
  edit('dropped', 'acknowledged')
  edit('never written', 'acknowledged')
  edit('perhaps', 'unknown')
  const merge = (at: number, siblings: readonly Json[], merged: Json): void =>
    void ledger.merges.push({ client: 'c1', at, key: scene.key, siblings, merged })
  merge(1, [['dropped'], ['kept']], ['dropped', 'kept'])
  merge(2, [['dropped', 'kept'], ['perhaps']], ['kept'])
  merge(3, [['dropped'], []], [])
  const lost = ledger.lostFrom(
    scene.key,
    ['kept'],
    merging(() => []),
  )
  expect(lost.map(({ edit: { id }, by }) => [id, by?.at ?? null])).toEqual([
    ['dropped', 2],
    ['never written', null],
  ])
})
