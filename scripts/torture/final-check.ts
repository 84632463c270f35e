// The end of a run: every acknowledged write is read again at all its replicas, and the replicas are compared. Decides by the audit log.
// Invariant: a read that is no result is a violation too.

import { setTimeout as delay } from 'node:timers/promises'
import { type AuditedClient, visibleOf } from './audited-client.ts'
import { type Answer, kvPath } from './http-client.ts'

/** The figure of what must never be counted. */
export const MISSING = 'acknowledged writes that were missing'
const PATIENCE_MS = 30_000
const RETRY_MS = 200
const AT_A_TIME = 16
const COMPARED_THROUGH_EACH_NODE = 200

export async function checkEverything(client: AuditedClient): Promise<void> {
  const { audit, verdict } = client
  verdict.count('keys', audit.keys.length)
  verdict.count('acknowledged writes', audit.acknowledgedCount)
  await checkKeys(client, audit.keys)
  client.book()
}

/** To be called when the cluster is quiet: nothing acknowledged is missing, replicas say the same, nodes answer the same. */
export async function checkKeys(client: AuditedClient, keys: readonly string[]): Promise<void> {
  const { cluster, verdict } = client
  const step = Math.max(1, Math.floor(keys.length / COMPARED_THROUGH_EACH_NODE))
  await judgeKeys(client, keys, async (key, index, answer) => {
    const replicas = new Set(versionsOfReplicas(answer))
    verdict.hold(replicas.size <= 1, `${key}: replicas differ: ${answer.headers['quorate-explain']}`)
    if (index % step !== 0) return
    verdict.count('keys compared through each node')
    const tags = (await cluster.fromEach(kvPath(client.bucket, key))).map(
      ({ status, headers }) => `${status} ${headers['etag'] ?? ''}`,
    )
    verdict.hold(new Set(tags).size === 1, `${key}: nodes answer differently: ${tags.join(', ')}`)
  })
}

/** Nothing acknowledged is missing; this holds before replicas are equal as well. */
export async function judgeKeys(
  client: AuditedClient,
  keys: readonly string[],
  more: (key: string, index: number, answer: Answer) => Promise<void> = async () => {},
): Promise<void> {
  const { cluster, audit, verdict } = client
  const giveUpAt = performance.now() + PATIENCE_MS
  await inParallel(keys, async (key, index) => {
    const node = cluster.node(index % cluster.nodes.length)
    const path = `${kvPath(client.bucket, key)}?explain=1`
    let answer = await cluster.http.call(node.url, 'GET', path, { headers: { 'quorate-r': 'all' } })
    // Who has just started may be filling; all keys together have so much patience.
    while (answer.status === 503 && performance.now() < giveUpAt) {
      await delay(RETRY_MS)
      answer = await cluster.http.call(node.url, 'GET', path, { headers: { 'quorate-r': 'all' } })
    }
    const visible = visibleOf(answer)
    if (visible === null) {
      verdict.violate(`${key}: read at all replicas through ${node.name}: ${answer.status} ${answer.body.toString()}`)
      return
    }
    for (const wrong of audit.judge(key, visible, audit.acknowledged(key))) {
      verdict.violate(`in the end: ${wrong}`)
      if (wrong.includes(' is missing')) verdict.count(MISSING)
    }
    await more(key, index, answer)
  })
}

/** What each replica said, by `?explain=1`. */
function versionsOfReplicas({ headers }: Answer): string[] {
  const explained = headers['quorate-explain'] ?? ''
  return [...explained.matchAll(/answer="answered";versions="([^"]*)"/g)].map(([, text = '']) =>
    text.split(' ').sort().join(' '),
  )
}

export async function inParallel<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: Math.min(AT_A_TIME, items.length) }, async () => {
      for (let index = next++; index < items.length; index = next++) await work(items[index] as T, index)
    }),
  )
}
