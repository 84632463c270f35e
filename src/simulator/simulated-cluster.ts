// A whole cluster in one process: hosts with a disk, a network between them, and on each the very node that production runs. Decides
// who is handed to the constructors; faults and workloads are others' business. Invariant: nothing here advances time.

import { QuorateNode } from '../node/node.ts'
import type { Storage } from '../storage/storage.ts'
import {
  DEFAULT_HEALING,
  DEFAULT_LIMITS,
  DEFAULT_TIMINGS,
  type Healing,
  type NodeLimits,
  type NodeTimings,
} from '../node/options.ts'
import { SILENT_LOGGER, type Logger } from '../telemetry/log.ts'
import { SimulatedNetwork } from './network.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { type ClockSettings, SimulatedProcess } from './simulated-process.ts'
import { VirtualTime } from './virtual-clock.ts'

export interface SimulatedClusterOptions {
  readonly seed: number | string
  readonly nodes: number
  /** Q */
  readonly partitions: number
  /** Without disks: every start is a new storage. */
  readonly memory?: boolean
  /** Proven on every link; none by default. */
  readonly secrets?: readonly string[]
  readonly healing?: Partial<Healing>
  readonly limits?: Partial<NodeLimits>
  readonly timings?: Partial<NodeTimings>
  readonly clockOf?: (host: string) => ClockSettings
  /** Everything that happens, in order; the fingerprint of a history is made of these. */
  readonly trace?: (event: string) => void
  readonly logger?: (host: string) => Logger
}

/** One machine: its disk stays, its processes come and go. */
export interface Host {
  readonly name: string
  readonly disk: SimulatedDisk
  process: SimulatedProcess | null
  node: QuorateNode | null
  /** The node that runs now serves. */
  serving: boolean
  /** Why the last run ended by itself, if it did. */
  fatal: string | null
  starts: number
  /** What earlier runs had in memory when they ended: the checkers' memory of who held what. The newest last. */
  readonly departed: Departed[]
}

/** `harms`: what had been destroyed on its disk by then. */
export interface Departed {
  readonly storage: Storage
  readonly at: number
  readonly harms: number
}

const PEER_PORT = 7481

/** Quick and small, so that a simulated minute shows what hours would. */
const SIMULATED_TIMINGS: NodeTimings = {
  ...DEFAULT_TIMINGS,
  heartbeatMs: 100,
  failureTimeoutMs: 500,
  clockBoundMs: 500,
  antiEntropyIntervalMs: 1500,
  collectionIntervalMs: 1000,
  hintIntervalMs: 200,
  hedgeMs: 60,
  reachGraceMs: 300,
  healingBudgetMs: 1000,
}

export const SIMULATED_LIMITS: NodeLimits = {
  ...DEFAULT_LIMITS,
  segmentBytesMax: 16 << 10,
  checkpointBytesMin: 32 << 10,
  deadBytesMin: 0,
  partBytes: 1 << 10,
  exchangeBytesMax: 2 << 10,
  handoffBytesMax: 8 << 10,
}

export class SimulatedCluster {
  readonly time: VirtualTime
  readonly network: SimulatedNetwork
  readonly random: SeededRandom
  readonly hosts: readonly Host[]
  /** Called when a host's run ended, however it did. */
  readonly onEnd: ((host: Host) => void)[] = []
  /** Called when a host's node serves, before anything is asked of it. */
  readonly onServing: ((host: Host, node: QuorateNode) => void)[] = []
  /** For the next starts: an operator may have changed them. */
  limits: Partial<NodeLimits>
  readonly #options: SimulatedClusterOptions

  constructor(options: SimulatedClusterOptions) {
    this.#options = options
    this.limits = options.limits ?? {}
    this.random = new SeededRandom(options.seed)
    this.time = new VirtualTime()
    const trace = options.trace ?? ((): void => {})
    this.network = new SimulatedNetwork({ time: this.time, random: this.random.fork('network'), trace })
    this.hosts = Array.from({ length: options.nodes }, (_, i): Host => {
      const name = `node-${i}`
      const disk = new SimulatedDisk({
        random: this.random.fork(`disk ${name}`),
        trace: (event) => trace(`${name} ${event}`),
      })
      return { name, disk, process: null, node: null, serving: false, fatal: null, starts: 0, departed: [] }
    })
  }

  host(name: string): Host {
    const host = this.hosts.find((candidate) => candidate.name === name)
    if (!host) throw new RangeError(`no host ${name}`)
    return host
  }

  /** Hosts whose node serves now. */
  get serving(): readonly Host[] {
    return this.hosts.filter((host) => host.serving)
  }

  /** Starts the host's node; it serves some simulated time later. */
  start(host: Host): void {
    const { nodes, partitions, memory = false, secrets = [], healing, timings, clockOf, trace, logger } = this.#options
    host.starts++
    const label = `${host.name}#${host.starts}`
    const process = new SimulatedProcess(this.time, label, clockOf?.(host.name))
    const node = QuorateNode.create({
      name: host.name,
      version: 'simulated',
      clusterName: 'simulated',
      secrets,
      partitions,
      expect: nodes,
      join: this.hosts.filter((other) => other !== host).map((other) => `${other.name}:${PEER_PORT}`),
      peerAddress: `${host.name}:${PEER_PORT}`,
      advertisedPeerAddress: `${host.name}:${PEER_PORT}`,
      clientAddress: `${host.name}:7480`,
      zone: null,
      weight: 1,
      dev: false,
      clock: process.clock,
      transport: this.network.transport(host.name, process),
      disk: memory ? null : host.disk.attach(process),
      random: this.random.fork(`process ${label}`),
      logger: logger?.(host.name) ?? SILENT_LOGGER,
      limits: { ...SIMULATED_LIMITS, ...this.limits },
      timings: { ...SIMULATED_TIMINGS, ...timings },
      healing: { ...DEFAULT_HEALING, ...healing },
    })
    host.process = process
    host.node = node
    host.serving = false
    host.fatal = null
    trace?.(`start ${label}`)
    const end = (why: string): void => {
      if (host.node !== node || host.fatal !== null) return
      host.fatal = why
      trace?.(`fatal ${label} ${why}`)
      this.crash(host, 'reset', false)
    }
    node.onFatal((error) => end(error.message))
    node.start().then(
      () => {
        if (host.node !== node || !process.alive) return
        host.serving = true
        trace?.(`serving ${label}`)
        for (const listener of this.onServing) listener(host, node)
      },
      (error: unknown) => end(String(error)),
    )
  }

  startAll(): void {
    for (const host of this.hosts) this.start(host)
  }

  /** Kills the host's process; with `powerCut` the machine loses what its disk had not synced. */
  crash(host: Host, how: 'reset' | 'silent', powerCut: boolean): void {
    if (!host.process?.alive) return
    host.process.kill()
    host.serving = false
    const storage = host.node?.rooms?.storage
    if (storage) host.departed.push({ storage, at: this.time.now, harms: host.disk.harms })
    host.node = null
    this.network.crashHost(host.name, how)
    if (powerCut) host.disk.powerCut()
    this.#options.trace?.(`crash ${host.name} ${how}${powerCut ? ' power' : ''}`)
    for (const listener of this.onEnd) listener(host)
  }

  /** Runs until all hosts that run serve; false when that does not happen in time. */
  async untilServing(limitMs = 60_000): Promise<boolean> {
    return this.time.runUntilCondition(() => this.hosts.every((host) => !host.process?.alive || host.serving), limitMs)
  }
}
