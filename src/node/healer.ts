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
  /** Of the last round that went through; null: none did. */
  lastAt: number | null
  differing: number
  /** Why the last round failed; null: it went through. */
  error: string | null
  failedAt: number
  /** Failures that were logged since the last round that went through. */
  readonly told: Set<string>
}

/** A message may hold figures, so that each is another one: so many of one peer are logged. */
const TOLD_MAX = 8

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
  #failures = 0
  /** Since when members that were never compared are overdue. */
  #begunAt: number | null = null
  #round: Promise<readonly string[]> | null = null

  constructor(parts: HealerParts) {
    this.#parts = parts
  }

  begin(background: Background): void {
    const { options, links, collection, filling } = this.#parts
    const { timings, healing } = options
    this.#begunAt = options.clock.monotonic()
    if (healing.handoff) {
      background.every('hints', timings.hintIntervalMs, () => this.#deliverAll())
      links.onChange((_member, reachable) => {
        if (reachable) background.wake('hints')
      })
    }
    if (healing.antiEntropy) {
      background.every('anti-entropy', timings.antiEntropyIntervalMs, async () => void (await this.#roundWithAll()))
      background.every('filling', timings.heartbeatMs, async () => {
        if (filling.isActive) await this.#roundWithAll()
      })
      background.every('collection', timings.collectionIntervalMs, (signal) => collection.pass(signal))
    }
  }

  noteReadRepair(): void {
    this.#readRepairs++
  }

  /** A round with every reachable peer, trees made anew from the data, then a pass of collection. Resolves with what failed. */
  async repairNow(signal: AbortSignal): Promise<readonly string[]> {
    const { storage, indexes, collection } = this.#parts
    for (const partition of storage.partitions()) indexes.forget(partition)
    await this.#deliverAll()
    const failed = await this.#roundWithAll()
    await collection.pass(signal)
    return failed
  }

  #roundWithAll(): Promise<readonly string[]> {
    this.#round ??= this.#roundsInTurn().finally(() => {
      this.#round = null
    })
    return this.#round
  }

  async #roundsInTurn(): Promise<readonly string[]> {
    const { links, options, antiEntropy } = this.#parts
    const { ring, self } = this.#parts.directory()
    const failed: string[] = []
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
        const lastAt = options.clock.monotonic()
        this.#peers.set(peer, { lastAt, differing: outcome.differing, error: null, failedAt: 0, told: new Set() })
      } catch (error) {
        // One peer that is away, or says what nobody understands, must not keep the others from being healed.
        if (!(error instanceof QuorateError || error instanceof MalformedBytes)) throw error
        this.#failed(peer, error)
        failed.push(`${peer}: ${error.message}`)
        if (error instanceof QuorateError && error.code === 'storage-failed') return failed
      }
    }
    return failed
  }

  #failed(peer: string, error: QuorateError | MalformedBytes): void {
    const { clock, logger } = this.#parts.options
    const { lastAt = null, differing = 0, told = new Set<string>() } = this.#peers.get(peer) ?? {}
    this.#failures++
    this.#peers.set(peer, { lastAt, differing, error: error.message, failedAt: clock.monotonic(), told })
    // A link that went away is logged as such, by whoever saw it.
    const isGone = error instanceof QuorateError && error.code === 'closed'
    if (isGone || told.has(error.message) || told.size >= TOLD_MAX) return
    told.add(error.message)
    logger.warn({ peer, error: error.message }, 'comparing with a peer failed; told once, tried again and again')
  }

  get #lastError(): string | null {
    const failing = [...this.#peers].filter(([, { error }]) => error !== null)
    const last = failing.sort(([, a], [, b]) => b.failedAt - a.failedAt)[0]
    return last === undefined ? null : `${last[0]}: ${last[1].error}`
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
    const { filling, links, options, antiEntropy, collection, directory } = this.#parts
    const now = options.clock.monotonic()
    const { ring, self } = directory()
    const oldestAt = ring.members
      .filter((member) => member !== self)
      .map((member) => this.#peers.get(member)?.lastAt ?? this.#begunAt ?? now)
      .reduce<number | null>((least, at) => Math.min(least ?? at, at), null)
    return {
      running: this.#round !== null,
      rounds: this.#rounds,
      // Before the first comparison nobody knows how many there are.
      filling: filling.isActive ? Math.max(1, antiEntropy.openPartitions) : 0,
      comparisons: this.#comparisons,
      keysRepaired: this.#keysRepaired,
      bytesSent: healingBytes(links.counters.sent),
      bytesReceived: healingBytes(links.counters.received),
      readRepairs: this.#readRepairs,
      collected: collection.collected,
      oldestComparisonMs: oldestAt === null ? null : Math.round(now - oldestAt),
      roundFailures: this.#failures,
      peers: [...this.#peers].map(([node, { lastAt, differing, error }]) => ({
        node,
        lastRoundMs: lastAt === null ? null : Math.round(now - lastAt),
        differing,
        error,
      })),
      lastError: this.#lastError,
    }
  }
}
