import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MalformedBytes } from '../../../src/core/bytes.ts'
import { decodeFoundingView, encodeFoundingView } from '../../../src/core/membership/founding-view.ts'
import { Founding, clusterIdOf } from '../../../src/core/membership/founding.ts'
import type { FoundingTerms } from '../../../src/core/membership/founding.ts'
import { isUuid } from '../../../src/core/membership/identity.ts'
import type { Identity } from '../../../src/core/membership/identity.ts'

const TERMS: FoundingTerms = { clusterName: 'test', partitions: 64, defaults: '{}', expect: 5 }

function identity(number: number, life = 0): Identity {
  return {
    name: `node-${number}`,
    storage: `00000000-0000-4000-8000-${String(number * 1000 + life).padStart(12, '0')}`,
    peerAddress: `10.0.0.${number}:7481`,
    clientAddress: `10.0.0.${number}:7480`,
  }
}

class Candidate {
  readonly identity: Identity
  readonly founding: Founding
  constructor(who: Identity, terms: FoundingTerms = TERMS) {
    this.identity = who
    this.founding = new Founding(who, terms)
  }
  hear(other: Candidate): void {
    this.founding.hear(other.identity, decodeFoundingView(encodeFoundingView(other.founding.view)))
  }
}

const candidates = (count: number, terms = TERMS): Candidate[] =>
  Array.from({ length: count }, (_, i) => new Candidate(identity(i), terms))

function meetAll(all: readonly Candidate[], rounds = 3): void {
  for (let round = 0; round < rounds; round++) {
    for (const a of all) for (const b of all) if (a !== b) a.hear(b)
  }
}

const settledOf = (all: readonly Candidate[]): string[][] =>
  all.flatMap(({ founding: { status } }) =>
    status.state === 'settled' ? [status.table.members.map(({ name, storage }) => `${name}/${storage}`)] : [],
  )

const someMeetings = fc.array(fc.tuple(fc.nat({ max: 6 }), fc.nat({ max: 6 })), { maxLength: 160 })

