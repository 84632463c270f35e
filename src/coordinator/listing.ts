// Lists a bucket in (hash, key) order, partition by partition, each read at R complete homes. Where homes agree on a key their word is
// taken; where they differ the key is read. Knows nothing of HTTP. Invariant: a key that was acknowledged before the first page and
// lives throughout is listed exactly once: the cursor is a place in hash space, which no change of owners moves.

import { type Hash64, hash64FromHex, hexOf } from '../core/hash64.ts'
import type { Directory } from '../core/membership/directory.ts'
import { quorumInForce, resolveQuorum } from '../core/quorum/level.ts'
import { partitionOfHash } from '../core/ring/key-hash.ts'
import { partitionId } from '../core/ring/partition.ts'
import type { ListReply } from '../protocol/messages.ts'
import type { KeyCoordinatorParts } from './key-coordinator.ts'
import { ListingCursors, type Position } from './listing-cursor.ts'
import type { ListOptions, ListOutcome } from './operations.ts'
import { planFor } from './plan.ts'
import { shown } from './answers.ts'
import { read } from './reading.ts'

export interface ListAsk {
  readonly bucket: string
  readonly partition: number
  readonly prefix: string
  readonly after: { readonly hash: string; readonly key: string } | null
  readonly limit: number
}

export interface ListingParts extends KeyCoordinatorParts {
  /** One home's part of a page; null: no answer, or a refusal. */
  readonly askHome: (member: string, ask: ListAsk, deadlineAt: number) => Promise<ListReply | null>
}

type PartitionPage =
  | {
      readonly type: 'page'
      readonly keys: readonly { readonly hash: string; readonly key: string }[]
      readonly end: { readonly hash: string; readonly key: string } | null
    }
  | { readonly type: 'lost'; readonly acknowledged: number }

// Partitions asked ahead of the one that is being taken: most pages of a small bucket cross many empty ones.
const AHEAD = 16

export async function list(parts: ListingParts, options: ListOptions): Promise<ListOutcome> {
  const directory = parts.directory()
  const why = parts.notServing()
  if (!directory || why !== null)
    return { type: 'not-serving', detail: why ?? 'this node is not part of a cluster yet' }
  const cursors = new ListingCursors(options.bucket, options.prefix)
  const after = options.cursor === null ? null : cursors.decode(options.cursor)
  if (after === undefined) return { type: 'bad-cursor' }
  const { settings } = directory.settingsOf(options.bucket)
  const n = directory.ring.nInForce(settings.n)
  const required = options.r === undefined ? quorumInForce(settings.r, n) : resolveQuorum(options.r, n)
  if (required === 'bad-quorum')
    return { type: 'bad-quorum', detail: `R=${options.r} was asked for, and ${n} replicas are in force` }
  return new Listing(parts, directory, options, cursors, required, settings.n).run(after)
}

class Listing {
  readonly #parts: ListingParts
  readonly #directory: Directory
  readonly #options: ListOptions
  readonly #cursors: ListingCursors
  readonly #required: number
  readonly #replication: number
  readonly #deadlineAt: number

  constructor(
    parts: ListingParts,
    directory: Directory,
    options: ListOptions,
    cursors: ListingCursors,
    required: number,
    replication: number,
  ) {
    this.#parts = parts
    this.#directory = directory
    this.#options = options
    this.#cursors = cursors
    this.#required = required
    this.#replication = replication
    this.#deadlineAt = parts.clock.monotonic() + options.timeoutMs
  }

