// Composes one running node from its settings, top to bottom: logger, disk, ports of the operating system, node, HTTP server.
// The only place that knows all rooms. Invariant: what was opened is closed again, in the opposite order, whatever fails.

import { createServer } from 'node:net'
import { hostname } from 'node:os'
import type { Configuration } from '../config/resolve.ts'
import type { Settings } from '../config/settings.ts'
import { createHttpServer } from '../http/server.ts'
import { FileDisk } from '../io/file-disk.ts'
import { OsRandom } from '../io/os-random.ts'
import { SocketTransport } from '../io/socket-transport.ts'
import { endOfTurn, SystemClock } from '../io/system-clock.ts'
import { QuorateNode } from '../node/node.ts'
import { DEFAULT_HEALING, DEFAULT_LIMITS, DEFAULT_TIMINGS, type NodeOptions } from '../node/options.ts'
import { createLogger } from '../telemetry/logger.ts'

/** What a command needs of a running node. */
export interface ComposedNode {
  /** Where clients reach it: `host:port`. */
  readonly clientAddress: string
  /** Resolves once it serves; rejects with a QuorateError when the cluster refuses it. */
  start(): Promise<void>
  /** Not ready any more; resolves when what was begun is done, or the deadline has passed. */
  drain(deadlineMs: number): Promise<void>
  /** Gives back ports and files. */
  stop(): Promise<void>
  onFatal(listener: (error: Error) => void): void
}

const WILDCARDS = ['0.0.0.0', '::', '[::]']

export async function composeNode({ settings }: Configuration, version: string): Promise<ComposedNode> {
  const logger = createLogger({ node: settings.name, level: settings.logLevel })
  // Addresses are told to others before anything listens, so "any free port" is settled first.
  const port = await settledPort(settings.host, settings.port)
  const peerPort = await settledPort(settings.peerHost, settings.peerPort)

  // The disk before everything else: its lock keeps a second process off the directory.
  const disk = settings.memory || settings.data === null ? null : await FileDisk.open(settings.data)
  try {
    const node = QuorateNode.create({
      ...nodeSettings(settings),
      version,
      peerAddress: joined(settings.peerHost, peerPort),
      advertisedPeerAddress: advertisedPeer(settings, peerPort),
      clientAddress: joined(advertisedHost(settings, settings.host), port),
      clock: new SystemClock(),
      transport: new SocketTransport(),
      disk,
      random: new OsRandom(),
      logger,
      schedule: endOfTurn,
      healing: DEFAULT_HEALING,
    })
    // Liveness is served before the node has joined: readiness tells the two apart.
    const limits = { valueBytesMax: settings.valueBytesMax }
    const http = await createHttpServer({ node, host: settings.host, port, logger, limits })
    let closed: Promise<void> | null = null
    const closeHttp = (): Promise<void> => (closed ??= http.close())
    return {
      clientAddress: http.address.replace(/^http:\/\//, ''),
      start: () => node.start(),
      async drain(deadlineMs) {
        // The node first turns unready and finishes; only then are connections closed.
        await node.drain(deadlineMs)
        await closeHttp()
      },
      async stop() {
        await closeHttp()
        await node.stop()
        await disk?.close()
      },
      onFatal: (listener) => node.onFatal(listener),
    }
  } catch (error) {
    await disk?.close()
    throw error
  }
}

/** What a node is told that is neither an address nor a port of its own. */
function nodeSettings(settings: Settings): NodeSettings {
  const { name, join, zone, weight, partitions, dev } = settings
  const { siblingsMax, siblingBytesMax, hintBytesMax, segmentBytesMax, checkpointBytesMin } = settings
  const { heartbeatMs, failureTimeoutMs, clockBoundMs, antiEntropyIntervalMs } = settings
  const bytesMax = settings.memoryBytesMax
  return {
    ...{ name, join, zone, weight, partitions, dev },
    // Who names nobody to join founds a cluster alone; who does joins one that exists, unless told how many found it.
    expect: settings.expect ?? (join.length === 0 ? 1 : null),
    clusterName: settings.cluster,
    secrets: settings.secret,
    limits: {
      ...DEFAULT_LIMITS,
      ...{ siblingsMax, siblingBytesMax, hintBytesMax, bytesMax, segmentBytesMax, checkpointBytesMin },
    },
    timings: { ...DEFAULT_TIMINGS, heartbeatMs, failureTimeoutMs, clockBoundMs, antiEntropyIntervalMs },
  }
}

type NodeSettings = Pick<
  NodeOptions,
  | 'name'
  | 'join'
  | 'expect'
  | 'zone'
  | 'weight'
  | 'partitions'
  | 'dev'
  | 'clusterName'
  | 'secrets'
  | 'limits'
  | 'timings'
>

function advertisedPeer(settings: Settings, peerPort: number): string {
  const { advertise } = settings
  if (advertise !== null && /:\d+$/.test(advertise)) return advertise
  return joined(advertisedHost(settings, settings.peerHost), peerPort)
}

/** What `--advertise` names, else where it listens; a node that listens everywhere is known by its host's name. */
function advertisedHost(settings: Settings, listening: string): string {
  if (settings.advertise !== null) return settings.advertise.replace(/:\d+$/, '')
  return WILDCARDS.includes(listening) ? hostname() : listening
}

function joined(host: string, port: number): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`
}

/** `port`, or one that is free now. */
async function settledPort(host: string, port: number): Promise<number> {
  if (port !== 0) return port
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host, port: 0 }, () => {
      const bound = server.address()
      server.close(() => resolve(bound !== null && typeof bound === 'object' ? bound.port : 0))
    })
  })
}
