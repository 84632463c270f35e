// SIGKILL, again and again, of at most two of five nodes at a time, under writers of all kinds. Afterwards nothing that was acknowledged
// may be missing, nothing superseded may be back, the replicas must be identical and the hints gone; strict answers are judged at once.

import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../../../src/simulator/seeded-random.ts'
import { Audit } from '../audit.ts'
import { AuditedClient } from '../audited-client.ts'
import { Cluster } from '../cluster.ts'
import { converge } from '../convergence.ts'
import { checkEverything } from '../final-check.ts'
import type { NodeProcess } from '../node-process.ts'
import { type StoryOptions, Verdict } from '../verdict.ts'
import { Workload } from '../workload.ts'

const DOWN_MAX = 2
const DOWN_MS = [300, 4000] as const
const BETWEEN_MS = [200, 2500] as const

export async function kill({ seconds, cycles, short, random, say }: StoryOptions): Promise<Verdict> {
  const verdict = new Verdict()
  await using cluster = await Cluster.start({ args: ['--log-level', 'warn'] })
  say(`five nodes serve; data and logs in ${cluster.folder}`)
  const client = new AuditedClient(cluster, new Audit(), verdict, 'torture', random)
  const workload = new Workload(client, { clients: short ? 1 : 2, paceMs: short ? 10 : 5 })
  const until = performance.now() + seconds * 1000
  workload.begin()
  const revivals = new Set<Promise<void>>()
  const kills = random.fork('kills')
  for (let count = 0; cycles > 0 ? count < cycles : performance.now() < until;) {
    await delay(between(kills, BETWEEN_MS))
    if (revivals.size >= DOWN_MAX) continue
    if (cluster.serving.length === 0) continue
    const node = kills.pick(cluster.serving)
    await node.kill()
    count++
    verdict.count('kills')
    verdict.inject('SIGKILL')
    if (count % 50 === 0) say(`${count} kills`)
    const revival = revive(node, between(kills, DOWN_MS)).catch((error: unknown) => verdict.violate(String(error)))
    revivals.add(revival)
    void revival.then(() => revivals.delete(revival))
  }
  await workload.end()
  await Promise.all(revivals)
  say('the faults are over; waiting for hints to drain and replicas to agree')
  await converge(cluster, verdict)
  await checkEverything(client)
  return verdict
}

async function revive(node: NodeProcess, afterMs: number): Promise<void> {
  await delay(afterMs)
  node.start()
  await node.ready()
}

function between(random: SeededRandom, [least, most]: readonly [number, number]): number {
  return least + random.next() * (most - least)
}
