// SIGSTOP, again and again, of at most two of five nodes at a time, for 1 to 30 s: to the others a paused node is one that died, to itself
// no time has passed. It may acknowledge nothing wrongly when it awakes, must remove nothing, and what was in its sockets is old by then.

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

const PAUSED_MAX = 2
const PAUSE_MS = [1000, 30_000] as const
const SHORT_PAUSE_MS = [800, 3500] as const
const BETWEEN_MS = [200, 2000] as const
/** Most clients turn to another node; some wait for the answer of the one that awakes. */
const PATIENCE_MS = [4000, 35_000] as const
const PATIENT = 0.1
/** So many of the requests that could go to a paused node do; with all of them every client would wait most of the time. */
const UNLUCKY = 0.1

export async function pause({ seconds, cycles, short, random, say }: StoryOptions): Promise<Verdict> {
  const verdict = new Verdict()
  if (process.platform === 'win32') return verdict.skip('pauses', 'this needs signals that stop a process')
  await using cluster = await Cluster.start({ args: ['--log-level', 'warn'] })
  say(`five nodes serve; data and logs in ${cluster.folder}`)
  const client = new AuditedClient(cluster, new Audit(), verdict, 'torture', random)
  const patience = random.fork('patience')
  client.patienceMs = () => PATIENCE_MS[!short && patience.next() < PATIENT ? 1 : 0]
  client.avoids = (node) => node.isPaused && patience.next() > UNLUCKY
  const workload = new Workload(client, { clients: short ? 1 : 2, paceMs: short ? 10 : 5 })
  workload.begin()
  const pauses = random.fork('pauses')
  const endsAt = performance.now() + seconds * 1000
  const paused = new Set<Promise<void>>()
  for (let count = 0; cycles > 0 ? count < cycles : performance.now() < endsAt; count++) {
    await delay(between(pauses, BETWEEN_MS))
    if (paused.size >= PAUSED_MAX) await Promise.race(paused)
    const node = pauses.pick(cluster.nodes.filter(({ isPaused }) => !isPaused))
    const pausing = pauseOf(node, logUniform(pauses, short ? SHORT_PAUSE_MS : PAUSE_MS), verdict)
    paused.add(pausing)
    void pausing.then(() => paused.delete(pausing))
    if (count % 10 === 9) say(`${count + 1} pauses`)
  }
  await Promise.all(paused)
  await workload.end()
  say('all run again; waiting for hints to drain and replicas to agree')
  await converge(cluster, verdict)
  await checkEverything(client)
  for (const node of cluster.nodes) verdict.hold(node.running, `${node.name} ended; its log ends:\n${node.logTail()}`)
  return verdict
}

async function pauseOf(node: NodeProcess, ms: number, verdict: Verdict): Promise<void> {
  node.signal('SIGSTOP')
  verdict.inject('SIGSTOP')
  verdict.count('pauses')
  verdict.count('seconds of pauses', Math.round(ms / 1000))
  await delay(ms)
  node.signal('SIGCONT')
}

function between(random: SeededRandom, [least, most]: readonly [number, number]): number {
  return least + random.next() * (most - least)
}

/** As many between 1 and 2 s as between 15 and 30 s. */
function logUniform(random: SeededRandom, [least, most]: readonly [number, number]): number {
  return least * (most / least) ** random.next()
}
