// What a node knows of its peers and what it asks of them, with whole nodes on a simulated network.

import { expect, test } from 'vitest'
import { invariant } from '../../src/errors.ts'
import type { QuorateNode } from '../../src/node/node.ts'
import { type Host, SimulatedCluster } from '../../src/simulator/simulated-cluster.ts'

async function formed(): Promise<{ cluster: SimulatedCluster; a: Host; b: Host; c: Host }> {
  const cluster = new SimulatedCluster({ seed: 'peers', nodes: 3, partitions: 8 })
  cluster.startAll()
  invariant(await cluster.untilServing(), 'the cluster forms')
  const [a, b, c] = cluster.hosts
  invariant(a !== undefined && b !== undefined && c !== undefined, 'three hosts')
  return { cluster, a, b, c }
}

function nodeOf({ node }: Host): QuorateNode {
  invariant(node !== null, 'it runs')
  return node
}

const versions = (host: Host): unknown =>
  Object.fromEntries(
    nodeOf(host)
      .cluster()
      .members.map(({ name, version }) => [name, version]),
  )

test('the version of each member is known, unless it was never heard', async () => {
  const { cluster, a, c } = await formed()
  const all = { 'node-0': 'simulated', 'node-1': 'simulated', 'node-2': 'simulated' }
  expect(versions(a)).toEqual(all)
  cluster.crash(c, 'reset', false)
  await cluster.time.runFor(5000)
  expect(versions(a)).toEqual(all)
  cluster.crash(a, 'reset', false)
  cluster.start(a)
  await cluster.time.runUntilCondition(() => a.serving, 10_000)
  expect(versions(a)).toEqual({ ...all, 'node-2': null })
})

test('a listing that no peer would understand costs itself, not the links', async () => {
  const { cluster, a, b, c } = await formed()
  const lost: string[] = []
  for (const host of [a, b, c]) {
    const { rooms } = nodeOf(host)
    rooms?.links.onChange((member, reachable) => lost.push(`${host.name} ${member} ${reachable}`))
  }
  const listing = { bucket: 'b', prefix: '€'.repeat(342), limit: 10, cursor: null, timeoutMs: 1000 }
  const outcome = await cluster.time.settle(nodeOf(a).coordinator.list(listing))
  expect(outcome.type).toBe('quorum-not-met')
  await cluster.time.runFor(5000)
  expect(lost).toEqual([])
  const honest = await cluster.time.settle(nodeOf(a).coordinator.list({ ...listing, prefix: '€'.repeat(341) }))
  expect(honest).toMatchObject({ type: 'page', keys: [], more: false })
})
