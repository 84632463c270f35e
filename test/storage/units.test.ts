import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Coverage,
  firstBatchOf,
  firstNeeded,
  layerAt,
  layersOf,
  NOTHING,
  UNITS_END,
} from '../../src/storage/units.ts'

const COVERAGE: fc.Arbitrary<Coverage> = fc
  .tuple(fc.nat(12), fc.integer({ min: 1, max: 12 }), fc.boolean(), fc.nat(50))
  .map(([from, length, isOpen, batch]) => ({ from, to: isOpen ? UNITS_END : from + length, lsn: batch + 1, batch }))

describe('units', () => {
  it('tile everything, and each has the last file that covers it', () => {
    fc.assert(
      fc.property(fc.array(COVERAGE, { maxLength: 12 }), (files) => {
        const layers = layersOf<Coverage>(NOTHING, files)
        expect(layers[0]?.from).toBe(0)
        expect(layers.at(-1)?.to).toBe(UNITS_END)
        layers.slice(1).forEach((layer, i) => expect(layer.from).toBe(layers[i]?.to))
        const used = new Set<Coverage>()
        for (const unit of [...Array(30).keys(), UNITS_END - 1]) {
          const wanted = files.findLast(({ from, to }) => from <= unit && unit < to) ?? NOTHING
          expect(layerAt(layers, unit).by).toBe(wanted)
          used.add(wanted)
        }
        expect(firstBatchOf(layers)).toBe(Math.min(...[...used].map(({ batch }) => batch)))
      }),
    )
  })

  it('need the log from the last segment on that begins no later than the batch', () => {
    const segments = [
      { number: 3, batch: 10 },
      { number: 4, batch: 20 },
      { number: 5, batch: 0 },
      { number: 6, batch: 20 },
      { number: 7, batch: 31 },
    ]
    expect([5, 10, 19, 20, 30, 31, 99].map((batch) => firstNeeded(segments, batch))).toEqual([0, 3, 3, 6, 6, 7, 7])
    expect(firstNeeded(segments, 0)).toBe(0)
  })
})
