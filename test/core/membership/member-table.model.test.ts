// Member tables that nodes tell each other, late, repeated and out of order, against a model of one number for each name: how many of its
// announcements somebody has heard of. What a table says of a name is the announcement of that number, and never one from before.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Identity } from '../../../src/core/membership/identity.ts'
import { MemberTable } from '../../../src/core/membership/member-table.ts'

const CLUSTER = '00000000-0000-8000-8000-000000000001'
const TERMS = { clusterName: 'c', partitions: 8, defaults: '{}' }
const NAMES = ['node-0', 'node-1', 'node-2'] as const

const identity = (name: string, storage: number, address: number): Identity => ({
  name,
  storage: `00000000-0000-4000-8000-${String(storage).padStart(12, '0')}`,
  peerAddress: `host-${address}:1`,
  clientAddress: `host-${address}:2`,
})

const index = fc.nat(NAMES.length - 1)
const step = fc.oneof(
  /** Somebody who has heard all of a name announces a storage or an address for it. */
  fc.record({ do: fc.constant('announce'), name: index, storage: fc.nat(3), address: fc.nat(2) }),
  fc.record({ do: fc.constant('tell'), from: index }),
  /** One of the tables that were ever told arrives, perhaps again. */
  fc.record({ do: fc.constant('arrive'), at: index, which: fc.nat() }),
)

interface Known {
  table: MemberTable
  /** For each name: the last announcement that was heard of. */
  readonly heard: number[]
}

test('says of each name what was last heard, whatever comes late, twice or not at all', () => {
  let renewed = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const announced = NAMES.map((name, i) => [identity(name, 100 + i, 0)])
      const founded = MemberTable.founded(CLUSTER, TERMS, announced.flat())
      const nodes: Known[] = NAMES.map(() => ({ table: founded, heard: [0, 0, 0] }))
      const told: { readonly bytes: Uint8Array; readonly heard: readonly number[] }[] = []
      const arrive = (node: Known, bytes: Uint8Array, heard: readonly number[]): void => {
        const merged = node.table.merge(MemberTable.decode(bytes))
        if (merged === 'foreign-cluster') throw new Error('not one cluster')
        node.table = merged
        for (const [i, last] of heard.entries()) node.heard[i] = Math.max(node.heard[i] ?? 0, last)
      }
      const check = (): void => {
        for (const { table, heard } of nodes)
          expect(NAMES.map((name) => table.member(name))).toMatchObject(heard.map((last, i) => announced[i]?.[last]))
      }
      for (const one of steps) {
        if (one.do === 'announce') {
          const all = announced[one.name]
          const node = nodes.find(({ heard }) => heard[one.name] === (all?.length ?? 0) - 1)
          const current = identity(NAMES[one.name] ?? '', one.storage, one.address)
          const table = node?.table.announce(current)
          if (!node || !all || !table || table === 'unknown-member' || table === node.table) continue
          if (table.digest !== node.table.digest) renewed++
          node.table = table
          node.heard[one.name] = all.push(current) - 1
        } else if (one.do === 'tell') {
          const { table, heard } = nodes[one.from] as Known
          told.push({ bytes: table.encode(), heard: [...heard] })
        } else {
          const message = told[one.which % Math.max(1, told.length)]
          if (message) arrive(nodes[one.at] as Known, message.bytes, message.heard)
        }
        check()
      }
      // Everybody hears of everything in the end, in whatever order.
      for (const from of nodes) for (const node of nodes) arrive(node, from.table.encode(), from.heard)
      for (const from of nodes.toReversed()) for (const node of nodes) arrive(node, from.table.encode(), from.heard)
      check()
      expect(new Set(nodes.map(({ table }) => table.encode().toString('hex'))).size).toBe(1)
      for (const { heard } of nodes) expect(heard).toEqual(announced.map((all) => all.length - 1))
    }),
    { numRuns: 1000 },
  )
  expect(renewed).toBeGreaterThan(200)
})
