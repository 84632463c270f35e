// A cluster of real processes on this machine, for torture runs and integration tests: founds it, looks into it over HTTP, waits for
// it to become quiet, and leaves nothing behind. Knows no story. Invariant: after `stop` none of its processes or files are left.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HttpClient, type Answer } from './http-client.ts'
import { NodeProcess } from './node-process.ts'
import { freePorts } from './ports.ts'
import { until } from './waiting.ts'

export interface ClusterOptions {
  readonly nodes?: number
  /** More options of `quorate start`, for every node. */
  readonly args?: readonly string[]
  /** A node's directory, where it is not in the cluster's folder. */
  readonly dirOf?: (index: number) => string
  /** Where the nodes are, where that is not the loopback of this machine. */
  readonly network?: Network
}

/** Each node has an address of its own there, and every port of it. */
export interface Network {
  readonly hostOf: (index: number) => string
  /** What starts a process there; it must become that process. */
  readonly startedBy: (index: number) => readonly string[]
}

const STANDARD_PORTS = { client: 7480, peer: 7481 }

export interface RepairFigures {
  readonly filling: number
  readonly running: boolean
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly keysRepaired: number
  readonly readRepairs: number
  readonly lastError: string | null
  readonly peers: readonly { readonly node: string; readonly differing: number }[]
}

export class Cluster {
  readonly nodes: readonly NodeProcess[]
  readonly http: HttpClient = new HttpClient()
  readonly folder: string

  private constructor(folder: string, nodes: readonly NodeProcess[]) {
    this.folder = folder
    this.nodes = nodes
  }

  /** Founds a cluster and waits until all of it serves. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const { nodes: count = 5, args: more = [], network } = options
    const folder = mkdtempSync(join(tmpdir(), 'quorate-torture-'))
    const places = network
      ? Array.from({ length: count }, (_, index) => ({ ...STANDARD_PORTS, host: network.hostOf(index) }))
      : (await freePorts(count)).map((pair) => ({ ...pair, host: '127.0.0.1' }))
    const nodes = places.map(({ client, peer, host }, index) => {
      const name = `node-${index}`
      const dir = options.dirOf?.(index) ?? join(folder, name)
      const others = places.filter((_, other) => other !== index).map((place) => `${place.host}:${place.peer}`)
      const cluster = others.length > 0 ? ['--join', others.join(','), '--expect', String(count)] : []
      const addresses = ['--host', host, '--port', String(client), '--peer-host', host, '--peer-port', String(peer)]
      const args = ['--name', name, ...addresses, '--data', dir, ...cluster, '--dev', ...more]
      return new NodeProcess({
        name,
        clientPort: client,
        peerPort: peer,
        dir,
        args,
        logFile: join(folder, `${name}.log`),
        host,
        ...(network && { startedBy: network.startedBy(index) }),
      })
    })
    const cluster = new Cluster(folder, nodes)
    try {
      for (const node of nodes) node.start()
      await Promise.all(nodes.map((node) => node.ready()))
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return cluster
  }

  /** A process that is no member yet: sent to all members, under this name, with this directory. Whoever asks for it kills it. */
  async another(name: string, dir: string): Promise<NodeProcess> {
    const [ports = { client: 0, peer: 0 }] = await freePorts(1)
    const members = this.nodes.map(({ host, plan }) => `${host}:${plan.peerPort}`).join()
    const addresses = ['--port', String(ports.client), '--peer-port', String(ports.peer)]
    const args = ['--name', name, ...addresses, '--data', dir, '--join', members, '--dev', '--log-level', 'warn']
    const logFile = join(this.folder, `another-${name}.log`)
    return new NodeProcess({ name, clientPort: ports.client, peerPort: ports.peer, dir, args, logFile })
  }