describe('founders', () => {
  test('all settle on one table, whatever the order in which they meet', () => {
    fc.assert(
      fc.property(someMeetings, (meetings) => {
        const all = candidates(5)
        for (const [a, b] of meetings) if (a !== b && a < 5 && b < 5) all[a]!.hear(all[b]!)
        meetAll(all)
        const tables = all.map(({ founding: { status } }) => (status.state === 'settled' ? status.table : null))
        expect(new Set(tables.map((table) => table?.encode().toString('hex'))).size).toBe(1)
        expect(tables[0]?.names).toEqual(['node-0', 'node-1', 'node-2', 'node-3', 'node-4'])
        expect(isUuid(tables[0]?.clusterId ?? '')).toBe(true)
      }),
    )
  })

  test.each([6, 7])('never settle on different views when there are %i candidates for five places', (count) => {
    let settledRuns = 0
    fc.assert(
      fc.property(someMeetings, (meetings) => {
        const all = candidates(count)
        for (const [a, b] of meetings) if (a !== b && a < count && b < count) all[a]!.hear(all[b]!)
        meetAll(all, 2)
        const settled = settledOf(all)
        if (settled.length > 0) settledRuns++
        expect(new Set(settled.map(String)).size).toBeLessThanOrEqual(1)
      }),
      { numRuns: 400 },
    )
    expect(settledRuns).toBeGreaterThan(0)
  })

  test('never settle on different views that share a storage, when candidates also lose theirs', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 6 }), fc.nat({ max: 7 })), { maxLength: 160 }), (steps) => {
        const all = candidates(7)
        const settled = new Map<string, string[]>()
        let lives = 0
        for (const [a, b] of steps) {
          if (b === 7) all[a] = new Candidate(identity(a, ++lives))
          else if (a !== b) all[a]!.hear(all[b]!)
          for (const view of settledOf(all)) settled.set(String(view), view)
        }
        const views = [...settled.values()]
        for (const x of views)
          for (const y of views) if (x !== y) expect(x.some((pair) => y.includes(pair))).toBe(false)
      }),
      { numRuns: 400 },
    )
  })

  test('one alone founds at once', () => {
    const { status } = new Founding(identity(1), { ...TERMS, expect: 1 })
    expect(status.state).toBe('settled')
  })

  test('wait for the last one, and say for whom', () => {
    const all = candidates(5)
    meetAll(all.slice(0, 4))
    expect(all[0]!.founding.status).toEqual({
      state: 'gathering',
      known: ['node-0', 'node-1', 'node-2', 'node-3'],
      missing: 1,
      refused: [],
    })
    all[0]!.hear(all[4]!)
    expect(all[0]!.founding.status).toMatchObject({ state: 'frozen', silent: ['node-1', 'node-2', 'node-3', 'node-4'] })
  })

  test('say why they do not settle: another storage behind a name of the frozen view', () => {
    const all = candidates(5)
    for (const other of all.slice(1)) all[0]!.hear(other)
    all[4] = new Candidate(identity(4, 1))
    meetAll(all)
    expect(all[0]!.founding.status).toMatchObject({ state: 'frozen', replaced: ['node-4'] })
    expect(settledOf(all)).toEqual([])
  })

  test('say why they do not settle: too many candidates froze different views', () => {
    const all = candidates(6)
    for (const i of [1, 2, 3, 4]) all[0]!.hear(all[i]!)
    for (const i of [1, 2, 3, 4]) all[5]!.hear(all[i]!)
    all[1]!.hear(all[0]!)
    all[5]!.hear(all[1]!)
    expect(all[5]!.founding.status).toMatchObject({ state: 'frozen', disagreeing: ['node-1'] })
  })

  test('refuse candidates that were started for another cluster', () => {
    const [mine] = candidates(1)
    const others: [Partial<FoundingTerms>, string][] = [
      [{ clusterName: 'x' }, 'cluster-name'],
      [{ partitions: 128 }, 'partitions'],
      [{ expect: 3 }, 'expect'],
      [{ defaults: '{"n":1}' }, 'defaults'],
    ]
    for (const [i, [terms]] of others.entries()) mine!.hear(new Candidate(identity(i + 1), { ...TERMS, ...terms }))
    mine!.hear(new Candidate(identity(0, 9)))
    expect(mine!.founding.status).toMatchObject({
      state: 'gathering',
      missing: 4,
      refused: [
        { name: 'node-0', reason: 'name-taken' },
        ...others.map(([, reason], i) => ({ name: `node-${i + 1}`, reason })),
      ],
    })
  })

  test('take a frozen view up again after a restart, and nothing under other settings', () => {
    const all = candidates(6)
    for (const other of all.slice(1, 5)) all[0]!.hear(other)
    const kept = all[0]!.founding.view
    const again = new Founding({ ...identity(0), peerAddress: 'moved:1' }, TERMS, kept)
    again.hear(all[5]!.identity, all[5]!.founding.view)
    expect(again.frozen).toBe(true)
    expect(again.view.candidates.map(({ name }) => name)).toEqual(kept.candidates.map(({ name }) => name))
    expect(clusterIdOf(again.view)).toBe(clusterIdOf(kept))
    expect(() => new Founding(identity(0), { ...TERMS, expect: 3 }, kept)).toThrow('other settings')
    expect(() => new Founding(identity(0, 1), TERMS, kept)).toThrow('other settings')
  })
})

describe('the cluster’s id', () => {
  test('is a UUID of version 8 that depends on names, storages and terms, not on addresses', () => {
    const view = { ...TERMS, candidates: [0, 1, 2, 3, 4].map((i) => identity(i)) }
    const id = clusterIdOf(view)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(clusterIdOf({ ...view, candidates: view.candidates.map((c) => ({ ...c, peerAddress: '' })) })).toBe(id)
    expect(clusterIdOf({ ...view, clusterName: 'other' })).not.toBe(id)
    expect(clusterIdOf({ ...view, partitions: 128 })).not.toBe(id)
    expect(clusterIdOf({ ...view, candidates: view.candidates.with(4, identity(4, 1)) })).not.toBe(id)
  })
})

test('bytes that are not a founding view are refused', () => {
  const bytes = encodeFoundingView({ ...TERMS, candidates: [0, 1, 2].map((i) => identity(i)) })
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      expect(() => decodeFoundingView(bytes.subarray(0, at % bytes.length))).toThrow(MalformedBytes)
      const altered = Buffer.from(bytes)
      altered[at % bytes.length] = byte
      try {
        expect(encodeFoundingView(decodeFoundingView(altered))).toEqual(altered)
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedBytes)
      }
    }),
  )
})
