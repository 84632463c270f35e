import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MalformedBytes } from '../../../src/core/bytes.ts'
import { MemberTable } from '../../../src/core/membership/member-table.ts'
import type { Member } from '../../../src/core/membership/member-table.ts'

const CLUSTER = '00000000-0000-8000-8000-000000000001'
const TERMS = { clusterName: 'größe', partitions: 1024, defaults: '{"n":3}' }
const NAMES = ['node-0', 'node-1', 'node-2']

const storage = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`

const someAddress = fc.constantFrom('', '127.0.0.1:7481', 'node.example:1', '[::1]:65535')
const someMember = (name: string): fc.Arbitrary<Member> =>
  fc.record({
    name: fc.constant(name),
    storage: fc.integer({ min: 0, max: 3 }).map(storage),
    generation: fc.integer({ min: 1, max: 3 }),
    addressVersion: fc.integer({ min: 1, max: 3 }),
    peerAddress: someAddress,
    clientAddress: someAddress,
  })
const someTable = fc.tuple(...NAMES.map(someMember)).map((members) => new MemberTable(CLUSTER, TERMS, members))

function merged(a: MemberTable, b: MemberTable): MemberTable {
  const result = a.merge(b)
  if (result === 'foreign-cluster') throw new Error('not one cluster')
  return result
}

describe('merging tables', () => {
  test('is commutative, associative and idempotent', () => {
    fc.assert(
      fc.property(someTable, someTable, someTable, (a, b, c) => {
        expect(merged(a, b).encode()).toEqual(merged(b, a).encode())
        expect(merged(merged(a, b), c).encode()).toEqual(merged(a, merged(b, c)).encode())
        expect(merged(a, a)).toBe(a)
        expect(merged(merged(a, b), b)).toStrictEqual(merged(a, b))
      }),
    )
  })

  test('lets the higher generation win, with its addresses, then the greater storage', () => {
    const founded = MemberTable.founded(
      CLUSTER,
      TERMS,
      NAMES.map((name) => ({ name, storage: storage(9), peerAddress: 'old:1', clientAddress: 'old:2' })),
    )
    const moved = founded.announce({
      name: 'node-1',
      storage: storage(9),
      peerAddress: 'far:1',
      clientAddress: 'far:2',
    })
    const renewed = founded.announce({
      name: 'node-1',
      storage: storage(2),
      peerAddress: 'new:1',
      clientAddress: 'new:2',
    })
    const rival = founded.announce({ name: 'node-1', storage: storage(3), peerAddress: 'a:3', clientAddress: 'a:4' })
    if (typeof moved === 'string' || typeof renewed === 'string' || typeof rival === 'string')
      throw new Error('unknown')
    expect(merged(founded, moved).member('node-1')?.peerAddress).toBe('far:1')
    expect(merged(moved, founded).member('node-1')?.peerAddress).toBe('far:1')
    expect(merged(moved, renewed).member('node-1')).toEqual(renewed.member('node-1'))
    expect(merged(rival, renewed).storageOf('node-1')).toBe(storage(3))
    expect(moved.digest).toBe(founded.digest)
    expect(renewed.digest).not.toBe(founded.digest)
  })

  test('is refused between clusters', () => {
    const table = MemberTable.founded(CLUSTER, TERMS, [
      { name: 'a', storage: storage(1), peerAddress: '', clientAddress: '' },
    ])
    const others = [
      new MemberTable(CLUSTER.replace(/1$/, '2'), TERMS, table.members),
      new MemberTable(CLUSTER, { ...TERMS, partitions: 64 }, table.members),
      new MemberTable(CLUSTER, { ...TERMS, defaults: '{}' }, table.members),
      new MemberTable(CLUSTER, TERMS, [{ ...table.members[0]!, name: 'b' }]),
      new MemberTable(CLUSTER, TERMS, [...table.members, { ...table.members[0]!, name: 'b' }]),
    ]
    for (const other of others) {
      expect(table.merge(other)).toBe('foreign-cluster')
      expect(other.merge(table)).toBe('foreign-cluster')
    }
  })
})

describe('announcing', () => {
  const table = MemberTable.founded(CLUSTER, TERMS, [
    { name: 'a', storage: storage(1), peerAddress: 'h:1', clientAddress: 'h:2' },
  ])

  test('the same again changes nothing', () => {
    expect(table.announce({ name: 'a', storage: storage(1), peerAddress: 'h:1', clientAddress: 'h:2' })).toBe(table)
  })

  test('a stranger is refused', () => {
    expect(table.announce({ name: 'b', storage: storage(1), peerAddress: '', clientAddress: '' })).toBe(
      'unknown-member',
    )
  })
})

describe('the digest', () => {
  test('is equal exactly where the same storages stand behind the names', () => {
    fc.assert(
      fc.property(someTable, someTable, (a, b) => {
        expect(a.digest).toMatch(/^[0-9a-f]{16}$/)
        expect(a.digest === b.digest).toBe(NAMES.every((name) => a.storageOf(name) === b.storageOf(name)))
      }),
    )
  })
})

describe('the bytes of a table', () => {
  test('give it back', () => {
    fc.assert(
      fc.property(someTable, (table) => {
        expect(MemberTable.decode(table.encode())).toEqual(table)
      }),
    )
  })

  test('are refused when cut, extended or altered, and never crash the reader', () => {
    fc.assert(
      fc.property(someTable, fc.nat(), fc.integer({ min: 0, max: 255 }), (table, at, byte) => {
        const bytes = table.encode()
        expect(() => MemberTable.decode(bytes.subarray(0, at % bytes.length))).toThrow(MalformedBytes)
        expect(() => MemberTable.decode(Buffer.concat([bytes, Buffer.from([byte])]))).toThrow(MalformedBytes)
        const altered = Buffer.from(bytes)
        altered[at % bytes.length] = byte
        try {
          expect(MemberTable.decode(altered).encode()).toEqual(altered)
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBytes)
        }
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => MemberTable.decode(bytes)).toThrow(MalformedBytes)
      }),
    )
  })
})
