// `quorate dev` as users meet it: real processes, real sockets, real directories.

import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { freeBasePort } from '../../scripts/torture/ports.ts'
import { until } from '../../scripts/torture/waiting.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const READY_MS = 60_000

interface Cluster {
  readonly process: ChildProcess
  /** Name, URL and pid of each ready line, in order. */
  readonly nodes: readonly { readonly name: string; readonly url: string; readonly pid: number }[]
  readonly exited: Promise<number | null>
  stdout(): string
  stderr(): string
}

const started: ChildProcess[] = []
const folders: string[] = []
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await new Promise((done) => child.once('exit', done))
  }
  for (const folder of folders.splice(0))
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-dev-test-'))
  folders.push(folder)
  return folder
}

function quorate(...args: string[]): {
  child: ChildProcess
  stdout: () => string
  stderr: () => string
  exited: Promise<number | null>
} {
  const main = join(ROOT, 'src/main.ts')
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], {
    cwd: newFolder(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()))
  const exited = new Promise<number | null>((done) => child.once('exit', done))
  return { child, stdout: () => said.stdout, stderr: () => said.stderr, exited }
}

async function dev(nodes: number, basePort: number, ...args: string[]): Promise<Cluster> {
  const { child, stdout, stderr, exited } = quorate(
    'dev',
    '--nodes',
    String(nodes),
    '--base-port',
    String(basePort),
    ...args,
  )
  await until(
    `ready; standard error: ${stderr()}`,
    () => stdout().includes('Ctrl-C') || child.exitCode !== null,
    READY_MS,
  )
  if (child.exitCode !== null) throw new Error(`dev ended with ${child.exitCode}: ${stderr()}`)
  const found = [...stdout().matchAll(/^ready (\S+) (http:\S+) pid=(\d+)$/gm)].map(([, name = '', url = '', pid]) => ({
    name,
    url,
    pid: Number(pid),
  }))
  return { process: child, nodes: found, exited, stdout, stderr }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function noneLeft(cluster: Cluster): Promise<void> {
  await until('every node has ended', () => cluster.nodes.every(({ pid }) => !alive(pid)), 20_000)
}

describe('quorate dev', { timeout: 180_000 }, () => {
  it("starts five nodes that serve one another's writes, ends with all of them, and finds its data again", async () => {
    const basePort = await freeBasePort(5)
    const data = newFolder()
    const first = await dev(5, basePort, '--data', data)
    expect(first.nodes.map(({ name, url }) => [name, url])).toEqual(
      [0, 1, 2, 3, 4].map((index) => [`node-${index}`, `http://127.0.0.1:${basePort + 10 * index}`]),
    )
    for (const { url } of first.nodes) expect((await fetch(`${url}/readyz`)).status).toBe(200)

    const path = '/v1/kv/greetings/hello'
    const put = await fetch(`${first.nodes[0]?.url}${path}`, {
      method: 'PUT',
      body: 'good day',
      headers: { 'quorate-w': 'all' },
    })
    expect(put.status).toBe(201)
    for (const { url } of first.nodes) expect(await (await fetch(`${url}${path}`)).text()).toBe('good day')
    for (const { name } of first.nodes) expect(existsSync(join(data, name))).toBe(true)

    first.process.kill('SIGTERM')
    expect(await first.exited).toBe(0)
    expect(first.nodes.filter(({ pid }) => alive(pid))).toEqual([])

    const second = await dev(5, basePort, '--data', data)
    expect(second.nodes).toHaveLength(5)
    expect(await (await fetch(`${second.nodes[4]?.url}${path}`)).text()).toBe('good day')
    second.process.kill('SIGINT')
    expect(await second.exited).toBe(0)
    expect(second.nodes.filter(({ pid }) => alive(pid))).toEqual([])
  })

  it('says which node ended and how it comes back, restarts none, and takes its nodes along when it is killed', async () => {
    const cluster = await dev(3, await freeBasePort(3), '--memory')
    expect(cluster.nodes).toHaveLength(3)
    process.kill(cluster.nodes[2]?.pid ?? 0, 'SIGKILL')
    await until('it says so', () => /comes back by: .*\n/.test(cluster.stderr()), 10_000)
    expect(cluster.stderr()).toContain('node-2 (pid')
    expect(cluster.stderr()).toMatch(/comes back by: npm run -s quorate -- start --name node-2 .*--join/)
    expect((await fetch(`${cluster.nodes[0]?.url}/healthz`)).status).toBe(200)
    expect(cluster.nodes.map(({ pid }) => alive(pid))).toEqual([true, true, false])
    cluster.process.kill('SIGKILL')
    await noneLeft(cluster)
  })

  it('ends with its nodes when it runs through npm and npm is told to stop', async () => {
    const args = ['dev', '--nodes', '1', '--base-port', String(await freeBasePort(1)), '--memory']
    const npm = spawn('npm', ['run', '-s', 'quorate', '--', ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    started.push(npm)
    let stdout = ''
    npm.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    await until('ready', () => stdout.includes('Ctrl-C'), READY_MS)
    const pid = Number(/pid=(\d+)/.exec(stdout)?.[1])
    expect(alive(pid)).toBe(true)
    npm.kill('SIGTERM')
    await until('the node has ended', () => !alive(pid), 20_000)
  })

  it('says which port is taken and exits with 1', async () => {
    const basePort = await freeBasePort(2)
    const taken = createServer()
    await new Promise<void>((done) => taken.listen(basePort + 10, '127.0.0.1', done))
    try {
      const { exited, stderr, stdout } = quorate('dev', '--nodes', '2', '--base-port', String(basePort), '--memory')
      expect(await exited).toBe(1)
      expect(stderr()).toContain(`port ${basePort + 10} is in use`)
      expect(stdout()).toBe('')
    } finally {
      await new Promise((done) => taken.close(done))
    }
  })
})

describe('quorate start', { timeout: 60_000 }, () => {
  it('forms a cluster alone, and ends with 0 when it is told to', async () => {
    const { child, stdout, stderr, exited } = quorate(
      'start',
      '--name',
      'alone',
      '--port',
      '0',
      '--peer-port',
      '0',
      '--memory',
    )
    await until(`ready; ${stderr()}`, () => stdout().includes('\n') || child.exitCode !== null, READY_MS)
    const [, url = ''] = /^ready alone (http:\/\/127\.0\.0\.1:\d+) pid=\d+$/m.exec(stdout()) ?? []
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
  })
})
