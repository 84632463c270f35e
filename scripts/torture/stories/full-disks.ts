// The disks of one, two or all five nodes become full in the middle of the load, again and again. Reads go on, also through full nodes;
// sloppy puts go on while W nodes have room, and are refused with 507 when none has; writes return when there is room again. Every third
// time the full nodes are killed as well: what they acknowledged with their last bytes is there.

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Audit } from '../audit.ts'
import { AuditedClient } from '../audited-client.ts'
import { Cluster } from '../cluster.ts'
import { converge } from '../convergence.ts'
import { checkEverything } from '../final-check.ts'
import { type Answer, kvPath, problemCode } from '../http-client.ts'
import type { NodeProcess } from '../node-process.ts'
import { SmallDisk } from '../small-disk.ts'
import type { StoryOptions, Verdict } from '../verdict.ts'
import { until } from '../waiting.ts'
import { Workload } from '../workload.ts'

const NODES = 5
const SIZE = '64m'
const FULL_AT_ONCE = [1, 2, NODES] as const
const WRITES_LEAST = 50
const READS_OF_EACH = 20
/** The log has made room ahead for some writes; a node looks for room once a second. */
const FULL_WITHIN_MS = 30_000
const ROOM_WITHIN_MS = 30_000

export async function fullDisks(options: StoryOptions, verdict: Verdict, folder: string): Promise<void> {
  const { cycles, random, say } = options
  const disks: SmallDisk[] = []
  try {
    for (let i = 0; i < NODES; i++) disks.push(new SmallDisk(folder, `node-${i}`, SIZE))
    const dirOf = (index: number): string => join((disks[index] as SmallDisk).mountPoint, 'data')
    await using cluster = await Cluster.start({ nodes: NODES, dirOf, args: ['--log-level', 'warn'] })
    say('five nodes serve, each on a small disk of its own')
    const client = new AuditedClient(cluster, new Audit(), verdict, 'torture', random.fork('full'))
    const choice = random.fork('which disks')
    for (let count = 0; count < Math.max(1, cycles); count++) {
      const full = choice.shuffle(cluster.nodes).slice(0, FULL_AT_ONCE[count % FULL_AT_ONCE.length])
      say(`full: ${full.map(({ name }) => name).join()}`)
      await fillUnderLoad(client, full, (node) => disks[cluster.nodes.indexOf(node)] as SmallDisk, count % 3 === 1)
    }
    say('full disks are over; waiting for hints to drain and replicas to agree')
    await converge(cluster, verdict)
    await checkEverything(client)
  } finally {
    for (const disk of disks) disk.remove()
  }
}

async function fillUnderLoad(
  client: AuditedClient,
  full: readonly NodeProcess[],
  diskOf: (node: NodeProcess) => SmallDisk,
  alsoKill: boolean,
): Promise<void> {
  const { audit, verdict } = client
  const workload = new Workload(client, { clients: 1, paceMs: 5 })
  workload.begin()
  const enough = audit.acknowledgedCount + WRITES_LEAST
  await until('clients have written', () => audit.acknowledgedCount >= enough, 30_000)
  const probes = new Map(await Promise.all(full.map(async (node) => [node, await keyOf(client, node)] as const)))
  const refusals = new Map<NodeProcess, string>()
  // Those who have room stand in for those who have none.
  if (full.length === NODES) client.reachOf = () => null
  const writesBefore = new Map(audit.keys.map((key) => [key, audit.writesOf(key).length]))
  for (const node of full) diskOf(node).fill()
  verdict.inject(full.length === 1 ? 'full disk' : `${full.length} full disks at once`)
  await until(
    () => `full nodes refuse what needs them: ${[...refusals.values()].join()}`,
    async () => {
      for (const [node, key] of probes) {
        const answer = await putAtAll(client, node, key)
        refusals.set(node, `${node.name} ${answer.status} ${problemCode(answer) ?? ''}`)
        if (answer.status < 300) return false
      }
      return true
    },
    FULL_WITHIN_MS,
  )
  if (full.length === NODES) await until507(client)
  // A home with a write that waits for room in its log tells nothing of that key; so of keys that nobody has written since.
  const isSettled = (key: string): boolean => {
    const writes = audit.writesOf(key)
    return writes.length === writesBefore.get(key) && writes.every(({ outcome }) => outcome === 'acknowledged')
  }
  for (const node of full) {
    for (const key of audit.keys.filter(isSettled).slice(-READS_OF_EACH)) {
      if (!isSettled(key)) continue
      const read = await client.read(key, { node })
      verdict.hold(read !== null || !isSettled(key), `${key}: no read through ${node.name}, whose disk is full`)
      verdict.count('reads through full nodes')
    }
  }
  if (alsoKill) {
    await Promise.all(full.map((node) => node.kill()))
    verdict.count('full nodes killed', full.length)
  }
  for (const node of full) diskOf(node).makeRoom()
  for (const node of full) {
    if (!node.running) verdict.hold(alsoKill, `${node.name} ended of a full disk; its log ends:\n${node.logTail()}`)
    if (!node.running) node.start()
  }
  await Promise.all(full.map((node) => node.ready()))
  for (const [node, key] of probes) {
    await until(
      `${node.name} takes writes again`,
      async () => (await putAtAll(client, node, key)).status < 300,
      ROOM_WITHIN_MS,
    )
    verdict.count('nodes that took writes again')
  }
  client.reachOf = (node) => (node.isWell ? node.era : null)
  await workload.end()
}

/** A key that this node is a home of, in a bucket that is not audited. */
async function keyOf({ cluster }: AuditedClient, node: NodeProcess): Promise<string> {
  for (let i = 0; ; i++) if ((await cluster.homesOf('probes', `probe-${i}`)).includes(node.name)) return `probe-${i}`
}

function putAtAll({ cluster }: AuditedClient, node: NodeProcess, key: string): Promise<Answer> {
  const headers = { 'quorate-w': 'all', 'quorate-sloppy': '?0', 'quorate-timeout': '1500', 'quorate-context': 'latest' }
  return cluster.http.call(node.url, 'PUT', kvPath('probes', key), { headers, body: 'x'.repeat(2000) })
}

/** Nobody has room: refused with the status that says so. */
async function until507(client: AuditedClient): Promise<void> {
  const { cluster, verdict } = client
  let last = ''
  await until(
    () => `507 where all disks are full, not ${last}`,
    async () => {
      const answer = await cluster.http.call(cluster.node(0).url, 'PUT', kvPath('probes', 'anywhere'), {
        headers: { 'quorate-timeout': '1500' },
        body: 'x'.repeat(2000),
      })
      last = `${answer.status} ${problemCode(answer) ?? ''}`
      return answer.status === 507
    },
    FULL_WITHIN_MS,
  )
  verdict.count('507 where all disks were full')
  await delay(client.random.next() * 1000)
}
