// Pulls from the other homes what this node lacks, pair by pair: digests say which partitions differ, clocks say which records travel,
// Merkle trees find what clocks cannot (damage; a filling storage's strays), and at the end of a full exchange the clocks join.
// Decides when a filling partition is complete. Invariant: clocks join only after every record was merged here that the peer had at its
// snapshot and that this clock lacked; and never with a filling peer's.

import type { DotSet } from '../core/causality/dot-set.ts'
import { decodeDotSet, encodeDotSet } from '../core/causality/dot-set-bytes.ts'
import { EMPTY_VIEW, decodeView } from '../core/causality/view.ts'
import type { Directory } from '../core/membership/directory.ts'
import { beginDiff, continueDiff } from '../core/merkle/diff.ts'
import { type PartitionId, replicationOf } from '../core/ring/partition.ts'
import { QuorateError } from '../errors.ts'
import type { Peers } from '../link/peers.ts'
import type { ExchangeReply, ReplyOf, Request } from '../protocol/messages.ts'
import type { Filling } from '../replica/filling.ts'
import type { KeyName } from '../replica/replica.ts'
import { digestOf, entriesFor, packEntries, unpackPartitions } from './comparison.ts'
import type { RepairParts } from './exchange-service.ts'
import { treeMade, Turns, WORK } from './turns.ts'

export interface AntiEntropyParts extends RepairParts {
  readonly peers: Peers
  readonly filling: Filling
  readonly budgetMs: number
  /** Bytes of records on one page; also what bounds a peer's work for one question. */
  readonly pageBytes: number
}

export interface RoundOutcome {
  readonly differing: number
  readonly keysMerged: number
}

/** `done`: exchanged with it. `filling`: it is not complete itself. `taken`: nor is any other, so what it has was taken. */
type Status = 'done' | 'filling' | 'taken'

export class AntiEntropy {
  readonly #parts: AntiEntropyParts
  /** Of the current fill: what became of each partition with each other home. */
  readonly #fillStatus = new Map<PartitionId, Map<string, Status>>()
  #fillEpoch = ''
  /** Peers whose every partition was compared in the current fill. */
  readonly #comparedInFill = new Map<string, string>()
  /** Peers that the last round found something different with: under load every round does. */
  readonly #differed = new Set<string>()

  constructor(parts: AntiEntropyParts) {
    this.#parts = parts
  }

  /** One round with one peer. Rejects with a `QuorateError` when the peer cannot be asked. */
  async round(peer: string): Promise<RoundOutcome> {
    const { filling } = this.#parts
    if (filling.epoch !== this.#fillEpoch) {
      this.#fillEpoch = filling.epoch
      this.#fillStatus.clear()
      this.#comparedInFill.clear()
    }
    const partitions = await this.#differingWith(peer)
    let keysMerged = 0
    for (const partition of partitions) keysMerged += await this.#exchange(peer, partition)
    if (filling.isActive) {
      this.#comparedInFill.set(peer, this.#directory().storageOf(peer) ?? '')
      await this.#completeWhatCanBe()
    }
    return { differing: partitions.length, keysMerged }
  }

