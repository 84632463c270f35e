// Every write and sync of one node's disk takes hundreds of milliseconds, for a few seconds, again and again: the others make W without it,
// and so does that node for its own clients.

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Audit } from '../audit.ts'
import { AuditedClient } from '../audited-client.ts'
import { Cluster } from '../cluster.ts'
import { converge } from '../convergence.ts'
import { checkEverything } from '../final-check.ts'
import { Injection, SYNCS, WRITES } from '../injection.ts'
import type { StoryOptions, Verdict } from '../verdict.ts'
import { until } from '../waiting.ts'
import { Workload } from '../workload.ts'

const SLOW_MS = [200, 1500] as const
const LASTS_MS = 3000

export async function slowDisks(options: StoryOptions, verdict: Verdict, folder: string): Promise<void> {
  const { cycles, random, say } = options
  await using cluster = await Cluster.start({ args: ['--log-level', 'warn'] })
  const client = new AuditedClient(cluster, new Audit(), verdict, 'torture', random.fork('slow'))
  const choice = random.fork('which disk')
  const workload = new Workload(client, { clients: 1, paceMs: 5 })
  workload.begin()
  for (let count = 0; count < Math.max(1, cycles); count++) {
    const node = choice.pick(cluster.nodes)
    const slowMs = Math.round(SLOW_MS[0] + choice.next() * (SLOW_MS[1] - SLOW_MS[0]))
    const what = `delay_enter=${slowMs * 1000}`
    const injection = await new Injection(
      node.pid ?? 0,
      `${WRITES},${SYNCS}`,
      what,
      join(folder, 'slow.log'),
    ).attached()
    await until('calls are slow', () => injection.count > 0, 30_000)
    await delay(LASTS_MS)
    verdict.count('slowed system calls', await injection.end())
    verdict.inject('slow disk')
  }
  await workload.end()
  say('slow disks are over')
  await converge(cluster, verdict)
  await checkEverything(client)
}
