// SIGTERM to a node whose clients have not finished: it ends with 0 within its drain deadline whatever they do, and what they had begun
// is answered where it is completed in time.

import { afterEach, expect, test } from 'vitest'
import { Cluster } from '../../scripts/torture/cluster.ts'
import type { NodeProcess } from '../../scripts/torture/node-process.ts'
import { until, within } from '../../scripts/torture/waiting.ts'
import { bodyOf, isWhole, statusOf } from '../http/exchange.ts'
import {
  asking,
  type Client,
  halfBody,
  halfBodyOfFastify,
  halfChunked,
  halfHead,
  idle,
  type Kind,
  LARGE_BYTES,
  notReading,
  seen,
  silent,
  trickling,
} from './lingering-clients.ts'

const DRAIN_MS = 4000
const TEST_WITHIN_MS = 90_000
const ARGS = ['--drain-ms', String(DRAIN_MS), '--value-bytes-max', String(LARGE_BYTES)]

let cluster: Cluster | null = null
const clients: Client[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.leave()
  await cluster?.stop()
  cluster = null
})

async function started(nodes = 1, ...args: string[]): Promise<NodeProcess> {
  const more = ['--sibling-bytes-max', String(2 * LARGE_BYTES), ...args]
  cluster = await Cluster.start({ nodes, args: [...ARGS, ...more] })
  return cluster.node(0)
}

async function begin(node: NodeProcess, kind: Kind): Promise<Client> {
  const client = await kind(node.plan.clientPort)
  clients.push(client)
  return client
}

/** Milliseconds from the signal to the end. */
async function endOf(node: NodeProcess, signalledAt: number): Promise<number> {
  const exit = await within(3 * DRAIN_MS, node.exited)
  const ms = performance.now() - signalledAt
  expect(exit, node.logTail()).toEqual({ code: 0, signal: null })
  return ms
}

function terminate(node: NodeProcess): number {
  node.signal('SIGTERM')
  return performance.now()
}

test('no client keeps a node beyond its drain deadline', { timeout: TEST_WITHIN_MS }, async () => {
  const node = await started()
  for (const kind of [halfHead, halfBody, halfBodyOfFastify, halfChunked, trickling, notReading])
    await begin(node, kind)
  expect(await endOf(node, terminate(node))).toBeLessThanOrEqual(DRAIN_MS)
})

test('connections without a request keep nothing waiting', { timeout: TEST_WITHIN_MS }, async () => {
  const node = await started()
  for (const kind of [silent, silent, idle, idle, asking, asking, asking]) await begin(node, kind)
  expect(await endOf(node, terminate(node))).toBeLessThan(DRAIN_MS / 2)
  for (const { text } of clients) {
    // Not one answer is cut off in its midst.
    const last = text().slice(text().lastIndexOf('HTTP/1.1 '))
    expect(last === '' || isWhole(last), last).toBe(true)
  }
})

test('what had begun is finished, what comes then is refused', { timeout: TEST_WITHIN_MS }, async () => {
  const node = await started()
  const bodies = [await begin(node, halfBody), await begin(node, halfBodyOfFastify)]
  const chunked = await begin(node, halfChunked)
  const head = await begin(node, halfHead)
  const reader = await begin(node, notReading)
  const signalledAt = terminate(node)
  const isUnready = (): Promise<boolean> =>
    // Where a connection is kept for it that has just been ended, it asks again.
    fetch(`${node.url}/readyz`).then(
      ({ status }) => status === 503,
      () => false,
    )
  await until('it says that it is not ready', isUnready, DRAIN_MS)
  const late = await fetch(`${node.url}/v1/kv/drain/late`, { method: 'PUT', body: 'x' })
  expect([late.status, late.headers.get('connection'), late.headers.get('retry-after')]).toEqual([503, 'close', '1'])
  for (const { socket } of bodies) socket.write('y'.repeat(60))
  chunked.socket.write('0\r\n\r\n')
  head.socket.write('nt-Length: 1\r\n\r\nx')
  reader.socket.resume()
  expect(await endOf(node, signalledAt)).toBeLessThan(DRAIN_MS)
  await Promise.all(clients.map(({ ended }) => ended))
  for (const { text } of [...bodies, chunked]) {
    expect(statusOf(text()), text()).toBe(201)
    expect(text()).toContain('\r\nConnection: close\r\n')
  }
  expect(statusOf(head.text())).toBe(503)
  expect(bodyOf(reader.text())).toHaveLength(LARGE_BYTES)
})

test('a round that waits for a silent replica is answered', { timeout: TEST_WITHIN_MS }, async () => {
  const node = await started(2, '--failure-timeout-ms', '60000')
  const other = cluster!.node(1)
  other.signal('SIGSTOP')
  const answer = fetch(`${node.url}/v1/kv/drain/round`, {
    method: 'PUT',
    body: 'x',
    headers: { 'quorate-w': 'all', 'quorate-timeout': '60000' },
  })
  await seen(node.plan.clientPort)
  const signalledAt = terminate(node)
  const { status, headers } = await answer
  expect([status, headers.get('connection')]).toEqual([503, 'close'])
  expect(await endOf(node, signalledAt)).toBeLessThanOrEqual(DRAIN_MS)
})
