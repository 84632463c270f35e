// Values of the largest size over real sockets and disks: whole through every node, after a kill of all and after a wipe, while small
// requests go on. How late event loops are meanwhile is a benchmark's business.

import { expect, test } from 'vitest'
import { Cluster } from '../../scripts/torture/cluster.ts'
import { type Answer, kvPath } from '../../scripts/torture/http-client.ts'
import { until } from '../../scripts/torture/waiting.ts'

const BYTES = 16 << 20

function valueOf(mark: number): Buffer {
  const value = Buffer.alloc(BYTES, mark)
  for (let at = 0; at < BYTES; at += 4099) value.writeUInt32LE((at * 31 + mark) >>> 0, Math.min(at, BYTES - 4))
  return value
}

test('values of 16 MiB come back as they were written', { timeout: 180_000 }, async () => {
  await using cluster = await Cluster.start({
    nodes: 3,
    args: ['--value-bytes-max', '16MiB', '--sibling-bytes-max', '32MiB'],
  })
  const ask = (index: number, method: 'GET' | 'PUT', key: string, body?: Buffer, context?: string): Promise<Answer> =>
    cluster.http.call(cluster.node(index).url, method, kvPath('large', key), {
      headers: { 'quorate-timeout': '30000', ...(context !== undefined && { 'quorate-context': context }) },
      ...(body && { body }),
    })
  const isThere = async (key: string, mark: number): Promise<void> => {
    for (const index of [0, 1, 2]) {
      const { status, body } = await ask(index, 'GET', key)
      expect([index, status, body.length]).toEqual([index, 200, BYTES])
      expect(body.equals(valueOf(mark)), `${key} through node ${index}`).toBe(true)
    }
  }
  let small = 0
  let isOver = false
  const smallOnes = (async (): Promise<void> => {
    for (; !isOver; small++)
      expect((await ask(small % 3, 'PUT', `small${small % 7}`, Buffer.from('x'))).status).toBeLessThan(205)
  })()
  for (const mark of [1, 2]) expect((await ask(mark, 'PUT', `v${mark}`, valueOf(mark))).status).toBe(201)
  await isThere('v1', 1)
  const context = String((await ask(0, 'GET', 'v2')).headers['quorate-context'])
  expect((await ask(0, 'PUT', 'v2', valueOf(3), context)).status).toBe(204)
  await isThere('v2', 3)
  const { status } = await ask(0, 'PUT', 'too-large', Buffer.alloc(BYTES + 1))
  expect(status).toBe(413)
  // Concurrent ones of that size, side by side in one record.
  expect((await ask(1, 'PUT', 'v1', valueOf(4))).status).toBe(204)
  expect((await ask(2, 'GET', 'v1')).status).toBe(300)
  isOver = true
  await smallOnes
  expect(small).toBeGreaterThan(10)

  await Promise.all(cluster.nodes.map((node) => node.kill()))
  for (const node of cluster.nodes) node.start()
  await Promise.all(cluster.nodes.map((node) => node.ready()))
  await cluster.whole()
  await isThere('v2', 3)
  expect((await ask(0, 'GET', 'v1')).status).toBe(300)

  const wiped = cluster.node(1)
  await wiped.kill()
  wiped.wipe()
  wiped.start()
  await wiped.ready()
  await cluster.whole()
  await until('the wiped node is filled', async () => (await cluster.repair(wiped)).filling === 0, 60_000)
  await cluster.node(0).kill()
  const { body } = await ask(1, 'GET', 'v2')
  expect(body.equals(valueOf(3))).toBe(true)
})
