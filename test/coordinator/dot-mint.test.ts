// No dot is handed out twice, and refused writes leave few gaps in any one life.

import { expect, test } from 'vitest'
import { formatDot } from '../../src/core/causality/dot.ts'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { DotMint } from '../../src/coordinator/dot-mint.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'

const HERE = 16
const ELSEWHERE = 32

test('each partition has a series of its own', () => {
  const mint = new DotMint(new SeededRandom(1))
  const dot = mint.next(HERE)
  mint.burn(HERE, dot)
  expect(mint.next(ELSEWHERE)).toEqual({ ...dot, counter: 1 })
  expect(mint.next(HERE)).toEqual({ ...dot, counter: 2 })
})

test('refused and taken in turn: every dot is another one, and no life has many gaps', () => {
  const mint = new DotMint(new SeededRandom(1))
  const all = new Set<string>()
  const clock = DotSet.empty()
  for (let i = 0; i < 1000; i++) {
    const [refused, taken] = [mint.next(HERE), mint.next(HERE)]
    mint.burn(HERE, refused)
    clock.add(taken)
    all.add(formatDot(refused)).add(formatDot(taken))
  }
  expect(all.size).toBe(2000)
  for (const life of clock.lives()) expect(clock.of(life).length / 2).toBeLessThanOrEqual(9)
})

test('refused one after another they are one gap', () => {
  const mint = new DotMint(new SeededRandom(1))
  const first = mint.next(HERE)
  for (let i = 0; i < 1000; i++) mint.burn(HERE, mint.next(HERE))
  expect(mint.next(HERE)).toEqual({ ...first, counter: 1002 })
})
