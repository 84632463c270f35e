// Composes one running node from its settings, top to bottom: logger, disk, ports of the operating system, node, HTTP server.
// The only place that knows all rooms. Invariant: what was opened is closed again, in the opposite order, whatever fails.

import { createServer } from 'node:net'
import { hostname } from 'node:os'
import type { Configuration } from '../config/resolve.ts'
import type { Settings } from '../config/settings.ts'
import { collectGarbage } from './engine-flags.ts'
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
  /**
   * Not ready any more, lets what was begun finish, closes connections and storage: all of it within `deadlineMs`, if the disk can.
   * False: not all was finished.
   */
  drain(deadlineMs: number, why: string): Promise<boolean>
  /** Gives back ports and files. */
  stop(): Promise<void>
  onFatal(listener: (error: Error) => void): void
}

/** At the end of a drain: to settle rounds, send their answers, sync. Never more than half of all the time there is. */
const CLOSING_MS = 1000
/** For answers that are on their way when a node stops. */
const LAST_ANSWERS_MS = 500

const WILDCARDS = ['0.0.0.0', '::', '[::]']

export async function composeNode({ settings }: Configuration, version: string): Promise<ComposedNode> {
  const logger = createLogger({ node: settings.name, level: settings.logLevel })
  // Addresses are told to others before anything listens, so "any free port" is settled first.
  const port = await settledPort(settings.host, settings.port)
  const peerPort = await settledPort(settings.peerHost, settings.peerPort)

  const told = { clients: joined(settings.host, port), peers: joined(settings.peerHost, peerPort), join: settings.join }
  logger.info({ version, name: settings.name, ...told, data: settings.memory ? null : settings.data }, 'starting')
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
      processMemory: memoryOfProcess,
      collectGarbage,
      healing: DEFAULT_HEALING,
    })
    // Liveness is served before the node has joined: readiness tells the two apart.
    const limits = { valueBytesMax: settings.valueBytesMax }
    const http = await createHttpServer({ node, host: settings.host, port, logger, limits })
    let closed: Promise<void> | null = null
    const closeHttp = (withinMs: number): Promise<void> => (closed ??= http.close(withinMs))
    return {
      clientAddress: http.address.replace(/^http:\/\//, ''),
      start: () => node.start(),
      async drain(deadlineMs, why) {
        logger.info({ why, withinMs: deadlineMs }, 'draining')
        const closingMs = Math.min(CLOSING_MS, deadlineMs / 2)
        const requestsEndAt = performance.now() + deadlineMs - closingMs
        node.finish()
        const isFinished = await http.finish(deadlineMs - closingMs)
        // Clients may have left while their writes go on. Rounds that have no more time are settled by this: then they have an answer.
        await node.drain(Math.max(0, requestsEndAt - performance.now()))
        await closeHttp(closingMs / 2)
        return isFinished
      },
      async stop() {
        await closeHttp(LAST_ANSWERS_MS)
        await node.stop()
        await disk?.close()
        logger.info({}, 'stopped')
      },
      onFatal: (listener) => node.onFatal(listener),
    }
  } catch (error) {
    await disk?.close()
    throw error
  }
}

function memoryOfProcess(): { resident: number; buffers: number; heap: number } {
  const { rss, arrayBuffers, heapTotal } = process.memoryUsage()
  return { resident: rss, buffers: arrayBuffers, heap: heapTotal }
}

/** What a node is told that is neither an address nor a port of its own. */
function nodeSettings(settings: Settings): NodeSettings {
  const { name, join, zone, weight, partitions, dev } = settings
  const { siblingsMax, siblingBytesMax, hintBytesMax, diskBytesMax, segmentBytesMax, checkpointBytesMin } = settings
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
      ...{ siblingsMax, siblingBytesMax, hintBytesMax, bytesMax, diskBytesMax, segmentBytesMax, checkpointBytesMin },
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
