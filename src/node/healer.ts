// Keeps the healing going: hints as soon as their home is back, rounds of anti-entropy with each peer in turn, collection behind them.
// Decides order and pace, counts what was done. What each piece does belongs to repair. Invariant: one round with a peer at a time.

import { MalformedBytes } from '../core/bytes.ts'
import type { Directory } from '../core/membership/directory.ts'
import { QuorateError } from '../errors.ts'
import type { Traffic } from '../link/counters.ts'
import type { PeerLinks } from '../link/links.ts'
import type { AntiEntropy } from '../repair/anti-entropy.ts'
import type { Collection } from '../repair/collection.ts'
import type { HintDelivery } from '../repair/hint-delivery.ts'
import type { Filling } from '../replica/filling.ts'
import type { PartitionIndexes } from '../replica/partition-index.ts'
import type { Storage } from '../storage/storage.ts'
import type { RepairStatus } from './api.ts'
import type { Background } from './background.ts'
import type { NodeOptions } from './options.ts'

export interface HealerParts {
  readonly options: NodeOptions
  readonly directory: () => Directory
  readonly storage: Storage
  readonly links: PeerLinks
  readonly filling: Filling
  readonly antiEntropy: AntiEntropy
  readonly handoff: HintDelivery
  readonly collection: Collection
  readonly indexes: PartitionIndexes
}

interface PeerRounds {
  lastAt: number
  differing: number
}

const HEALING_FRAMES = [
  'request.compare',
  'request.exchange',
  'request.tree',
  'reply.compare',
  'reply.exchange',
  'reply.tree',
]

/** Bytes of anti-entropy's frames, whoever began. */
function healingBytes(traffic: ReadonlyMap<string, Traffic>): number {
  return HEALING_FRAMES.reduce((sum, label) => sum + (traffic.get(label)?.bytes ?? 0), 0)
}

export class Healer {
  readonly #parts: HealerParts
  readonly #peers = new Map<string, PeerRounds>()
  #rounds = 0
  #comparisons = 0
  #keysRepaired = 0
  #readRepairs = 0
  #lastError: string | null = null
  #round: Promise<void> | null = null

  constructor(parts: HealerParts) {
    this.#parts = parts
  }

  begin(background: Background): void {
    const { options, links, collection, filling } = this.#parts
    const { timings, healing } = options
    if (healing.handoff) {
      background.every('hints', timings.hintIntervalMs, () => this.#deliverAll())
      links.onChange((_member, reachable) => {
        if (reachable) background.wake('hints')
      })
    }
    if (healing.antiEntropy) {
      background.every('anti-entropy', timings.antiEntropyIntervalMs, () => this.#roundWithAll())
      background.every('filling', timings.heartbeatMs, async () => {
        if (filling.isActive) await this.#roundWithAll()
      })
      background.every('collection', timings.collectionIntervalMs, (signal) => collection.pass(signal))
    }
  }

  noteReadRepair(): void {
    this.#readRepairs++
  }

  /** A round with every reachable peer, trees made anew from the data, then a pass of collection. */
  async repairNow(signal: AbortSignal): Promise<void> {
    const { storage, indexes, collection } = this.#parts
    for (const partition of storage.partitions()) indexes.forget(partition)
    await this.#deliverAll()
    await this.#roundWithAll()
    await collection.pass(signal)
  }

  #roundWithAll(): Promise<void> {
    this.#round ??= this.#rounds_().finally(() => {
      this.#round = null
    })
    return this.#round
  }

  async #rounds_(): Promise<void> {
    const { links, options, antiEntropy } = this.#parts
    const { ring, self } = this.#parts.directory()
    this.#rounds++
    const others = ring.members.filter((member) => member !== self)
    // Not everybody begins with the same peer.
    const from = Math.floor(options.random.next() * others.length)
    for (const peer of [...others.slice(from), ...others.slice(0, from)]) {
      if (!links.reachable(peer)) continue
      try {
        const outcome = await antiEntropy.round(peer)
        this.#comparisons++
        this.#keysRepaired += outcome.keysMerged
        this.#peers.set(peer, { lastAt: options.clock.monotonic(), differing: outcome.differing })
      } catch (error) {
        // One peer that is away, or says what nobody understands, must not keep the others from being healed.
        if (!(error instanceof QuorateError || error instanceof MalformedBytes)) throw error
        this.#lastError = `${peer}: ${error.message}`
        if (error instanceof QuorateError && error.code === 'storage-failed') return
      }
    }
  }

  async #deliverAll(): Promise<void> {
    const { storage, handoff, links } = this.#parts
    const { self } = this.#parts.directory()
    await Promise.all(
      storage.hints.targets().map(async (target) => {
        // As long as the target takes them and some are left.
        // This node may owe itself one: its own copy refused what another home took.
        const here = target === self
        for (let more = true; more && (here || links.reachable(target));) more = await handoff.deliver(target)
      }),
    )
  }

  status(): RepairStatus {
    const { storage, filling, links, options, collection, directory } = this.#parts
    const now = options.clock.monotonic()
    const { ring, self } = directory()
    const open = filling.isActive
      ? storage.partitions().filter((partition) => ring.isHome(partition, self) && filling.isFilling(partition)).length
      : 0
    const ages = ring.members.filter((member) => member !== self).map((member) => this.#peers.get(member)?.lastAt)
    const oldest = ages.includes(undefined) || ages.length === 0 ? null : now - Math.min(...(ages as number[]))
    return {
      running: this.#round !== null,
      rounds: this.#rounds,
      filling: filling.isActive ? Math.max(1, open) : 0,
      comparisons: this.#comparisons,
      keysRepaired: this.#keysRepaired,
      bytesSent: healingBytes(links.counters.sent),
      bytesReceived: healingBytes(links.counters.received),
      readRepairs: this.#readRepairs,
      collected: collection.collected,
      oldestComparisonMs: oldest === null ? null : Math.round(oldest),
      peers: [...this.#peers].map(([node, { lastAt, differing }]) => ({
        node,
        lastRoundMs: Math.round(now - lastAt),
        differing,
      })),
      lastError: this.#lastError,
    }
  }
}