  async #differingWith(peer: string): Promise<PartitionId[]> {
    const { storage, reported, replica } = this.#parts
    const directory = this.#directory()
    const clocks = new Map<PartitionId, DotSet>()
    const entries = await entriesFor(peer, directory, this.#parts, (partition, clock) => {
      clocks.set(partition, clock.clone())
    })
    await storage.synced(storage.lastLsn)
    const theirStorage = directory.storageOf(peer) ?? ''
    // An equal entry is as good as an exchange: the peer has said that its clock is this one.
    const noteEqual = (unlike: ReadonlySet<PartitionId>): void => {
      for (const [partition, clock] of clocks) {
        if (unlike.has(partition) || replica.isFilling(partition)) continue
        reported.report(partition, peer, theirStorage, clock)
      }
    }
    // The short question costs the peer as much as the long one, and saves that only where all is equal.
    if (!this.#parts.filling.isActive && !this.#differed.has(peer)) {
      const short = await this.#ask(peer, { type: 'compare', digest: digestOf(entries), entries: null })
      if (short.equal) {
        noteEqual(new Set())
        return []
      }
    }
    const long = await this.#ask(peer, { type: 'compare', digest: digestOf(entries), entries: packEntries(entries) })
    const unlike = new Set(long.differing ? unpackPartitions(long.differing) : [])
    if (unlike.size > 0) this.#differed.add(peer)
    else this.#differed.delete(peer)
    // With equal clocks and trees an exchange has nothing to bring (causality: rule 8), and only a complete peer says "equal".
    for (const partition of entries.keys())
      if (replica.isFilling(partition) && !unlike.has(partition)) this.#note(peer, partition, 'done')
    // What a third home was asked about, and both sides here hold nothing of: is this peer complete, or filling too? That must be heard.
    for (const partition of this.#fillStatus.keys())
      if (replica.isFilling(partition) && !entries.has(partition)) unlike.add(partition)
    noteEqual(unlike)
    return [...unlike]
      .filter((partition) => directory.ring.isHome(partition, directory.self) && directory.ring.isHome(partition, peer))
      .sort((a, b) => a - b)
  }

  /** A full exchange of one partition, peer → here. Returns how many records were merged. */
  async #exchange(peer: string, partition: PartitionId): Promise<number> {
    const { replica, storage, reported } = this.#parts
    const filling = replica.isFilling(partition)
    const mine = await replica.syncedClock(partition)
    const first = await this.#page(peer, partition, mine, null, null)
    if (first.filling || first.clock === null) {
      reported.retract(partition, peer)
      if (!filling) return 0
      this.#note(peer, partition, 'filling')
      // Also beside complete peers: what it took while it was filling may be here and there alone.
      const taken = await this.#takeViews(peer, partition, mine, first)
      if (this.#nobodyIsComplete(partition)) this.#note(peer, partition, 'taken')
      return taken
    }
    const theirs = decodeDotSet(first.clock)
    let merged = await this.#merge(partition, first, theirs)
    for (let page = first; page.next !== null;) {
      page = await this.#page(peer, partition, mine, page.next, null)
      merged += await this.#merge(partition, page, theirs)
    }
    // Before the walk: from here on what the peer has superseded is refused at the door, so no stray slips in behind the walk's back.
    const joined = replica.joinClock(partition, theirs)
    // Equal clocks with unequal trees, or a storage that has taken strays while it knew nothing: the tree tells where.
    await treeMade(this.#parts.indexes, partition, new Turns(this.#parts.clock))
    const sameClock = storage.clockOf(partition).equals(theirs)
    if (first.root !== this.#parts.indexes.tree(partition).rootHex && (filling || sameClock)) {
      merged += await this.#walk(peer, partition, first.root ?? '', filling)
    }
    await storage.synced(joined)
    reported.report(partition, peer, this.#directory().storageOf(peer) ?? '', theirs)
    if (filling) this.#note(peer, partition, 'done')
    return merged
  }

  async #merge(partition: PartitionId, page: ExchangeReply, theirs: DotSet | undefined): Promise<number> {
    const turns = new Turns(this.#parts.clock)
    let merged = 0
    for (const { bucket, key, view } of page.records) {
      const name = { partition, bucket, key }
      if (turns.isOver(WORK.merged)) await turns.next()
      if (!this.#belongs(name)) continue
      if (this.#parts.replica.mergeExchanged(name, decodeView(view), theirs, this.#conflict(bucket)).changed) merged++
    }
    return merged
  }

  /** What is stored in a partition is taken for its own by the replica's door: a peer's stray key must not get there. */
  #belongs({ partition, bucket, key }: KeyName): boolean {
    return this.#parts.directory()?.ring.partitionIdOf(bucket, key, replicationOf(partition)) === partition
  }

  /** Finds the leaves that differ and settles every record in them, those that only this side has included. */
  async #walk(peer: string, partition: PartitionId, theirRoot: string, filling: boolean): Promise<number> {
    const { indexes, replica, storage } = this.#parts
    const tree = indexes.tree(partition)
    let step = beginDiff(tree, theirRoot)
    while (step.type === 'ask') {
      const reply = await this.#ask(peer, { type: 'tree', partition, level: step.level, nodes: step.nodes })
      step = continueDiff(tree, step, reply.digests)
    }
    if (step.leaves.length === 0) return 0
    const mine = await replica.syncedClock(partition)
    let page = await this.#page(peer, partition, mine, null, step.leaves)
    if (page.filling || page.clock === null) return 0
    const theirs = decodeDotSet(page.clock)
    const sent = new Set<string>()
    let changed = 0
    for (;;) {
      for (const { bucket, key, view } of page.records) {
        sent.add(nameOf(bucket, key))
        const name = { partition, bucket, key }
        if (!this.#belongs(name)) continue
        if (replica.settle(name, decodeView(view), theirs, this.#conflict(bucket), filling)) changed++
      }
      if (page.next === null) break
      page = await this.#page(peer, partition, mine, page.next, step.leaves)
    }
    const leaves = new Set(step.leaves)
    const turns = new Turns(this.#parts.clock)
    for (const entry of storage.memtable.scan(partition, null)) {
      if (turns.isOver(WORK.record)) await turns.next()
      if (!leaves.has(indexes.leafOf(entry.hash)) || sent.has(nameOf(entry.bucket, entry.key))) continue
      const name = { partition, bucket: entry.bucket, key: entry.key }
      if (replica.settle(name, EMPTY_VIEW, theirs, this.#conflict(entry.bucket), filling)) changed++
    }
    return changed
  }

  // ── filling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #note(peer: string, partition: PartitionId, status: Status): void {
    let ofPartition = this.#fillStatus.get(partition)
    if (!ofPartition) this.#fillStatus.set(partition, (ofPartition = new Map<string, Status>()))
    ofPartition.set(peer, status)
  }

  #statusWith(peer: string, partition: PartitionId): Status | undefined {
    return this.#fillStatus.get(partition)?.get(peer)
  }

  #others(partition: PartitionId): readonly string[] {
    const { ring, self } = this.#directory()
    return ring.homes(partition).filter((home) => home !== self)
  }

  /** Every other home has said that it is filling as well: what the homes had together is all there is. */
  #nobodyIsComplete(partition: PartitionId): boolean {
    return this.#others(partition).every((home) => {
      const status = this.#statusWith(home, partition)
      return status === 'filling' || status === 'taken'
    })
  }

  /** From a peer that is filling only views are taken, never its clock. */
  async #takeViews(peer: string, partition: PartitionId, mine: DotSet, first: ExchangeReply): Promise<number> {
    let merged = await this.#merge(partition, first, undefined)
    for (let page = first; page.next !== null;) {
      page = await this.#page(peer, partition, mine, page.next, null)
      merged += await this.#merge(partition, page, undefined)
    }
    return merged
  }

  /** Complete: exchanged, since the fill began, with every other complete home; where there is none, with every other home. */
  async #completeWhatCanBe(): Promise<void> {
    const { filling } = this.#parts
    // Marked side by side: one sync for all of them, where one after the other would take a sync each.
    const marks: Promise<void>[] = []
    for (const [partition, statuses] of this.#fillStatus) {
      if (!filling.isFilling(partition)) continue
      const others = this.#others(partition).map((home) => statuses.get(home))
      const isSettled = others.includes('done')
        ? others.every((status) => status !== undefined)
        : others.every((status) => status === 'taken')
      if (isSettled) marks.push(filling.complete(partition))
    }
    await Promise.all(marks)
    const directory = this.#directory()
    const peers = directory.ring.members.filter((member) => member !== directory.self)
    if (!peers.every((peer) => this.#comparedInFill.get(peer) === directory.storageOf(peer))) return
    if (this.openPartitions === 0) await filling.finish()
  }

  /** How many of this node's partitions somebody is known to hold something of, and are not complete here. */
  get openPartitions(): number {
    const { filling, storage } = this.#parts
    if (!filling.isActive) return 0
    const { ring, self } = this.#directory()
    const inUse = new Set([...this.#fillStatus.keys(), ...storage.partitions()])
    return [...inUse].filter(
      (partition) => ring.isHome(partition, self) && filling.isFilling(partition) && this.#others(partition).length > 0,
    ).length
  }

  // ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async #page(
    peer: string,
    partition: PartitionId,
    clock: DotSet,
    cursor: Uint8Array | null,
    leaves: readonly number[] | null,
  ): Promise<ExchangeReply> {
    const { pageBytes, replica } = this.#parts
    const epoch = `${this.#fillEpoch}.${partition}`
    const filling = replica.isFilling(partition)
    const reply = await this.#ask(peer, {
      type: 'exchange',
      partition,
      clock: encodeDotSet(clock),
      filling,
      epoch,
      cursor,
      bytesMax: pageBytes,
      leaves,
    })
    if (reply.epoch !== epoch) throw new QuorateError('protocol', 'an exchange answered for another epoch')
    return reply
  }

  async #ask<R extends Extract<Request, { type: 'compare' | 'exchange' | 'tree' }>>(
    peer: string,
    request: R,
  ): Promise<ReplyOf[R['type']]> {
    const { peers, budgetMs } = this.#parts
    const { reply, storage } = await peers.request(peer, request, { budgetMs })
    if (reply.type === 'refused') throw new QuorateError('refused', `${peer} refused: ${reply.reason}`)
    if (storage !== this.#directory().storageOf(peer))
      throw new QuorateError('refused', `${peer} has another storage now`)
    return reply
  }

  #conflict(bucket: string): 'siblings' | 'lww' {
    return this.#directory().settingsOf(bucket).settings.conflict
  }

  #directory(): Directory {
    const directory = this.#parts.directory()
    if (!directory) throw new QuorateError('cluster', 'not part of a cluster yet')
    return directory
  }
}

function nameOf(bucket: string, key: string): string {
  return `${bucket.length}:${bucket}${key}`
}
