// The processes that are measured: one Quorate node, alone in its cluster, and Redis. Decides how they are started and stopped, and what
// is asked of them besides keys. Invariant: the session ends them; none outlives it.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { NodeProcess } from '../../torture/node-process.ts'
import { freePorts } from '../../torture/ports.ts'
import { until } from '../../torture/waiting.ts'
import { type Dialect, QuorateDialect, RedisDialect, type Replacing } from './dialects.ts'
import { delaysOf } from './figures.ts'
import type { LatencyFigures } from '../../../src/telemetry/latency.ts'
import type { Pace } from './driver.ts'
import type { Session } from './session.ts'

export const BUCKET = 'bench'

export interface Server {
  readonly name: string
  readonly pid: number
  readonly port: number
  readonly pace: Pace
  /** Keys that it holds, by its own account, those included that nobody can read any more. */
  keys(): Promise<number>
  stop(): Promise<void>
}

const STOP_MS = 30_000
const READY_MS = 300_000

export interface NodeSettings {
  /** Null: in memory. */
  readonly place: string | null
  readonly conflict?: 'siblings' | 'lww'
  /** More options of `quorate start`. */
  readonly args?: readonly string[]
}

export class QuorateServer implements Server {
  readonly name = 'Quorate'
  /** Its data; nothing is in it without a disk. */
  readonly dataDir: string
  readonly port: number
  readonly #node: NodeProcess
  readonly #isDurable: boolean

  private constructor(node: NodeProcess, isDurable: boolean) {
    this.#node = node
    this.#isDurable = isDurable
    this.dataDir = node.plan.dir
    this.port = node.plan.clientPort
  }

  static async start(
    session: Session,
    { place, conflict = 'siblings', args = [] }: NodeSettings,
  ): Promise<QuorateServer> {
    const folder = session.folder(place ?? tmpdir())
    const [ports] = await freePorts(1)
    if (ports === undefined) throw new Error('no ports')
    const dir = join(folder, 'data')
    const addresses = ['--host', '127.0.0.1', '--peer-host', '127.0.0.1', '--port', String(ports.client)]
    const storage = place === null ? ['--memory'] : ['--data', dir]
    const node = new NodeProcess({
      ...{ name: 'bench', clientPort: ports.client, peerPort: ports.peer, dir, logFile: join(folder, 'log') },
      args: ['--name', 'bench', ...addresses, '--peer-port', String(ports.peer), ...storage, ...args],
    })
    const server = new QuorateServer(node, place !== null)
    session.onEnd(() => server.#node.kill())
    await server.start()
    const settings = { n: 1, r: 1, w: 1, conflict, durability: place === null ? 'memory' : 'durable' }
    await server.#ask('PUT', `/v1/buckets/${BUCKET}`, settings)
    return server
  }

  get pid(): number {
    return this.#node.pid ?? 0
  }

  /**
   * At which it takes most. What is under way on one connection it serves one by one: writes that wait for a disk want connections, others
   * cost least when many arrive at once.
   */
  get pace(): Pace {
    return this.#isDurable ? { connections: 128, depth: 2 } : { connections: 4, depth: 64 }
  }

  dialect(replacing: Replacing): Dialect {
    return new QuorateDialect(this.port, BUCKET, replacing)
  }

  /** Resolves with the milliseconds until it said that it is ready and /readyz agreed. */
  async start(): Promise<number> {
    const from = performance.now()
    this.#node.start()
    await this.#node.ready(READY_MS)
    await this.#ask('GET', '/readyz')
    return performance.now() - from
  }

  /** Figures of /v1/stats by their path; NaN for what it does not say. */
  async stats(): Promise<(path: string) => number> {
    const stats = await this.#ask('GET', '/v1/stats')
    return (path) => {
      let value: unknown = stats
      for (const name of path.split('.'))
        value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : null
      return typeof value === 'number' ? value : Number.NaN
    }
  }

  get isRunning(): boolean {
    return this.#node.running
  }

  /** How late its event loop was, since it began. */
  async delays(): Promise<LatencyFigures> {
    return delaysOf(await this.#ask('GET', '/v1/stats'))
  }

  async keys(): Promise<number> {
    return (await this.stats())('storage.keys')
  }

  async kill(): Promise<void> {
    await this.#node.kill()
  }

  /** Orderly, and not by force unless it takes too long, which is an error. */
  async stop(): Promise<void> {
    this.#node.signal('SIGTERM')
    const { signal } = await Promise.race([this.#node.exited, delay(STOP_MS, { signal: 'late' }, { ref: false })])
    if (signal !== 'late') return
    await this.#node.kill()
    throw new Error(`the node did not end within ${STOP_MS} ms; its log ends:\n${this.#node.logTail()}`)
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const headers = { 'content-type': 'application/json' }
    const json = body === undefined ? {} : { headers, body: JSON.stringify(body) }
    const answer = await fetch(`${this.#node.url}${path}`, { method, ...json })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return JSON.parse(text)
  }
}

export class RedisServer implements Server {
  readonly name = 'Redis'
  readonly port: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  /** Its version line; null: it is not installed. */
  static version(): string | null {
    const { stdout, status } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' })
    return status === 0 ? stdout.trim() : null
  }

  /** Nothing is changed of what it ships with but what would write to disk. */
  static async start(session: Session): Promise<RedisServer> {
    const [ports] = await freePorts(1)
    if (ports === undefined) throw new Error('no ports')
    const dir = session.folder(tmpdir())
    const settings = ['--port', String(ports.client), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    const child = spawn('redis-server', [...settings, '--dir', dir, '--daemonize', 'no'], { stdio: 'ignore' })
    const server = new RedisServer(child, ports.client)
    // Redis knows nothing of parents.
    const onExit = (): void => void child.kill('SIGKILL')
    process.once('exit', onExit)
    child.once('exit', () => process.off('exit', onExit))
    session.onEnd(() => server.stop())
    await until(
      'redis-server answers',
      () =>
        child.exitCode === null &&
        redisSays(server.port, 'PING').then(
          (said) => said === '+PONG',
          () => false,
        ),
      10_000,
    )
    return server
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get pace(): Pace {
    return { connections: 4, depth: 64 }
  }

  dialect(): Dialect {
    return new RedisDialect()
  }

  async keys(): Promise<number> {
    return Number((await redisSays(this.port, 'DBSIZE')).slice(1))
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    await exit
    clearTimeout(timer)
  }
}

/** The first line of the answer to an inline command. */
function redisSays(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(`${command}\r\n`))
    let heard = ''
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
      const end = heard.indexOf('\r\n')
      if (end < 0) return
      socket.destroy()
      resolve(heard.slice(0, end))
    })
    socket.on('error', reject)
  })
}
