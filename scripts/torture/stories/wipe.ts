// A node loses its directory and comes back empty, under load: strict reads through every node stay right all the time, the node is
// filled, and anti-entropy's bytes stay near what really differed. Bytes are those of the wiped node's new process, sent and received:
// all anti-entropy to and from it, counted once.

import { setTimeout as delay } from 'node:timers/promises'
import { Audit } from '../audit.ts'
import { AuditedClient, valueOf } from '../audited-client.ts'
import { Cluster, type RepairFigures } from '../cluster.ts'
import { checkEverything, inParallel } from '../final-check.ts'
import { isStrict, kvPath } from '../http-client.ts'
import type { NodeProcess } from '../node-process.ts'
import { type StoryOptions, Verdict } from '../verdict.ts'
import { until } from '../waiting.ts'
import { Workload } from '../workload.ts'

/** What anti-entropy may cost: the data that differs, a little more of it, and bookkeeping for each key and partition. */
const DATA_FACTOR = 1.2
const BYTES_EACH = 64
const FILL_WITHIN_MS = 180_000

export async function wipe({ seconds, short, random, say }: StoryOptions): Promise<Verdict> {
  const verdict = new Verdict()
  await using cluster = await Cluster.start({ args: ['--log-level', 'warn', '--anti-entropy-interval-ms', '600s'] })
  say(`five nodes serve; data and logs in ${cluster.folder}`)
  const client = new AuditedClient(cluster, new Audit(), verdict, 'torture', random)
  await fillingCountsInNoRead(cluster, verdict)
  say('an empty home has made no "not found"')
  await preload(client, short ? 400 : 5000)
  await cluster.quiet()
  say('loaded; the first wipe, with nothing else going on')
  const calm = cluster.node(2)
  await wipeAndStart(calm)
  await filled(cluster, calm)
  await judgeTraffic(client, calm, 'calm')

  say('the second wipe, under load, with strict reads through every node')
  const workload = new Workload(client, { clients: 1, paceMs: short ? 20 : 5 })
  const stop = new AbortController()
  workload.begin()
  const readers = Promise.all(cluster.nodes.map((node) => readThrough(client, node, stop.signal)))
  const wiped = cluster.node(4)
  const startedAt = performance.now()
  const sampled = { filling: 0, last: '' }
  await wipeAndStart(wiped)
  await until(
    'the cluster shows the wiped node as filling or filled',
    async () => (await statusOf(cluster, wiped)) !== '',
    10_000,
  )
  await filled(cluster, wiped, (figures) => {
    sampled.filling++
    sampled.last = `${figures.filling} partitions, last error ${figures.lastError}`
  })
  verdict.figures['under load: ms from start to filled'] = Math.round(performance.now() - startedAt)
  verdict.figures['under load: times seen filling, and the last time'] = `${sampled.filling}, ${sampled.last}`
  await judgeTraffic(client, wiped, 'under load')
  const rest = seconds * 1000 - (performance.now() - startedAt)
  if (rest > 0) await delay(rest)
  stop.abort()
  await Promise.all([readers, workload.end()])
  await cluster.quiet()
  await checkEverything(client)
  return verdict
}

/**
 * A value that two homes hold. One of the two is wiped and cannot be filled; through the third, which never had it, those two are in
 * reach: an empty home that is filling and one without the value are no quorum for "not found".
 */
async function fillingCountsInNoRead(cluster: Cluster, verdict: Verdict): Promise<void> {
  const [bucket, key] = ['narrow', 'held-by-two']
  const [without, holder, wiped] = (await cluster.homesOf(bucket, key)).map((name) => cluster.named(name))
  if (without === undefined || holder === undefined || wiped === undefined) throw new Error('three homes are wanted')
  const path = kvPath(bucket, key)
  const strictly = { 'quorate-sloppy': '?0', 'quorate-timeout': '2000' }
  await cluster.cut([[without.name, holder.name]])
  const put = await cluster.http.call(holder.url, 'PUT', path, { headers: strictly, body: 'held' })
  verdict.hold(
    put.status === 201 && isStrict(put),
    `a write at two homes: ${put.status} ${put.headers['quorate-receipt']}`,
  )
  await cluster.cut([
    [without.name, holder.name],
    [wiped.name, holder.name],
  ])
  await wipeAndStart(wiped)
  for (let i = 0; i < 5; i++) {
    const read = await cluster.http.call(without.url, 'GET', path, { headers: strictly })
    verdict.hold(read.status === 503, `a read where one home is empty and filling, one away: ${read.status}`)
    verdict.count('reads while an empty home could have made a quorum')
  }
  const left = (await cluster.repair(wiped)).filling
  verdict.hold(left > 0, 'the wiped home was complete before it could ask the only holder')
  await cluster.cut([])
  await cluster.quiet()
  for (const read of await cluster.fromEach(path, { ...strictly, 'quorate-r': 'all' })) {
    verdict.hold(read.body.toString() === 'held', `after the cut: ${read.status} ${read.body.toString()}`)
  }
}