  /** Kills what runs and removes every file. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()))
    await this.http.close()
    if (process.env['TORTURE_KEEP'] === undefined) {
      rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  node(index: number): NodeProcess {
    const node = this.nodes[index]
    if (node === undefined) throw new Error(`there is no node ${index}`)
    return node
  }

  named(name: string): NodeProcess {
    const node = this.nodes.find((candidate) => candidate.name === name)
    if (node === undefined) throw new Error(`there is no ${name}`)
    return node
  }

  /** Those that serve, as far as is known without asking. */
  get serving(): readonly NodeProcess[] {
    return this.nodes.filter((node) => node.running && node.saidReady)
  }

  async readyz(node: NodeProcess): Promise<boolean> {
    const answer = await this.http.tryCall(node.url, 'GET', '/readyz')
    return answer?.status === 200
  }

  async json<T>(node: NodeProcess, path: string): Promise<T> {
    const answer = await this.http.call(node.url, 'GET', path)
    if (answer.status !== 200) throw new Error(`${node.name} ${path}: ${answer.status} ${answer.body.toString()}`)
    return JSON.parse(answer.body.toString()) as T // the public contract's shapes; a missing property fails the story
  }

  repair(node: NodeProcess): Promise<RepairFigures> {
    return this.json<RepairFigures>(node, '/v1/repair')
  }

  async homesOf(bucket: string, key: string): Promise<readonly string[]> {
    const [node] = this.serving
    if (node === undefined) throw new Error('no node serves')
    const path = `/v1/ring/${encodeURIComponent(bucket)}/${encodeURIComponent(key)}`
    return (await this.json<{ readonly preferenceList: readonly string[] }>(node, path)).preferenceList
  }

  /** Cuts peer links, on every node that runs. */
  async cut(pairs: readonly (readonly [string, string])[]): Promise<void> {
    for (const node of this.nodes) {
      if (!node.running) continue
      const answer = await this.http.call(node.url, 'PUT', '/v1/dev/links', {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ cut: pairs }),
      })
      if (answer.status !== 200) throw new Error(`links of ${node.name}: ${answer.status} ${answer.body.toString()}`)
    }
  }

  /** Waits until every node sees every other one. */
  async whole(withinMs: number = 30_000): Promise<void> {
    let seen = ''
    await until(
      () => `every node sees every other one: ${seen}`,
      async () => {
        const views = await Promise.all(
          this.nodes.map((node) =>
            this.json<{ readonly members: readonly { readonly name: string; readonly status: string }[] }>(
              node,
              '/v1/cluster',
            ),
          ),
        )
        const away = views.flatMap((view) => view.members).filter((member) => member.status === 'unreachable')
        seen = away.map((member) => member.name).join()
        return away.length === 0
      },
      withinMs,
    )
  }

  /** Waits until nothing is left to heal: no hints, nothing filling, and no pair of replicas that differs. */
  async quiet(withinMs: number = 60_000): Promise<void> {
    await this.whole(withinMs)
    let left = ''
    await until(
      () => `quiet: ${left}`,
      async () => {
        const hints = await Promise.all(
          this.nodes.map((node) => this.json<{ readonly hints: number }>(node, '/v1/hints')),
        )
        const filling = await Promise.all(this.nodes.map((node) => this.repair(node)))
        left = `hints ${hints.map((each) => each.hints).join()}, filling ${filling.map((each) => each.filling).join()}`
        if (hints.some((each) => each.hints > 0) || filling.some((each) => each.filling > 0)) return false
        const rounds: RepairFigures[] = []
        for (const node of this.nodes) {
          const answer = await this.http.call(node.url, 'POST', '/v1/repair', { timeoutMs: withinMs })
          rounds.push(JSON.parse(answer.body.toString()) as RepairFigures)
        }
        const differing = rounds.map(({ peers }) => peers.reduce((sum, peer) => sum + peer.differing, 0))
        left = `partitions that differ: ${differing.join()}; ${rounds.map(({ lastError }) => lastError).join()}`
        return (
          differing.every((count) => count === 0) && rounds.every(({ peers }) => peers.length === this.nodes.length - 1)
        )
      },
      withinMs,
      200,
    )
  }

  /** All answers of all nodes to one request. */
  fromEach(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer[]> {
    return Promise.all(this.nodes.map((node) => this.http.call(node.url, 'GET', path, { headers })))
  }
}
