// A node on a small file system that others fill to the last byte, and empty again. Needs to mount a tmpfs; skipped where that is not allowed.

import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Cluster } from '../../scripts/torture/cluster.ts'
import { type Answer, kvPath, problemCode } from '../../scripts/torture/http-client.ts'
import { until } from '../../scripts/torture/waiting.ts'
import { smallFileSystem } from '../io/small-file-system.ts'

const { path, mounted } = smallFileSystem('24m')

test.skipIf(!mounted)(
  'refuses writes, serves reads and deletions, and takes writes when there is room again (skipped where mount is not allowed)',
  { timeout: 60_000 },
  async () => {
    await using cluster = await Cluster.start({ nodes: 1, dirOf: () => join(path, 'data') })
    const node = cluster.node(0)
    const body = Buffer.alloc(10_000, 'x')
    const call = (method: 'GET' | 'PUT' | 'DELETE', key: string, timeout = 5000): Promise<Answer> =>
      cluster.http.call(node.url, method, kvPath('full', key), {
        headers: { 'quorate-timeout': String(timeout) },
        ...(method === 'PUT' && { body }),
      })
    for (let i = 0; i < 20; i++) expect((await call('PUT', `k${i}`)).status).toBe(201)
    const others = join(path, 'others')
    const { bavail, bsize } = statfsSync(path)
    writeFileSync(others, Buffer.alloc(bavail * bsize))
    let answer = await call('PUT', 'refused')
    await until(
      () => `507, not ${answer.status} ${answer.body.toString()}`,
      async () => (answer = await call('PUT', 'refused')).status === 507,
      10_000,
    )
    expect(problemCode(answer)).toBe('storage-full')
    for (let i = 0; i < 20; i++) expect((await call('GET', `k${i}`)).body.equals(body)).toBe(true)
    // The log has made room ahead: a few deletions fit in that.
    let deleted = 0
    for (; deleted < 10; deleted++) expect((await call('DELETE', `k${deleted}`)).status).toBe(204)
    rmSync(others)
    await until(
      () => `201, not ${answer.status} ${answer.body.toString()}`,
      async () => (answer = await call('PUT', `again`)).status === 201,
      20_000,
    )
    expect(node.running).toBe(true)
    for (let i = 0; i < 20; i++) expect((await call('GET', `k${i}`)).status).toBe(i < deleted ? 404 : 200)
  },
)
