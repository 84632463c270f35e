// Hostile input on both ports of a node in a cluster, and a node that is full: every limit is answered clearly, and nobody dies of it.

import { Cluster } from '../cluster.ts'
import { kvPath, problemCode } from '../http-client.ts'
import { type StoryOptions, Verdict } from '../verdict.ts'
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
  await full(verdict)
  say('a full node has refused writes only')
  return verdict
}

/** A node whose memory is full refuses writes with 507; reads and deletions go on. */
async function full(verdict: Verdict): Promise<void> {
  await using cluster = await Cluster.start({ nodes: 1, args: ['--log-level', 'warn', '--memory-bytes-max', '1MiB'] })
  const node = cluster.node(0)
  const body = Buffer.alloc(100_000, 'f')
  let status = 0
  let code: string | null = null
  let stored = 0
  for (; stored < 30; stored++) {
    const answer = await cluster.http.call(node.url, 'PUT', kvPath('full', `k${stored}`), { body })
    status = answer.status
    code = problemCode(answer)
    if (status >= 300) break
  }
  verdict.figures['values of 100 kB that 1 MiB took'] = stored
  verdict.hold(status === 507 && code === 'storage-full', `a full node answered ${status} ${code}`)
  const read = await cluster.http.call(node.url, 'GET', kvPath('full', 'k0'))
  verdict.hold(read.status === 200 && read.body.equals(body), `a read of a full node: ${read.status}`)
  for (let i = 0; i < 3; i++) {
    const deleted = await cluster.http.call(node.url, 'DELETE', kvPath('full', `k${i}`))
    verdict.hold(deleted.status === 204, `a deletion at a full node: ${deleted.status}`)
  }
  const again = await cluster.http.call(node.url, 'PUT', kvPath('full', 'again'), { body })
  verdict.hold(again.status === 201, `a write after deletions: ${again.status} ${again.body.toString()}`)
}