async function preload(client: AuditedClient, count: number): Promise<void> {
  const keys = Array.from({ length: count }, (_, index) => `loaded-${index}`)
  await inParallel(keys, async (key) => {
    const done = await client.write(client.audit.begin(key, 'put', new Set()), { sloppy: false })
    if (done.outcome !== 'acknowledged') throw new Error(`loading ${key}: ${done.why}`)
  })
}

export async function wipeAndStart(node: NodeProcess): Promise<void> {
  await node.kill()
  node.wipe()
  node.start()
  await node.ready()
}

async function statusOf(cluster: Cluster, node: NodeProcess): Promise<string> {
  const { members } = await cluster.json<{
    readonly members: readonly { readonly name: string; readonly status: string }[]
  }>(node, '/v1/cluster')
  return members.find(({ name }) => name === node.name)?.status ?? ''
}

async function filled(
  cluster: Cluster,
  node: NodeProcess,
  whileFilling: (figures: RepairFigures) => void = () => {},
): Promise<void> {
  let last = ''
  await until(
    () => `${node.name} is filled: ${last}`,
    async () => {
      const figures = await cluster.repair(node)
      last = JSON.stringify(figures)
      if (figures.filling > 0) whileFilling(figures)
      return figures.filling === 0 && (await statusOf(cluster, node)) === 'self'
    },
    FILL_WITHIN_MS,
    100,
  )
}

async function judgeTraffic(client: AuditedClient, node: NodeProcess, when: string): Promise<void> {
  const { cluster, audit, verdict, bucket } = client
  const { bytesSent, bytesReceived } = await cluster.repair(node)
  // Every partition that the node is a home of is compared, whether it holds anything or not.
  const { members } = await cluster.json<{
    readonly members: readonly { readonly name: string; readonly owned: number }[]
  }>(node, '/v1/ring')
  const compared = members.find(({ name }) => name === node.name)?.owned ?? 0
  const partitions = new Set<number>()
  let keys = 0
  let data = 0
  await inParallel(audit.keys, async (key) => {
    const path = `/v1/ring/${bucket}/${encodeURIComponent(key)}`
    const place = await cluster.json<{ readonly partition: number; readonly preferenceList: readonly string[] }>(
      cluster.node(0),
      path,
    )
    if (!place.preferenceList.includes(node.name)) return
    keys++
    partitions.add(place.partition)
    // What the key holds: the versions that no other one of it has superseded.
    const writes = audit.writesOf(key).filter((write) => write.outcome === 'acknowledged' && write.kind === 'put')
    const superseded = new Set(writes.flatMap((write) => [...write.saw]))
    for (const write of writes) if (!superseded.has(write.id)) data += key.length + valueOf(write).length
  })
  const traffic = bytesSent + bytesReceived
  const allowed = DATA_FACTOR * data + BYTES_EACH * (keys + compared)
  const allowedTightly = DATA_FACTOR * data + BYTES_EACH * (keys + partitions.size)
  verdict.figures[`${when}: keys, partitions, data bytes that differed`] = `${keys}, ${partitions.size}, ${data}`
  verdict.figures[`${when}: anti-entropy bytes (sent, received)`] = `${traffic} (${bytesSent}, ${bytesReceived})`
  verdict.figures[`${when}: bytes allowed, and the part used`] =
    `${Math.round(allowed)}, ${(traffic / allowed).toFixed(3)}`
  verdict.figures[`${when}: the part used, counting only partitions that hold something`] = (
    traffic / allowedTightly
  ).toFixed(3)
  verdict.hold(
    traffic <= allowed,
    `${when}: anti-entropy took ${traffic} bytes where ${Math.round(allowed)} were allowed`,
  )
}

/** Strict reads of what was loaded, through one node, for as long as it is asked to; the audit log judges each. */
async function readThrough(client: AuditedClient, node: NodeProcess, signal: AbortSignal): Promise<void> {
  const loaded = client.audit.keys.filter((key) => key.startsWith('loaded-'))
  const random = client.random.fork(`reads through ${node.name}`)
  while (!signal.aborted) {
    await delay(5)
    if (!node.running || !node.saidReady) continue
    const read = await client.read(random.pick(loaded), { node })
    if (read !== null) client.verdict.count(`reads through ${node.name}`)
  }
}
