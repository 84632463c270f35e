// A stand-in for a node's HTTP API, and a terminal that remembers: what the command line sends, prints and returns.

import { createServer, type IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { run } from '../../src/cli/program.ts'

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer | object
}

export interface FakeNode {
  readonly url: string
  readonly seen: readonly Seen[]
  close(): Promise<void>
}

export async function fakeNode(answer: (request: Seen, count: number) => Reply): Promise<FakeNode> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const one: Seen = { method, url, headers, body: Buffer.concat(chunks) }
      seen.push(one)
      const { status, headers: more = {}, body = '' } = answer(one, seen.length)
      const isData = typeof body === 'string' || Buffer.isBuffer(body)
      response.writeHead(status, isData ? more : { 'content-type': 'application/json', ...more })
      response.end(isData ? body : JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export interface Ran {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export async function runCli(
  argv: readonly string[],
  { env = {}, stdin = '' }: { env?: Readonly<Record<string, string>>; stdin?: string } = {},
): Promise<Ran> {
  const output = { stdout: new PassThrough(), stderr: new PassThrough() }
  const input = new PassThrough()
  input.end(stdin)
  const collected = { stdout: '', stderr: '' }
  output.stdout.on('data', (chunk: Buffer) => (collected.stdout += chunk.toString()))
  output.stderr.on('data', (chunk: Buffer) => (collected.stderr += chunk.toString()))
  const status = await run(argv, { env, stdin: input, ...output })
  return { status, ...collected }
}

export function problem(status: number, code: string, more: object = {}): Reply {
  const body = { type: `urn:quorate:error:${code}`, title: code, status, detail: `about ${code}`, code, ...more }
  return { status, headers: { 'content-type': 'application/problem+json' }, body }
}
