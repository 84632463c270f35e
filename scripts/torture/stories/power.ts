// The power of all five nodes' disks is cut at once, under load, again and again: what was acknowledged was synced before, so it is there
// when the power is back. Skipped, with the reason, where file systems cannot be mounted and shut down.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Audit } from '../audit.ts'
import { AuditedClient } from '../audited-client.ts'
import { Cluster } from '../cluster.ts'
import { checkEverything } from '../final-check.ts'
import { PowerCutDisk, whyNoPowerCut } from '../power-cut.ts'
import { type StoryOptions, Verdict } from '../verdict.ts'
import { until } from '../waiting.ts'
import { Workload } from '../workload.ts'

const NODES = 5
const WRITES_LEAST = 60

export async function power({ seconds, short, random, say }: StoryOptions): Promise<Verdict> {
  const verdict = new Verdict()
  const folder = mkdtempSync(join(tmpdir(), 'quorate-power-'))
  const disks: PowerCutDisk[] = []
  try {
    const why = whyNoPowerCut(folder)
    if (why !== null) {
      verdict.figures['skipped'] = why
      return verdict
    }
    for (let i = 0; i < NODES; i++) disks.push(new PowerCutDisk(folder, `node-${i}`))
    const dirOf = (index: number): string => join((disks[index] as PowerCutDisk).mountPoint, 'data')
    await using cluster = await Cluster.start({ nodes: NODES, dirOf, args: ['--log-level', 'warn'] })
    say('five nodes serve, each on a disk of its own')
    const client = new AuditedClient(cluster, new Audit(), verdict, 'torture', random)
    const end = performance.now() + seconds * 1000
    do await cutUnderLoad(client, disks, verdict)
    while (!short && performance.now() < end)
    await cluster.quiet()
    await checkEverything(client)
  } finally {
    for (const disk of disks) disk.remove()
    rmSync(folder, { recursive: true, force: true })
  }
  return verdict
}

async function cutUnderLoad(client: AuditedClient, disks: readonly PowerCutDisk[], verdict: Verdict): Promise<void> {
  const { cluster, audit } = client
  const workload = new Workload(client, { clients: 2, paceMs: 2 })
  workload.begin()
  const enough = audit.acknowledgedCount + WRITES_LEAST
  await until('clients have written', () => audit.acknowledgedCount >= enough, 30_000)
  await delay(client.random.next() * 1000)
  // One after the other within milliseconds; what is acknowledged between the first and the last has its quorum on the others.
  for (const disk of disks) disk.cut()
  await Promise.all(cluster.nodes.map((node) => node.kill()))
  await workload.end()
  for (const disk of disks) disk.restore()
  for (const node of cluster.nodes) node.start()
  await Promise.all(cluster.nodes.map((node) => node.ready()))
  verdict.count('power cuts of all five')
}
