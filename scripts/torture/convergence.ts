// How fast replicas become equal after faults: counts the keys that differ as healing finds them, waits until nothing is left to heal, and
// holds the time against the bound. Decides only the bound. Invariant: a key that a hint brings home counts, and one that a comparison
// or a read finds; a key that differs at two homes counts twice, which only makes the bound wider by what was really done.

import type { Cluster } from './cluster.ts'
import type { NodeProcess } from './node-process.ts'
import type { Verdict } from './verdict.ts'

const SECONDS_FOR = 30
const KEYS = 100_000
/** Waits far beyond the bound, so that a slow healing is told from none. */
const PATIENCE = 6

/** From now, the end of the faults, until every node is whole and quiet. All nodes run. */
export async function converge(cluster: Cluster, verdict: Verdict, keysExpected: number = 0): Promise<void> {
  const startedAt = performance.now()
  const hints = await sumOver(cluster, async (node) => (await cluster.json<{ hints: number }>(node, '/v1/hints')).hints)
  const repaired = await sumOver(cluster, (node) => repairsAt(cluster, node))
  const boundMs = (keys: number): number => SECONDS_FOR * 1000 * Math.max(1, keys / KEYS)
  await cluster.quiet(PATIENCE * boundMs(Math.max(hints, keysExpected)))
  const seconds = (performance.now() - startedAt) / 1000
  const keys = hints + (await sumOver(cluster, (node) => repairsAt(cluster, node))) - repaired
  verdict.convergences.push({ keys, seconds })
  verdict.figures[`keys that differed, and seconds until quiet (${verdict.convergences.length})`] =
    `${keys}, ${seconds.toFixed(1)}`
  verdict.hold(
    seconds * 1000 <= boundMs(keys),
    `${keys} keys that differed took ${seconds.toFixed(1)} s to heal; ${(boundMs(keys) / 1000).toFixed(0)} are allowed`,
  )
}

async function repairsAt(cluster: Cluster, node: NodeProcess): Promise<number> {
  const { keysRepaired, readRepairs } = await cluster.repair(node)
  return keysRepaired + readRepairs
}

async function sumOver(cluster: Cluster, figure: (node: NodeProcess) => Promise<number>): Promise<number> {
  return (await Promise.all(cluster.nodes.map(figure))).reduce((sum, each) => sum + each, 0)
}
