// What operators are told when something is wrong: figures that can alarm, a line once and not at every attempt, causes in words.

import { expect, test } from 'vitest'
import { invariant, QuorateError } from '../../src/errors.ts'
import type { QuorateNode } from '../../src/node/node.ts'
import { type Host, SimulatedCluster, type SimulatedClusterOptions } from '../../src/simulator/simulated-cluster.ts'
import { NO_DISK_FAULTS } from '../../src/simulator/simulated-disk.ts'
import { type Line, remember } from '../lines.ts'

interface World {
  readonly cluster: SimulatedCluster
  readonly a: Host
  readonly b: Host
  readonly c: Host
  readonly lines: ReadonlyMap<string, Line[]>
}

async function formed(options: Partial<SimulatedClusterOptions> = {}): Promise<World> {
  const lines = new Map<string, Line[]>()
  const logger: SimulatedClusterOptions['logger'] = (host) => {
    const own = lines.get(host) ?? []
    lines.set(host, own)
    return remember(own)
  }
  // Spread would read what a getter gives only once.
  const all = Object.defineProperties({ seed: 'told', nodes: 3, partitions: 8, logger }, descriptors(options))
  const cluster = new SimulatedCluster(all)
  const [a, b, c] = cluster.hosts
  invariant(a !== undefined && b !== undefined && c !== undefined, 'three hosts')
  cluster.startAll()
  invariant(await cluster.untilServing(), 'the cluster forms')
  return { cluster, a, b, c, lines }
}

function descriptors(options: object): PropertyDescriptorMap {
  return Object.getOwnPropertyDescriptors(options)
}

function nodeOf({ node }: Host): QuorateNode {
  invariant(node !== null, 'it runs')
  return node
}

test('the oldest comparison also counts a member that was never compared with, from when this node began to serve', async () => {
  const { cluster, a, b, c } = await formed()
  cluster.crash(a, 'reset', false)
  cluster.crash(c, 'reset', false)
  cluster.start(a)
  expect(
    await cluster.time.runUntilCondition(() => a.serving && nodeOf(a).rooms!.links.reachable(b.name), 10_000),
  ).toBe(true)
  await cluster.time.runFor(20_000)
  const status = nodeOf(a).repairStatus()
  expect(status.peers.map(({ node }) => node)).toEqual([b.name])
  expect(status.oldestComparisonMs).toBeGreaterThan(19_000)
  expect(nodeOf(a).peers()).toEqual([
    { name: b.name, reachable: true },
    { name: c.name, reachable: false },
  ])
  cluster.start(c)
  await cluster.time.runUntilCondition(() => c.serving, 10_000)
  await cluster.time.runFor(10_000)
  expect(nodeOf(a).repairStatus().oldestComparisonMs).toBeLessThan(5000)
})

test('without other members there is no oldest comparison', async () => {
  const cluster = new SimulatedCluster({ seed: 'alone', nodes: 1, partitions: 8 })
  cluster.startAll()
  invariant(await cluster.untilServing(), 'it serves')
  await cluster.time.runFor(5000)
  expect(nodeOf(cluster.hosts[0]!).repairStatus().oldestComparisonMs).toBeNull()
})

test('rounds that fail are counted, told once, and forgotten once one goes through', async () => {
  const { cluster, a, b, c, lines } = await formed()
  const node = nodeOf(a)
  const { links } = node.rooms!
  const request = links.request.bind(links)
  let why: string | null = 'it says nonsense'
  links.request = (member, ...given) =>
    why !== null && member === b.name ? Promise.reject(new QuorateError('refused', why)) : request(member, ...given)
  expect(await cluster.time.runUntilCondition(() => node.repairStatus().roundFailures >= 3, 60_000)).toBe(true)
  const status = node.repairStatus()
  expect(status.lastError).toBe(`${b.name}: it says nonsense`)
  expect(status.peers.find((peer) => peer.node === b.name)?.error).toBe('it says nonsense')
  expect(status.peers.find((peer) => peer.node === c.name)?.error).toBeNull()
  const told = (): unknown[] =>
    lines.get(a.name)!.flatMap(({ level, fields }) => (level === 'warn' && 'error' in fields ? [fields] : []))
  expect(told()).toEqual([{ peer: b.name, error: 'it says nonsense' }])
  expect((await cluster.time.settle(node.repairNow())).failed).toEqual([`${b.name}: it says nonsense`])
  why = 'something else'
  const { roundFailures } = node.repairStatus()
  await cluster.time.runUntilCondition(() => node.repairStatus().roundFailures >= roundFailures + 2, 60_000)
  expect(told()).toHaveLength(2)
  // A round that is under way has been refused already, and would be joined.
  await cluster.time.runUntilCondition(() => !node.repairStatus().running, 60_000)
  why = null
  expect((await cluster.time.settle(node.repairNow())).failed).toEqual([])
  expect(node.repairStatus().lastError).toBeNull()
})

test('a full disk is named as such, and is waited for', async () => {
  const { cluster, a, lines } = await formed()
  const node = nodeOf(a)
  const { storage } = node.rooms!
  a.disk.faults = { ...NO_DISK_FAULTS, capacityBytes: 0 }
  const lsn = storage.setCatalog('more', Buffer.alloc(100))
  await cluster.time.runFor(5000)
  expect([a.fatal, storage.isFull, storage.isSynced(lsn)]).toEqual([null, true, false])
  const told = (): unknown[] => lines.get(a.name)!.filter(({ message }) => message.includes('the storage'))
  expect(told()).toMatchObject([
    { level: 'warn', fields: { why: expect.stringContaining('no room for the log') as unknown } },
  ])
  a.disk.faults = NO_DISK_FAULTS
  await cluster.time.settle(storage.synced(lsn))
  await cluster.time.runFor(2000)
  expect(storage.isFull).toBe(false)
  expect(told()).toMatchObject([{ level: 'warn' }, { level: 'info' }])
})

test('whoever has another secret hears so as an error, of each peer and once a minute', async () => {
  let secrets = ['ours']
  const { cluster, a, b, c, lines } = await formed({
    get secrets() {
      return secrets
    },
  })
  cluster.crash(c, 'reset', false)
  secrets = ['another']
  cluster.start(c)
  await cluster.time.runFor(200_000)
  for (const [host, others] of [
    [c, [a, b]],
    [a, [c]],
  ] as const) {
    const refusals = lines.get(host.name)!.filter(({ fields }) => 'reason' in fields && fields.reason === 'bad-secret')
    expect(refusals.length).toBeLessThanOrEqual(4 * 2 * others.length)
    const errors = refusals.filter(({ level }) => level === 'error')
    for (const other of others) {
      const ofOther = errors.filter(({ fields }) => 'detail' in fields && String(fields.detail).startsWith(other.name))
      expect(ofOther.length).toBeGreaterThanOrEqual(1)
      expect(ofOther.length).toBeLessThanOrEqual(4)
    }
  }
})

test('before it belongs to a cluster a node shows the same reason everywhere', async () => {
  const cluster = new SimulatedCluster({ seed: 'waiting', nodes: 3, partitions: 8 })
  const [host] = cluster.hosts
  cluster.start(host!)
  await cluster.time.runFor(2000)
  const node = nodeOf(host!)
  const readiness = node.readiness()
  const reason = readiness.ready ? '' : readiness.reason
  expect(reason).toContain('2 more members are expected')
  expect(() => node.cluster()).toThrow(reason)
  expect(() => node.ring()).toThrow(reason)
})
