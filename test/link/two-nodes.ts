// Nodes on a simulated network with links only: what every test of links needs. Decides nothing.

import { PeerLinks } from '../../src/link/links.ts'
import type { Admission, LinkSettings } from '../../src/link/settings.ts'
import type { RequestHandler } from '../../src/link/peers.ts'
import { type HelloFrame, PROTOCOL_VERSION, type Reply, type WriteRequest } from '../../src/protocol/messages.ts'
import { SimulatedNetwork } from '../../src/simulator/network.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { SimulatedProcess } from '../../src/simulator/simulated-process.ts'
import { VirtualTime } from '../../src/simulator/virtual-clock.ts'
import { type Logger, SILENT_LOGGER } from '../../src/telemetry/log.ts'

export interface NodeOptions {
  readonly handler?: RequestHandler
  readonly seeds?: readonly string[]
  readonly secrets?: readonly string[]
  readonly clusterId?: string | null
  readonly clusterName?: string
  readonly software?: string
  readonly storage?: string
  readonly admit?: (hello: HelloFrame) => Admission
  readonly settings?: Partial<LinkSettings>
  readonly logger?: Logger
  /** Members that this node's table holds. */
  readonly members?: readonly string[]
  readonly clock?: { readonly offsetMs?: number; readonly drift?: number }
}

export interface TestNode {
  readonly name: string
  readonly links: PeerLinks
  readonly process: SimulatedProcess
  readonly hellos: HelloFrame[]
  readonly goodbyes: string[]
  readonly samples: { member: string; offsetMs: number; rttMs: number }[]
  readonly changes: string[]
  readonly digests: string[]
  /** Times of others that were later than the own clock. */
  readonly observed: number[]
}

export class World {
  readonly time: VirtualTime = new VirtualTime()
  readonly events: string[] = []
  #runs = 0
  readonly random: SeededRandom
  readonly network: SimulatedNetwork

  constructor(seed: number | string = 1) {
    this.random = new SeededRandom(seed)
    this.network = new SimulatedNetwork({
      time: this.time,
      random: this.random.fork('network'),
      trace: (event) => this.events.push(`${this.time.now} ${event}`),
    })
  }

  node(name: string, options: NodeOptions = {}): TestNode {
    const process = new SimulatedProcess(this.time, name, options.clock)
    const node = {
      hellos: [] as HelloFrame[],
      goodbyes: [] as string[],
      samples: [] as TestNode['samples'],
      changes: [] as string[],
      digests: [] as string[],
      observed: [] as number[],
    }
    const links = new PeerLinks({
      clock: process.clock,
      transport: this.network.transport(name, process),
      // Every run of a process draws afresh, or a restarted one would be its own twin.
      random: this.random.fork(`${name}-${this.#runs++}`),
      logger: options.logger ?? SILENT_LOGGER,
      listenAddress: `${name}:7481`,
      seeds: options.seeds ?? [],
      secrets: options.secrets ?? [],
      ...(options.settings === undefined ? {} : { settings: options.settings }),
      hooks: {
        localHello: () => ({
          version: PROTOCOL_VERSION,
          name,
          storage: options.storage ?? `storage-of-${name}`,
          peerAddress: `${name}:7481`,
          clientAddress: `${name}:7480`,
          clusterId: options.clusterId ?? null,
          clusterName: options.clusterName ?? 'test',
          table: new Uint8Array(0),
          ...(options.software !== undefined && { software: options.software }),
        }),
        admit: options.admit ?? (() => ({ accept: true })),
        onHello: (hello) => node.hellos.push(hello),
        onGoodbye: (peer, reason) => node.goodbyes.push(`${peer} ${reason}`),
        handler: options.handler ?? (() => stored()),
        onClockSample: (member, offsetMs, rttMs) => node.samples.push({ member, offsetMs, rttMs }),
        hybridTime: () => Math.floor(process.clock.now()),
        observeTime: (time) => void node.observed.push(time),
        digests: () => ({ members: `members-of-${name}`, settings: `settings-of-${name}` }),
        onHeartbeatDigests: (member, members, settings) => node.digests.push(`${member} ${members} ${settings}`),
        members: () => (options.members ?? []).map((member) => ({ name: member, peerAddress: `${member}:7481` })),
      },
    })
    links.onChange((member, reachable) => node.changes.push(`${member} ${reachable ? 'up' : 'down'}`))
    return { name, links, process, ...node }
  }

  /** Two nodes that know each other, linked. */
  async pair(a: NodeOptions = {}, b: NodeOptions = {}): Promise<readonly [TestNode, TestNode]> {
    const first = this.node('a', { members: ['b'], ...a })
    const second = this.node('b', { members: ['a'], ...b })
    await this.time.settle(Promise.all([first.links.start(), second.links.start()]))
    const up = await this.time.runUntilCondition(() => first.links.reachable('b') && second.links.reachable('a'), 5000)
    if (!up) throw new Error('the pair did not link')
    return [first, second]
  }
}

export function write(overrides: Partial<WriteRequest> = {}): WriteRequest {
  return {
    type: 'write',
    bucket: 'bucket',
    key: 'key',
    partition: 19,
    intent: 'client',
    view: new Uint8Array([1, 2, 3]),
    hintFor: null,
    durable: true,
    membersDigest: 'digest',
    settingsVersion: 1,
    ...overrides,
  }
}

export function stored(siblings: number = 1): Reply {
  return {
    type: 'write',
    outcome: 'stored',
    durable: true,
    heldLive: false,
    siblings,
    context: null,
    refusedDots: null,
    filling: false,
  }
}
