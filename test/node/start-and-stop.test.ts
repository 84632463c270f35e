// A node that is stopped before it serves never begins to; one that starts again lets the times pass that it may have told before.

import { expect, test } from 'vitest'
import { SimulatedCluster } from '../../src/simulator/simulated-cluster.ts'

test('a start that is overtaken by a stop ends, and nothing is served', async () => {
  const cluster = new SimulatedCluster({ seed: 1, nodes: 3, partitions: 4 })
  const [host] = cluster.hosts
  cluster.start(host!)
  const { node } = host!
  // Between two looks at whether it may go on: the one that finds it stopped ends the process.
  await cluster.time.runFor(450)
  expect(node!.readiness().ready).toBe(false)
  await cluster.time.settle(node!.stop())
  expect(await cluster.time.runUntilCondition(() => host!.fatal !== null, 5000)).toBe(true)
  expect(host!.fatal).toContain('stopped before it served')
  expect(node!.readiness().ready).toBe(false)
})

test('whoever stops it twice waits for the one end', async () => {
  const cluster = new SimulatedCluster({ seed: 2, nodes: 1, partitions: 4 })
  cluster.startAll()
  expect(await cluster.untilServing()).toBe(true)
  const node = cluster.hosts[0]!.node!
  void node.stop()
  const second = node.stop()
  let ended = false
  void second.then(() => {
    ended = true
  })
  await Promise.resolve()
  expect(ended).toBe(false)
  await cluster.time.settle(second)
  expect(() => node.rooms!.storage.setCatalog('late', Buffer.of(1))).toThrow('closed')
})

test('a restart waits until all times that its earlier life may have told have passed', async () => {
  const cluster = new SimulatedCluster({ seed: 3, nodes: 1, partitions: 4 })
  cluster.startAll()
  expect(await cluster.untilServing()).toBe(true)
  const [host] = cluster.hosts
  cluster.crash(host!, 'reset', true)
  const from = cluster.time.now
  cluster.start(host!)
  expect(await cluster.untilServing()).toBe(true)
  // Times are taken over up to two clock bounds of 500 ms ahead.
  expect(cluster.time.now - from).toBeGreaterThanOrEqual(1000)
})
