// One Idempotency-Key sent at once through five nodes that a partition divides, the first coordinator killed in the middle: one write,
// one sibling. Sent again after an overwrite with a context: nothing comes back, on either side.

import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../../../src/simulator/seeded-random.ts'
import { Cluster } from '../cluster.ts'
import { visibleOf } from '../audited-client.ts'
import { type Answer, isStrict, kvPath } from '../http-client.ts'
import type { NodeProcess } from '../node-process.ts'
import { type StoryOptions, Verdict } from '../verdict.ts'
import { until } from '../waiting.ts'

const BUCKET = 'once'
const KEYS = 12

export async function idempotency({ seconds, short, random, say }: StoryOptions): Promise<Verdict> {
  const verdict = new Verdict()
  await using cluster = await Cluster.start({ args: ['--log-level', 'warn'] })
  const until_ = performance.now() + seconds * 1000
  for (let round = 0; round === 0 || (!short && performance.now() < until_); round++) {
    await oneRound(cluster, verdict, round, random.fork(`round ${round}`))
    say(`round ${round} is over`)
    verdict.count('rounds')
  }
  return verdict
}

async function oneRound(cluster: Cluster, verdict: Verdict, round: number, random: SeededRandom): Promise<void> {
  const keys = Array.from({ length: KEYS }, (_, index) => `r${round}-k${index}`)
  const shuffled = random.shuffle(cluster.nodes)
  const [small, large] = [shuffled.slice(0, 2), shuffled.slice(2)]
  const pairs = small.flatMap((a) => large.map((b): readonly [string, string] => [a.name, b.name]))
  await cluster.cut(pairs)
  await dividedBy(cluster, small, large)

  // At once through all five; the one that was asked first dies under it.
  const first = shuffled[round % 2 === 0 ? 2 : 0] as NodeProcess
  const sent = keys.map((key) => sendThroughAll(cluster, [first, ...shuffled.filter((node) => node !== first)], key))
  await delay(random.next() * 15)
  await first.kill()
  for (const answers of await Promise.all(sent)) {
    verdict.count('attempts answered', answers.filter((answer) => answer !== null).length)
    verdict.count('attempts acknowledged', answers.filter((answer) => answer !== null && answer.status < 300).length)
  }
  first.start()
  await first.ready()
  await cluster.cut(pairs)
  await dividedBy(cluster, small, large)

  // Half of them are overwritten with a context while the cluster is divided, and sent again on both sides.
  const overwrittenEarly = keys.slice(0, KEYS / 2)
  for (const key of overwrittenEarly) await overwrite(cluster, verdict, large, key)
  await Promise.all(overwrittenEarly.map((key) => sendThroughAll(cluster, cluster.nodes, key)))

  await cluster.cut([])
  await cluster.quiet()
  for (const key of keys) {
    const wanted = overwrittenEarly.includes(key) ? `overwritten-${key}` : bodyOf(key)
    await showsOnly(cluster, verdict, key, wanted, 'after the partition')
  }
  for (const key of keys.slice(KEYS / 2)) await overwrite(cluster, verdict, cluster.nodes, key)
  await Promise.all(keys.map((key) => sendThroughAll(cluster, cluster.nodes, key)))
  await cluster.quiet()
  for (const key of keys) await showsOnly(cluster, verdict, key, `overwritten-${key}`, 'sent again after an overwrite')
}

function bodyOf(key: string): string {
  return `once-${key}`
}

function sendThroughAll(cluster: Cluster, nodes: readonly NodeProcess[], key: string): Promise<(Answer | null)[]> {
  const headers = { 'idempotency-key': `key-of-${key}`, 'quorate-timeout': '3000' }
  return Promise.all(
    nodes.map((node) => cluster.http.tryCall(node.url, 'PUT', kvPath(BUCKET, key), { headers, body: bodyOf(key) })),
  )
}

/** Reads and overwrites through a node that can; sloppy, so that either side of a partition may. */
async function overwrite(
  cluster: Cluster,
  verdict: Verdict,
  through: readonly NodeProcess[],
  key: string,
): Promise<void> {
  for (const node of through) {
    const read = await cluster.http.tryCall(node.url, 'GET', kvPath(BUCKET, key))
    if (read === null || read.status !== 200) continue
    const context = read.headers['quorate-context'] ?? ''
    const body = `overwritten-${key}`
    const put = await cluster.http.tryCall(node.url, 'PUT', kvPath(BUCKET, key), {
      headers: { 'quorate-context': context },
      body,
    })
    if (put !== null && put.status < 300) {
      verdict.count('overwritten')
      return
    }
  }
  verdict.violate(`${key}: could not be overwritten through any of ${through.map(({ name }) => name).join()}`)
}

async function showsOnly(cluster: Cluster, verdict: Verdict, key: string, wanted: string, when: string): Promise<void> {
  for (const answer of await cluster.fromEach(kvPath(BUCKET, key), { 'quorate-r': 'all', 'quorate-sloppy': '?0' })) {
    const shown = visibleOf(answer)
    verdict.hold(
      shown?.length === 1 && shown[0] === wanted && isStrict(answer),
      `${key} ${when}: wanted ${wanted}, got ${answer.status} ${shown?.join() ?? answer.body.toString()} (${answer.headers['quorate-receipt']})`,
    )
  }
}

async function dividedBy(
  cluster: Cluster,
  small: readonly NodeProcess[],
  large: readonly NodeProcess[],
): Promise<void> {
  await until(
    'neither side sees the other',
    async () => {
      for (const [side, other] of [
        [small, large],
        [large, small],
      ] as const) {
        for (const node of side) {
          const { members } = await cluster.json<{
            readonly members: readonly { readonly name: string; readonly status: string }[]
          }>(node, '/v1/cluster')
          const away = members.filter((member) => member.status === 'unreachable').map(({ name }) => name)
          if (!other.every(({ name }) => away.includes(name))) return false
        }
      }
      return true
    },
    20_000,
  )
}
