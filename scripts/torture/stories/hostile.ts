// Hostile input on both ports of a node in a cluster, and a node that is full: every limit is answered clearly, and nobody dies of it.

import { Cluster } from '../cluster.ts'
import { type Answer, kvPath, problemCode } from '../http-client.ts'
import { type StoryOptions, Verdict } from '../verdict.ts'
import { until } from '../waiting.ts'
import { hostileClients } from './hostile-clients.ts'
import { hostilePeers } from './hostile-peers.ts'

export async function hostile({ short, random, say }: StoryOptions): Promise<Verdict> {
  const verdict = new Verdict()
  {
    await using cluster = await Cluster.start({ nodes: 3, args: ['--log-level', 'warn'] })
    const node = cluster.node(0)
    const pids = cluster.nodes.map(({ pid }) => pid)
    await Promise.all([
      hostileClients(cluster, node, verdict, short ? 'headers' : 'all').then(() => say('the client port has answered')),
      hostilePeers(cluster, cluster.node(1), verdict, short ? 600 : 6000, random).then(() =>
        say('the peer port has survived'),
      ),
    ])
    await cluster.quiet()
    verdict.hold(
      cluster.nodes.every(({ running }) => running),
      'a node died of hostile input',
    )
    verdict.hold(
      cluster.nodes.every(({ pid }, index) => pid === pids[index]),
      'a node is another process now',
    )
    const put = await cluster.http.call(node.url, 'PUT', kvPath('hostile', 'after'), {
      body: 'x',
      headers: { 'quorate-w': 'all' },
    })
    verdict.hold(put.status === 201, `a write at all replicas afterwards: ${put.status}`)
  }
  await full(verdict, 'memory', ['--memory-bytes-max', '1MiB'])
  await full(verdict, 'the disk', ['--disk-bytes-max', '8MiB'])
  say('a full node has refused writes only')
  return verdict
}

/** A node that has no room refuses writes with 507; reads and deletions go on, and after deletions writes are taken again. */
async function full(verdict: Verdict, what: string, limit: readonly string[]): Promise<void> {
  await using cluster = await Cluster.start({ nodes: 1, args: ['--log-level', 'warn', ...limit] })
  const node = cluster.node(0)
  const body = Buffer.alloc(100_000, 'f')
  const put = (key: string): Promise<Answer> => cluster.http.call(node.url, 'PUT', kvPath('full', key), { body })
  let answer: Answer | null = null
  let stored = 0
  for (; stored < 200; stored++) {
    answer = await put(`k${stored}`)
    if (answer.status >= 300) break
  }
  verdict.figures[`values of 100 kB until ${what} was full`] = stored
  const refusal = answer && `${answer.status} ${problemCode(answer)}`
  verdict.hold(refusal === '507 storage-full', `a node without room in ${what} answered ${refusal}`)
  const { storage } = await cluster.json<{ storage: { full: boolean; fullReason: string } }>(node, '/v1/stats')
  verdict.hold(storage.full, `${what} is full, and the figures do not say so`)
  for (let i = 0; i < stored; i++) {
    const read = await cluster.http.call(node.url, 'GET', kvPath('full', `k${i}`))
    verdict.hold(read.status === 200 && read.body.equals(body), `a read without room in ${what}: ${read.status}`)
    if (i % 4 === 3) continue
    const deleted = await cluster.http.call(node.url, 'DELETE', kvPath('full', `k${i}`))
    verdict.hold(deleted.status === 204, `a deletion without room in ${what}: ${deleted.status}`)
  }
  const isTaken = async (): Promise<boolean> => (answer = await put('again')).status === 201
  await until(() => `a write after deletions, ${what}: ${answer?.status} ${answer?.body.toString()}`, isTaken, 30_000)
}
