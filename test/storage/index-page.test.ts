import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PartitionTable } from '../../src/storage/partition-table.ts'

interface Step {
  readonly hash: number
  readonly isRemoval: boolean
}

/** Hashes of one partition have their upper bits in common; some are forged to be equal, or next to each other. */
const HASH = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.integer({ min: 0x1234_0000, max: 0x1234_ffff }),
  fc.integer({ min: 7, max: 12 }),
  fc.constantFrom(0, 2 ** 32 - 1),
)

const STEPS: fc.Arbitrary<Step[]> = fc.array(fc.record({ hash: HASH, isRemoval: fc.boolean() }), { maxLength: 400 })

/** In order, as (hash, ref). */
function entriesOf(table: PartitionTable): [number, number][] {
  const entries: [number, number][] = []
  for (const page of table.pages) {
    for (let slot = page.next(0); slot < page.size; slot = page.next(slot + 1))
      entries.push([page.hash(slot), page.ref(slot)])
  }
  return entries
}

/** Inserts behind all of its hash, as a table of items would by their keys. */
function insert(table: PartitionTable, model: [number, number][], hash: number, ref: number): void {
  const behind = model.filter(([other]) => other === hash).length
  table.insert(hash, behind, ref)
  const at = model.findIndex(([other]) => other > hash)
  model.splice(at < 0 ? model.length : at, 0, [hash, ref])
}

function removeFirst(table: PartitionTable, model: [number, number][], hash: number): void {
  const at = model.findIndex(([other]) => other === hash)
  const page = table.pageOf(hash)
  const slot = page.seek(hash)
  const isThere = page.ref(slot) !== 0 && page.hash(slot) === hash
  expect(isThere).toBe(at >= 0)
  if (!isThere) return
  expect(page.ref(slot)).toBe(model[at]?.[1])
  table.remove(page, slot)
  model.splice(at, 1)
}

describe('the index of a partition', () => {
  it('is a sorted list of what was put into it', () => {
    fc.assert(
      fc.property(STEPS, (steps) => {
        const table = new PartitionTable()
        const model: [number, number][] = []
        steps.forEach(({ hash, isRemoval }, i) => {
          if (isRemoval) removeFirst(table, model, hash)
          else insert(table, model, hash, i + 1)
        })
        expect(entriesOf(table)).toEqual(model)
        expect(table.count).toBe(model.length)
        expect(table.indexBytes).toBe(table.pages.reduce((sum, { bytes }) => sum + bytes, 0))
      }),
    )
  })

  it.each([
    ['spread', (i: number) => Math.imul(i, 0x9e37_79b1) >>> 0],
    ['ascending in a narrow stretch', (i: number) => 0x4000_0000 + i],
    ['descending', (i: number) => 0x7fff_ffff - 3 * i],
  ] as const)('stays dense, in pages of bounded size, while 20,000 come and go: %s', (_, hashOf) => {
    const table = new PartitionTable()
    for (let i = 0; i < 20_000; i++) table.insert(hashOf(i), 0, i + 1)
    expect(table.pages.length).toBeGreaterThan(6)
    expect(Math.max(...table.pages.map(({ count }) => count))).toBeLessThan(5000)
    expect(table.indexBytes / table.count).toBeLessThan(14.5)
    const refs = new Set<number>()
    for (let i = 0; i < 20_000; i++) {
      const page = table.pageOf(hashOf(i))
      refs.add(page.ref(page.seek(hashOf(i))))
    }
    expect(refs.size).toBe(20_000)
    const hashes = entriesOf(table).map(([hash]) => hash)
    expect(hashes).toEqual(hashes.toSorted((a, b) => a - b))
    for (let i = 0; i < 19_990; i++) {
      const page = table.pageOf(hashOf(i))
      table.remove(page, page.seek(hashOf(i)))
    }
    expect(entriesOf(table).length).toBe(10)
    expect(table.indexBytes).toBeLessThan(5000)
  })
})
