// How nodes end and begin: SIGTERM lets requests finish and exits with 0 in time; newcomers that may not join end with 1; and after all
// five were killed at once, everything that was acknowledged is there.

import { setTimeout as delay } from 'node:timers/promises'
import { Audit } from '../audit.ts'
import { AuditedClient } from '../audited-client.ts'
import { Cluster } from '../cluster.ts'
import { checkEverything } from '../final-check.ts'
import { kvPath, problemCode } from '../http-client.ts'
import { NodeProcess } from '../node-process.ts'
import { freePorts } from '../ports.ts'
import { type StoryOptions, Verdict } from '../verdict.ts'
import { until, within } from '../waiting.ts'
import { Workload } from '../workload.ts'

const DRAIN_MS = 10_000
const SLOW_MS = 600
const NEWCOMER_WITHIN_MS = 30_000
const IN_FLIGHT = 20
/** Before all are killed. */
const WRITES_LEAST = 60

export async function restart({ seconds, short, random, say }: StoryOptions): Promise<Verdict> {
  const verdict = new Verdict()
  await using cluster = await Cluster.start({ args: ['--log-level', 'warn'] })
  await drains(cluster, verdict)
  say('SIGTERM has let requests finish')
  await newcomers(cluster, verdict)
  say('newcomers were turned away')

  const client = new AuditedClient(cluster, new Audit(), verdict, 'torture', random)
  const until_ = performance.now() + seconds * 1000
  do {
    const workload = new Workload(client, { clients: 1, paceMs: 5 })
    workload.begin()
    if (!short) await delay(4000)
    const enough = client.audit.acknowledgedCount + WRITES_LEAST
    await until('clients have written', () => client.audit.acknowledgedCount >= enough, 20_000)
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    await workload.end()
    for (const node of cluster.nodes) node.start()
    await Promise.all(cluster.nodes.map((node) => node.ready()))
    verdict.count('times that all five were killed')
  } while (!short && performance.now() < until_)
  await cluster.quiet()
  await checkEverything(client)
  return verdict
}

async function drains(cluster: Cluster, verdict: Verdict): Promise<void> {
  const node = cluster.node(3)
  const slow = JSON.stringify({ delayMs: SLOW_MS })
  const json = { 'content-type': 'application/json', 'quorate-forwarded': '?1' }
  await cluster.http.call(node.url, 'PUT', '/v1/dev/links', { headers: json, body: slow })
  const keys = Array.from({ length: IN_FLIGHT }, (_, index) => `in-flight-${index}`)
  const puts = keys.map((key) => cluster.http.tryCall(node.url, 'PUT', kvPath('drain', key), { body: key }))
  await until(
    'requests are in flight',
    async () =>
      (await cluster.json<{ readonly requestsInFlight: number }>(node, '/v1/stats')).requestsInFlight > IN_FLIGHT / 2,
    5000,
    10,
  )
  const startedAt = performance.now()
  node.signal('SIGTERM')
  await until('the node is draining', async () => !(await cluster.readyz(node)), 2000, 5)
  const refused = await cluster.http.tryCall(node.url, 'PUT', kvPath('drain', 'too-late'), { body: 'x' })
  if (refused !== null) {
    verdict.hold(
      refused.status === 503 && problemCode(refused) === 'not-ready',
      `a write to a draining node: ${refused.status}`,
    )
    verdict.hold(refused.headers['retry-after'] !== undefined, 'the answer of a draining node has no Retry-After')
  }
  const answers = await Promise.all(puts)
  const finished = answers.filter((answer) => answer?.status === 201).length
  verdict.figures['requests in flight at SIGTERM that were finished'] = `${finished} of ${IN_FLIGHT}`
  verdict.hold(
    finished === IN_FLIGHT,
    `in flight at SIGTERM: ${answers.map((answer) => answer?.status ?? 'no answer').join()}`,
  )
  const exit = await within(DRAIN_MS + 2000, node.exited)
  verdict.figures['ms from SIGTERM to the end'] = Math.round(performance.now() - startedAt)
  verdict.hold(exit?.code === 0, `a drained node ended with ${exit?.code ?? exit?.signal ?? 'nothing, in time'}`)
  node.start()
  await node.ready()
  await cluster.whole()
  for (const key of keys) {
    const read = await cluster.http.call(node.url, 'GET', kvPath('drain', key), { headers: { 'quorate-r': 'all' } })
    verdict.hold(read.body.toString() === key, `${key} after the restart: ${read.status}`)
  }
}

async function newcomers(cluster: Cluster, verdict: Verdict): Promise<void> {
  const join = cluster.nodes.map((node) => `127.0.0.1:${node.plan.peerPort}`).join()
  const ports = await freePorts(3)
  const plan = (index: number, name: string, ...more: readonly string[]): NodeProcess => {
    const { client = 0, peer = 0 } = ports[index] ?? {}
    const dir = `${cluster.folder}/newcomer-${index}`
    const args = [
      '--name',
      name,
      '--port',
      String(client),
      '--peer-port',
      String(peer),
      '--data',
      dir,
      '--join',
      join,
      ...more,
    ]
    return new NodeProcess({ name, clientPort: client, peerPort: peer, dir, args, logFile: `${dir}.log` })
  }
  const [twin, stranger, foreigner] = [
    plan(0, 'node-1'),
    plan(1, 'stranger'),
    plan(2, 'node-2', '--cluster', 'another'),
  ]
  try {
    const cases = [
      [twin, 'a second storage under a living name'],
      [stranger, 'an unknown name'],
      [foreigner, 'a node of another cluster'],
    ] as const
    await Promise.all(
      cases.map(async ([node, what]) => {
        node.start()
        const exit = await within(NEWCOMER_WITHIN_MS, node.exited)
        const how = exit?.code ?? exit?.signal ?? 'nothing, in time'
        verdict.hold(exit?.code === 1, `${what} ended with ${how}; its log: ${node.logTail(4)}`)
        verdict.hold(!node.saidReady, `${what} said that it was ready`)
      }),
    )
  } finally {
    await Promise.all([twin.kill(), stranger.kill(), foreigner.kill()])
  }
  const { members } = await cluster.json<{ readonly members: readonly { readonly name: string }[] }>(
    cluster.node(0),
    '/v1/cluster',
  )
  verdict.hold(
    members.length === cluster.nodes.length,
    `members after newcomers: ${members.map(({ name }) => name).join()}`,
  )
  verdict.hold(
    cluster.nodes.every(({ running }) => running),
    'a member ended because of a newcomer',
  )
  await cluster.whole()
}
