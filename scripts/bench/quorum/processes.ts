// The processes of one measurement: a cluster of real nodes, the bare server, the load; and the CPU time that they took.
// Invariant: all end with this process (their channel closes), and `stop` leaves neither process nor directory.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ChildNode } from '../../../src/cli/child-node.ts'
import type { BareAnswers, LoadPlan, LoadResult } from './load-plan.ts'

/** What was started and can be measured. */
export interface Servers {
  readonly ports: readonly number[]
  readonly pids: readonly number[]
  stop(): Promise<void>
}

const HOST = '127.0.0.1'
const STOP_WITHIN_MS = 15_000
/** USER_HZ of every Linux that runs Node. */
const TICKS_PER_SECOND = 100

/** Seconds of user and system time of all threads of these processes since they began. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    // The command's name may hold blanks and brackets: fields are counted from behind it (proc(5): utime is the 14th).
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / TICKS_PER_SECOND
}

export async function startCluster(options: {
  readonly nodes: number
  readonly durable: boolean
  /** Directory for CPU profiles, or null. */
  readonly profiles: string | null
}): Promise<Servers> {
  const { nodes: count, durable, profiles } = options
  const folder = mkdtempSync(join(tmpdir(), 'quorate-bench-'))
  const ports = await freePorts(2 * count)
  const env = {
    ...process.env,
    ...(profiles !== null && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles} --cpu-prof-interval=500` }),
  }
  const nodes = Array.from({ length: count }, (_, index) => {
    const [port, peerPort] = [ports[2 * index] as number, ports[2 * index + 1] as number]
    const others = ports.filter((other, at) => at % 2 === 1 && other !== peerPort).map((other) => `${HOST}:${other}`)
    const name = `node-${index}`
    const storage = durable ? ['--data', join(folder, name)] : ['--memory']
    const addresses = ['--host', HOST, '--port', String(port), '--peer-host', HOST, '--peer-port', String(peerPort)]
    const cluster = ['--join', others.join(','), '--expect', String(count)]
    const args = ['--name', name, ...addresses, ...storage, ...cluster]
    return new ChildNode({ name, port, peerPort, args, logFile: join(folder, `${name}.log`) }, env, null)
  })
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop(STOP_WITHIN_MS)))
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await Promise.all(nodes.map((node) => node.ready))
  } catch (error) {
    const logs = nodes.map((node) => node.logTail()).join('\n')
    await stop()
    throw new Error(`the cluster did not come up:\n${logs}`, { cause: error })
  }
  return { ports: nodes.map((node) => node.plan.port), pids: nodes.map((node) => node.pid ?? 0), stop }
}

export async function startBare(valueBytes: number, headers: BareAnswers): Promise<Servers> {
  const child = fork(join(import.meta.dirname, 'bare-server.ts'), [String(valueBytes), JSON.stringify(headers)])
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)))
    child.once('exit', () => reject(new Error('the bare server did not come up')))
  })
  return { ports: [port], pids: [child.pid ?? 0], stop: () => ended(child) }
}

/** As many processes of the empty store as the cluster has; `durable`: they append to files. */
export async function startEmpty(nodes: number, durable: boolean, headers: BareAnswers): Promise<Servers> {
  const folder = durable ? mkdtempSync(join(tmpdir(), 'quorate-bench-')) : ''
  const script = join(import.meta.dirname, 'empty-store.ts')
  const children = Array.from({ length: nodes }, () => fork(script, [folder, JSON.stringify(headers)]))
  const told = (child: ChildProcess): Promise<unknown> =>
    new Promise((resolve, reject) => {
      child.once('message', resolve)
      child.once('exit', () => reject(new Error('the empty store did not come up')))
    })
  // From our own processes.
  const ports = (await Promise.all(children.map(told))) as (readonly [http: number, peer: number])[]
  const ready = Promise.all(children.map(told))
  children.forEach((child, own) => child.send(ports.filter((_, other) => other !== own).map(([, peer]) => peer)))
  await ready
  return {
    ports: ports.map(([http]) => http),
    pids: children.map(({ pid }) => pid ?? 0),
    stop: async () => {
      await Promise.all(children.map(ended))
      if (durable) rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Several processes as one target. */
export function together(servers: readonly Servers[]): Servers {
  return {
    ports: servers.flatMap(({ ports }) => ports),
    pids: servers.flatMap(({ pids }) => pids),
    stop: async () => {
      await Promise.all(servers.map((one) => one.stop()))
    },
  }
}

/** The process that makes the load. */
export class Load {
  readonly #child: ChildProcess = fork(join(import.meta.dirname, 'load.ts'), { serialization: 'advanced' })

  run(plan: LoadPlan): Promise<LoadResult> {
    return new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error('the load process ended'))
      this.#child.once('exit', onExit)
      this.#child.once('message', (result) => {
        this.#child.off('exit', onExit)
        // Our own process on our own channel.
        resolve(result as LoadResult)
      })
      this.#child.send(plan)
    })
  }

  stop(): Promise<void> {
    return ended(this.#child)
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}

/** Free now, and not the same ones twice: all are held until the last is known. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, HOST))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => {
    const bound = server.address()
    return bound !== null && typeof bound === 'object' ? bound.port : 0
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