  async run(after: Position | null): Promise<ListOutcome> {
    const { partitions } = this.#directory.ring
    const keys: string[] = []
    const first = after ? partitionOfHash(after.hash, partitions) : 0
    // In order, with the next few under way.
    const pages = new Map<number, Promise<PartitionPage>>()
    const ask = (partition: number): Promise<PartitionPage> => {
      const place = partition === first && after ? { hash: hexOf(after.hash), key: after.key } : null
      const asked = pages.get(partition) ?? this.#partition(partition, place, this.#options.limit)
      pages.set(partition, asked)
      // What was asked ahead may fail when nobody waits for it any more; who does wait hears of it all the same.
      asked.catch(() => {})
      return asked
    }
    let cursor = after
    for (let partition = first; partition < partitions; partition++) {
      const ahead =
        keys.length === 0 || partition === first
          ? AHEAD
          : Math.min(
              AHEAD,
              1 + Math.ceil((this.#options.limit - keys.length) / Math.max(1, keys.length / (partition - first))),
            )
      for (let next = partition; next < Math.min(partitions, partition + ahead); next++) void ask(next)
      let page = await ask(partition)
      pages.delete(partition)
      for (;;) {
        if (page.type === 'lost') {
          const resume = this.#cursors.encode(cursor ?? startOf(0, partitions))
          if (keys.length > 0) return { type: 'page', keys, cursor: resume, more: true }
          return {
            type: 'quorum-not-met',
            partition,
            required: this.#required,
            acknowledged: page.acknowledged,
            cursor: resume,
          }
        }
        for (const { hash, key } of page.keys) {
          if (keys.length === this.#options.limit)
            return { type: 'page', keys, cursor: this.#cursors.encode(cursor as Position), more: true }
          keys.push(key)
          cursor = positionOf(hash, key)
        }
        if (page.end === null) break
        cursor = positionOf(page.end.hash, page.end.key)
        if (keys.length === this.#options.limit)
          return { type: 'page', keys, cursor: this.#cursors.encode(cursor), more: true }
        page = await this.#partition(partition, page.end, this.#options.limit - keys.length)
      }
      const next = partition + 1
      if (next < partitions) cursor = startOf(next, partitions)
      if (
        next < partitions &&
        (keys.length === this.#options.limit ||
          (keys.length > 0 && this.#parts.clock.monotonic() > this.#deadlineAt - this.#options.timeoutMs / 2))
      ) {
        return { type: 'page', keys, cursor: this.#cursors.encode(cursor as Position), more: true }
      }
    }
    return { type: 'page', keys, cursor: null, more: false }
  }

  /** One page of one partition: R complete homes, asked in preference order, the next one where one fails. */
  async #partition(
    partition: number,
    after: { readonly hash: string; readonly key: string } | null,
    limit: number,
  ): Promise<PartitionPage> {
    const { replicas, askHome } = this.#parts
    const { self } = this.#directory
    const id = partitionId(partition, this.#replication)
    const homes = this.#directory.ring.homes(id).toSorted((a, b) => Number(b === self) - Number(a === self))
    const askable = homes.filter((home) => replicas.reachable(home))
    const replies: ListReply[] = []
    const ask = {
      bucket: this.#options.bucket,
      partition: id,
      prefix: this.#options.prefix,
      after,
      limit: Math.max(limit, 1),
    }
    while (replies.length < this.#required && askable.length > 0) {
      const batch = askable.splice(0, this.#required - replies.length)
      for (const reply of await Promise.all(batch.map((home) => askHome(home, ask, this.#deadlineAt)))) {
        if (reply && !reply.filling && isOrderly(reply, after)) replies.push(reply)
      }
    }
    if (replies.length < this.#required) return { type: 'lost', acknowledged: replies.length }
    return this.#merge(replies)
  }

  async #merge(replies: readonly ListReply[]): Promise<PartitionPage> {
    // A reply that was cut short says nothing beyond its last key.
    const ends = replies.filter((reply) => reply.more).map((reply) => reply.keys.at(-1) as ListReply['keys'][number])
    const end =
      ends.length === 0
        ? null
        : ends.reduce((least, candidate) => (comparePlaces(candidate, least) < 0 ? candidate : least))
    const byKey = new Map<string, ListReply['keys'][number][]>()
    for (const reply of replies) {
      for (const entry of reply.keys) {
        if (end && comparePlaces(entry, end) > 0) continue
        const said = byKey.get(entry.key)
        if (said) said.push(entry)
        else byKey.set(entry.key, [entry])
      }
    }
    const doubtful: ListReply['keys'][number][] = []
    const live: { readonly hash: string; readonly key: string }[] = []
    for (const said of byKey.values()) {
      const [entry] = said as [ListReply['keys'][number]]
      const agreed =
        said.length === replies.length &&
        said.every(({ digest, live: alive }) => digest === entry.digest && alive === entry.live)
      if (!agreed) doubtful.push(entry)
      else if (entry.live) live.push(entry)
    }
    const reads = await Promise.all(doubtful.map((entry) => this.#isLive(entry.key)))
    if (reads.includes(null)) return { type: 'lost', acknowledged: this.#required - 1 }
    live.push(...doubtful.filter((_, i) => reads[i]))
    live.sort(comparePlaces)
    return { type: 'page', keys: live, end: end && { hash: end.hash, key: end.key } }
  }

  /** Null: R homes did not answer. */
  async #isLive(key: string): Promise<boolean | null> {
    const { bucket } = this.#options
    const timeoutMs = Math.max(1, this.#deadlineAt - this.#parts.clock.monotonic())
    const plan = planFor(
      this.#directory,
      { bucket, key, r: this.#required, sloppy: false, timeoutMs },
      this.#parts.clock.monotonic(),
    )
    if ('badQuorum' in plan) return null
    const result = await read(this.#parts, plan, null, null)
    if (result.type !== 'read') return null
    return shown(result).length > 0
  }
}

function comparePlaces(
  a: { readonly hash: string; readonly key: string },
  b: { readonly hash: string; readonly key: string },
): number {
  if (a.hash !== b.hash) return a.hash < b.hash ? -1 : 1
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0
}

/** Whether a home's page is what was asked for: places in order, after the position, and not cut short before the first key. */
function isOrderly(reply: ListReply, after: { readonly hash: string; readonly key: string } | null): boolean {
  let previous = after
  for (const entry of reply.keys) {
    if (!hash64FromHex(entry.hash) || (previous && comparePlaces(previous, entry) >= 0)) return false
    previous = entry
  }
  return !reply.more || reply.keys.length > 0
}

function positionOf(hash: string, key: string): Position {
  return { hash: hash64FromHex(hash) as Hash64, key }
}

/** Just before the first possible key of a partition: no key is empty. */
function startOf(partition: number, partitions: number): Position {
  const bits = Math.log2(partitions)
  return { hash: { hi: bits === 0 ? 0 : (partition * 2 ** (32 - bits)) >>> 0, lo: 0 }, key: '' }
}
