// Lists a bucket page by page as a client would, and loads one with `quorate import`. Decides nothing about what should be listed.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Cluster } from './cluster.ts'
import { problemCode } from './http-client.ts'
import type { NodeProcess } from './node-process.ts'

export type Listed =
  | { readonly type: 'complete'; readonly keys: readonly string[]; readonly pages: number }
  | {
      readonly type: 'stopped'
      readonly keys: readonly string[]
      readonly status: number
      readonly code: string | null
      /** Where to go on; null where the answer named none. */
      readonly cursor: string | null
    }

export interface ListRequest {
  readonly bucket: string
  readonly limit?: number
  readonly cursor?: string | null
  /** Before each page: through which node it is asked. */
  readonly through: () => NodeProcess
}

interface Page {
  readonly keys: readonly string[]
  readonly cursor: string | null
  readonly more: boolean
}

export async function listAll(cluster: Cluster, request: ListRequest): Promise<Listed> {
  const keys: string[] = []
  let cursor = request.cursor ?? null
  for (let pages = 1; ; pages++) {
    const query = new URLSearchParams({ limit: String(request.limit ?? 1000), ...(cursor !== null && { cursor }) })
    const path = `/v1/kv/${encodeURIComponent(request.bucket)}?${query.toString()}`
    const answer = await cluster.http.call(request.through().url, 'GET', path)
    if (answer.status !== 200) {
      const problem = JSON.parse(answer.body.toString()) as { readonly cursor?: unknown }
      const resume = typeof problem.cursor === 'string' ? problem.cursor : null
      return { type: 'stopped', keys, status: answer.status, code: problemCode(answer), cursor: resume }
    }
    const page = JSON.parse(answer.body.toString()) as Page
    for (const key of page.keys) keys.push(key)
    cursor = page.cursor
    if (!page.more) return { type: 'complete', keys, pages }
  }
}

/** Runs `quorate import` through all nodes; throws when not every item was stored. */
export async function importFile(cluster: Cluster, file: string, bucket: string, keyTemplate: string): Promise<string> {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
  const urls = cluster.nodes.map(({ url }) => url).join(',')
  const args = [
    'import',
    file,
    '--bucket',
    bucket,
    '--key-template',
    keyTemplate,
    '--concurrency',
    '64',
    '--url',
    urls,
    '--quiet',
  ]
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await once(child, 'close')
  if (child.exitCode !== 0) throw new Error(`import ended with ${child.exitCode}: ${said}`)
  return said.trim()
}
