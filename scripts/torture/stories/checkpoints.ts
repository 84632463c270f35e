// SIGKILL, again and again, of a single node that is nearly always writing a checkpoint, under writers of all kinds: nobody else holds a
// copy, so what its own directory does not give back is missing. Nothing acknowledged may be, and it must never report damage.

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../../../src/simulator/seeded-random.ts'
import { Audit } from '../audit.ts'
import { AuditedClient } from '../audited-client.ts'
import { Cluster } from '../cluster.ts'
import { checkEverything } from '../final-check.ts'
import type { NodeProcess } from '../node-process.ts'
import { type StoryOptions, Verdict } from '../verdict.ts'
import { until } from '../waiting.ts'
import { Workload } from '../workload.ts'

/** The least that there are: a checkpoint is due each time the log has outgrown the data. */
const SETTINGS = ['--segment-bytes-max', '64KiB', '--checkpoint-bytes-min', '64KiB']
const UP_MS = [20, 1200] as const
/** So long it is waited for a checkpoint to kill it in. */
const CHECKPOINT_WITHIN_MS = 3000
const POLL_MS = 1
/** However slow the machine. */
const KILLS_LEAST = 4

export async function checkpoints({ seconds, short, random, say }: StoryOptions): Promise<Verdict> {
  const verdict = new Verdict()
  await using cluster = await Cluster.start({ nodes: 1, args: ['--log-level', 'warn', ...SETTINGS] })
  const node = cluster.node(0)
  say(`one node serves; data and log in ${cluster.folder}`)
  const client = new AuditedClient(cluster, new Audit(), verdict, 'torture', random)
  const workload = new Workload(client, { clients: short ? 2 : 3, paceMs: 1 })
  const endsAt = performance.now() + seconds * 1000
  const kills = random.fork('kills')
  workload.begin()
  for (let done = 0; done < KILLS_LEAST || performance.now() < endsAt; done++) await killOnce(client, node, kills)
  await workload.end()
  say(`${verdict.figures['kills']} kills are over; reading everything again`)
  await cluster.quiet()
  await checkEverything(client)
  const damage = readFileSync(node.plan.logFile, 'utf8')
    .split('\n')
    .filter((line) => /damage|quarantine/i.test(line))
  for (const line of damage) verdict.violate(`${node.name} speaks of damage: ${line}`)
  for (const name of filesOf(node)) verdict.hold(!name.startsWith('quarantine-'), `${name} was set aside`)
  return verdict
}

/** At a moment of chance, or as soon as it is seen to write a checkpoint and a little after that. */
async function killOnce({ audit, verdict }: AuditedClient, node: NodeProcess, random: SeededRandom): Promise<void> {
  const before = audit.acknowledgedCount
  await until('writes are acknowledged again', () => audit.acknowledgedCount > before, 30_000)
  await delay(between(random, UP_MS))
  if (random.chance(0.75)) {
    const giveUpAt = performance.now() + CHECKPOINT_WITHIN_MS
    while (!isWritingOne(node) && performance.now() < giveUpAt) await delay(POLL_MS)
    await delay(random.integer(0, 4))
  }
  await node.kill()
  verdict.count('kills')
  if (isWritingOne(node)) verdict.count('  with a checkpoint half written')
  node.start()
  await node.ready()
}

function isWritingOne(node: NodeProcess): boolean {
  return filesOf(node).some((name) => name.startsWith('checkpoint-') && name.endsWith('.tmp'))
}

function filesOf(node: NodeProcess): readonly string[] {
  return readdirSync(node.plan.dir)
}

function between(random: SeededRandom, [least, most]: readonly [number, number]): number {
  return least + random.next() * (most - least)
}
