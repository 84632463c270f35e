// A small language for stories about whole nodes: who writes what through whom while who is away. It only tells; what must hold is each
// story's own. Time is simulated: nothing sleeps, everything waits for a condition.

import type { CausalContext } from '../../../src/core/causality/context-token.ts'
import type { BucketSettings } from '../../../src/core/membership/bucket-settings.ts'
import type {
  DeleteOutcome,
  GetOptions,
  GetOutcome,
  PutOptions,
  PutOutcome,
} from '../../../src/coordinator/operations.ts'
import { invariant } from '../../../src/errors.ts'
import type { NodeApi } from '../../../src/node/api.ts'
import { type Host, SimulatedCluster, type SimulatedClusterOptions } from '../../../src/simulator/simulated-cluster.ts'

export const KEY = 'kettle'
const BUCKET = 'kitchen'
export const MIB: number = 1024 * 1024
const TIMEOUT_MS = 4000

export type StoryOptions = Partial<SimulatedClusterOptions> & { readonly bucket?: Partial<BucketSettings> }

export class Story {
  readonly cluster: SimulatedCluster
  /** Homes of the key in preference order. */
  readonly r0: Host
  readonly r1: Host
  readonly r2: Host
  /** The first and the last of those who stand in. */
  readonly f: Host
  readonly last: Host

  private constructor(cluster: SimulatedCluster) {
    this.cluster = cluster
    const placement = nodeOf(cluster.hosts[0]).place(BUCKET, KEY)
    const hosts = [...placement.preferenceList, ...placement.fallbacks].map((name) => cluster.host(name))
    const [r0, r1, r2, f = r2] = hosts
    invariant(r0 !== undefined && r1 !== undefined && r2 !== undefined && f !== undefined, 'three homes')
    this.r0 = r0
    this.r1 = r1
    this.r2 = r2
    this.f = f
    this.last = hosts.at(-1) ?? f
  }

  static async begin({ bucket, ...options }: StoryOptions = {}): Promise<Story> {
    const cluster = new SimulatedCluster({ seed: 'story', nodes: 5, partitions: 8, ...options })
    cluster.startAll()
    invariant(await cluster.untilServing(), 'the cluster forms')
    if (bucket) await cluster.time.settle(nodeOf(cluster.hosts[0]).putBucket(BUCKET, bucket))
    return new Story(cluster)
  }

  // ── clients ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins a put; `settle` its promise when the rest of the story has happened. */
  beginPut(through: Host, text: string, options: Partial<PutOptions> = {}, key: string = KEY): Promise<PutOutcome> {
    const content = { contentType: 'text/plain', meta: [], bytes: Buffer.from(text) }
    return nodeOf(through).coordinator.put({ bucket: BUCKET, key, content, timeoutMs: TIMEOUT_MS, ...options })
  }

  put(through: Host, text: string, options: Partial<PutOptions> = {}, key: string = KEY): Promise<PutOutcome> {
    return this.cluster.time.settle(this.beginPut(through, text, options, key))
  }

  /** A put that must succeed; returns its context. */
  async write(
    through: Host,
    text: string,
    options: Partial<PutOptions> = {},
    key: string = KEY,
  ): Promise<CausalContext> {
    const outcome = await this.put(through, text, options, key)
    invariant(outcome.type === 'stored', `${text} is stored: ${JSON.stringify(outcome)}`)
    return outcome.context
  }

  get(through: Host, options: Partial<GetOptions> = {}, key: string = KEY): Promise<GetOutcome> {
    return this.cluster.time.settle(
      nodeOf(through).coordinator.get({ bucket: BUCKET, key, timeoutMs: TIMEOUT_MS, ...options }),
    )
  }

  /** What a read shows, in order of text; `null`: not found. Fails when the read does. */
  async shows(through: Host, options: Partial<GetOptions> = {}, key: string = KEY): Promise<string[] | null> {
    const outcome = await this.get(through, options, key)
    if (outcome.type === 'not-found') return null
    invariant(outcome.type === 'found', `a read through ${through.name} succeeds: ${JSON.stringify(outcome)}`)
    return outcome.versions.map(({ content }) => Buffer.from(content?.bytes ?? []).toString()).sort()
  }

  delete(through: Host, key: string = KEY): Promise<DeleteOutcome> {
    return this.cluster.time.settle(nodeOf(through).coordinator.delete({ bucket: BUCKET, key, timeoutMs: TIMEOUT_MS }))
  }

  // ── faults ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Nobody hears these hosts, and they hear only each other. Waits until everybody knows. */
  async cutOff(...hosts: readonly Host[]): Promise<void> {
    const { network } = this.cluster
    for (const a of hosts) {
      for (const b of this.cluster.hosts) {
        if (hosts.includes(b)) continue
        network.cut(a.name, b.name)
        network.cut(b.name, a.name)
      }
    }
    await this.until(() => this.#pairs().every(([a, b]) => hosts.includes(a) === hosts.includes(b) || !hears(a, b)))
  }

  /** All cuts are healed, and all that run hear each other again. */
  async reunite(): Promise<void> {
    this.cluster.network.healAll()
    await this.until(() => this.#pairs().every(([a, b]) => !a.node || !b.node || hears(a, b)))
  }

  async kill(...hosts: readonly Host[]): Promise<void> {
    for (const host of hosts) this.cluster.crash(host, 'reset', true)
    await this.until(() => this.#pairs().every(([a, b]) => !a.node || !hosts.includes(b) || !hears(a, b)))
  }

  async restart(...hosts: readonly Host[]): Promise<void> {
    for (const host of hosts) this.cluster.start(host)
    await this.until(() => hosts.every((host) => host.serving))
    await this.reunite()
  }

  /** Back, and heard by those who are not cut off. */
  async restartAlone(host: Host): Promise<void> {
    this.cluster.start(host)
    const { network } = this.cluster
    await this.until(
      () =>
        host.serving &&
        this.#pairs().every(([a, b]) => a !== host || !b.node || network.isCut(a.name, b.name) || hears(a, b)),
    )
  }

  // ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async until(condition: () => boolean, limitMs = 60_000): Promise<void> {
    invariant(await this.cluster.time.runUntilCondition(condition, limitMs), 'what the story waits for happens')
  }

  hints(host: Host): number {
    return host.node?.hints().hints ?? 0
  }

  untilNoHints(): Promise<void> {
    return this.until(() => this.cluster.hosts.every((host) => this.hints(host) === 0))
  }

  untilFull(...hosts: readonly Host[]): Promise<void> {
    return this.until(() => hosts.every((host) => host.serving && host.node?.rooms?.filling.isActive === false))
  }

  /** Records of the key that are left on a host. */
  records(host: Host): number {
    return host.node?.rooms?.storage.memtable.usageOf(BUCKET).keys ?? 0
  }

  #pairs(): [Host, Host][] {
    return this.cluster.hosts.flatMap((a) =>
      this.cluster.hosts.flatMap((b): [Host, Host][] => (a === b ? [] : [[a, b]])),
    )
  }
}

export function nodeOf(host: Host | undefined): NodeApi {
  if (!host?.node) throw new RangeError(`${host?.name ?? 'nobody'} does not run`)
  return host.node
}

export function hears(a: Host, b: Host): boolean {
  return a.node?.rooms?.links.reachable(b.name) ?? false
}
