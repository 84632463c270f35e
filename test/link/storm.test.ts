// Five nodes through partitions, crashes and broken connections: afterwards everybody is linked, once, by the same connection.

import { describe, expect, test } from 'vitest'
import { World, write } from './two-nodes.ts'
import type { TestNode } from './two-nodes.ts'

const NAMES = ['n0', 'n1', 'n2', 'n3', 'n4']

describe('after a storm', () => {
  for (let seed = 0; seed < 12; seed++) {
    test(`all are linked again (seed ${seed})`, async () => {
      const world = new World(`storm-${seed}`)
      const random = world.random.fork('storm')
      world.network.setName('tasks', NAMES)
      const start = async (name: string): Promise<TestNode> => {
        const node = world.node(name, { members: NAMES, seeds: ['tasks:7481'], secrets: ['secret'] })
        await world.time.settle(node.links.start())
        return node
      }
      const nodes = new Map<string, TestNode>()
      for (const name of NAMES) nodes.set(name, await start(name))
      for (let round = 0; round < 25; round++) {
        const [a = '', b = ''] = random.shuffle(NAMES)
        const fault = random.integer(0, 5)
        if (fault === 0) world.network.cut(a, b)
        else if (fault === 1) world.network.healAll()
        else if (fault === 2) world.network.resetBetween(a, b)
        else if (fault === 3) nodes.get(a)?.process.pause(random.next() * 5000)
        else {
          nodes.get(a)?.process.kill()
          world.network.crashHost(a, random.pick(['reset', 'silent'] as const))
          nodes.set(a, await start(a))
        }
        await world.time.runFor(random.next() * 1500)
      }
      world.network.healAll()
      const all = [...nodes.values()]
      const linked = (): boolean => all.every((x) => all.every((y) => x === y || x.links.reachable(y.name)))
      expect(await world.time.runUntilCondition(linked, 15_000)).toBe(true)
      // Long enough that every link which lost against another is gone, and nobody opened or lost one for nothing.
      await world.time.runFor(10_000)
      for (const node of all) node.changes.length = 0
      await world.time.runFor(30_000)
      expect(all.flatMap((node) => node.changes)).toEqual([])
      for (const x of all) {
        expect(x.links.status().length).toBe(NAMES.length - 1)
        for (const link of x.links.status()) {
          const back = nodes
            .get(link.member)
            ?.links.status()
            .find((other) => other.member === x.name)
          expect(back?.initiatedHere).toBe(!link.initiatedHere)
          const answer = await world.time.settle(x.links.request(link.member, write(), { budgetMs: 1000 }))
          expect(answer.storage).toBe(`storage-of-${link.member}`)
        }
      }
    })
  }
})
