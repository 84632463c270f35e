// The power of all five nodes' disks is cut at once, under load, again and again: what was acknowledged was synced before, so it is there
// when the power is back, at once and without repair. A copy of the sources that does not sync must be caught by the very same story.
// Skipped, with the reason, where file systems cannot be mounted and shut down.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Audit } from '../audit.ts'
import { AuditedClient } from '../audited-client.ts'
import { Cluster } from '../cluster.ts'
import { converge } from '../convergence.ts'
import { checkEverything, judgeKeys } from '../final-check.ts'
import { PowerCutDisk, whyNoPowerCut } from '../power-cut.ts'
import { type StoryOptions, Verdict } from '../verdict.ts'
import { until } from '../waiting.ts'
import { Workload } from '../workload.ts'
import { mustBeCaught } from './without-fsync.ts'

const NODES = 5
const WRITES_LEAST = 60
/** The first one catches it nearly always. */
const CONTROL_CYCLES_MAX = 5

export async function power(options: StoryOptions): Promise<Verdict> {
  const { cycles, short, random, say } = options
  const verdict = new Verdict()
  const folder = mkdtempSync(join(tmpdir(), 'quorate-power-'))
  try {
    const why = whyNoPowerCut(folder)
    if (why !== null) return verdict.skip('power cuts', why)
    await cuts(options, verdict, folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  if (!short) await mustBeCaught(verdict, Math.min(Math.max(1, cycles), CONTROL_CYCLES_MAX), random, say)
  return verdict
}

/** Only the control: the broken copy, cut so many times. */
export async function powerWithoutFsync({ cycles, random, say }: StoryOptions): Promise<Verdict> {
  const verdict = new Verdict()
  const folder = mkdtempSync(join(tmpdir(), 'quorate-power-'))
  const why = whyNoPowerCut(folder)
  rmSync(folder, { recursive: true, force: true })
  if (why !== null) return verdict.skip('power cuts', why)
  await mustBeCaught(verdict, Math.max(1, cycles), random, say)
  return verdict
}

async function cuts({ seconds, cycles, random, say }: StoryOptions, verdict: Verdict, folder: string): Promise<void> {
  const disks: PowerCutDisk[] = []
  try {
    for (let i = 0; i < NODES; i++) disks.push(new PowerCutDisk(folder, `node-${i}`))
    const dirOf = (index: number): string => join((disks[index] as PowerCutDisk).mountPoint, 'data')
    await using cluster = await Cluster.start({ nodes: NODES, dirOf, args: ['--log-level', 'warn'] })
    say('five nodes serve, each on a disk of its own')
    const client = new AuditedClient(cluster, new Audit(), verdict, 'torture', random)
    const end = performance.now() + seconds * 1000
    let count = 0
    do {
      await cutUnderLoad(client, disks)
      if (++count % 10 === 0) say(`${count} power cuts`)
    } while (cycles > 0 ? count < cycles : performance.now() < end)
    await converge(cluster, verdict)
    await checkEverything(client)
  } finally {
    for (const disk of disks) disk.remove()
  }
}

async function cutUnderLoad(client: AuditedClient, disks: readonly PowerCutDisk[]): Promise<void> {
  const { cluster, audit, verdict } = client
  const known = new Set(audit.keys)
  const workload = new Workload(client, { clients: 2, paceMs: 2 })
  workload.begin()
  const enough = audit.acknowledgedCount + WRITES_LEAST
  await until('clients have written', () => audit.acknowledgedCount >= enough, 30_000)
  await delay(client.random.next() * 1000)
  client.reachOf = () => null
  // One after the other within milliseconds; what is acknowledged between the first and the last has its quorum on the others.
  for (const disk of disks) disk.cut()
  await Promise.all(cluster.nodes.map((node) => node.kill()))
  await workload.end()
  for (const disk of disks) disk.restore()
  for (const node of cluster.nodes) node.start()
  await Promise.all(cluster.nodes.map((node) => node.ready()))
  verdict.count('power cuts of all five')
  verdict.inject('power cut of all five')
  await cluster.whole()
  const before = verdict.violated
  await judgeKeys(
    client,
    audit.keys.filter((key) => !known.has(key)),
  )
  if (verdict.violated > before) verdict.count('power cuts after which something was wrong')
  client.reachOf = (node) => (node.isWell ? node.era : null)
}
