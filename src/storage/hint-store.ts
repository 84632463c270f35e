// Writes held for members that could not take them, durable through the node's log. Decides what is held, merged and given out;
// who delivers them and when is repair's business. Invariant: a hint leaves only by `remove` of its current revision or by `dropTarget`,
// and the whole store stays within its budget of bytes; no hint grows by merging beyond what a frame carries.

import { areAlike, kept } from '../core/bytes.ts'
import { type Conflict, decodeView, mergeViews, splitView, type View } from '../core/causality/view.ts'
import type { HintAddress, Lsn, StoredHint } from './entries.ts'

export type { HintAddress } from './entries.ts'

export interface Hint extends HintAddress {
  readonly target: string
  readonly conflict: Conflict
  readonly view: View
  /** Changes whenever something is merged into the hint. */
  readonly revision: number
  /** Wall time at which the first write of it was held. */
  readonly sinceMs: number
  /** What it counts against the budget. */
  readonly bytes: number
  /** Its place in the target's queue: `next` goes on after it. */
  readonly position: number
}

export interface HintStats {
  readonly count: number
  readonly bytes: number
  readonly perTarget: readonly {
    readonly target: string
    readonly count: number
    readonly bytes: number
    readonly oldestMs: number
  }[]
}

/** How the store's changes become durable; set by `Storage`. */
export interface HintLog {
  readonly nextLsn: Lsn
  hint(hint: StoredHint): Lsn
  hintRemoved(target: string, address: HintAddress): Lsn
  hintsDropped(target: string): Lsn
}

interface Queue {
  /** In the order of `StoredHint.order`. */
  readonly hints: Map<string, StoredHint>
  bytes: number
}

// Lengths instead of separators: names may hold any character.
function addressKey({ partition, bucket, key }: HintAddress): string {
  return `${partition}/${bucket.length}/${bucket}${key}`
}

const OVERHEAD_BYTES = 64

/**
 * A hint travels whole, and a stand-in answers a read with those for all homes of a key together: five of these fit in any frame. A
 * write that would make its hint larger is left to the comparison of replicas.
 */
export const MERGED_BYTES_MAX: number = 4 << 20

function sizeOf(hint: StoredHint): number {
  return OVERHEAD_BYTES + hint.view.length + hint.bucket.length + hint.key.length
}

export class HintStore {
  readonly #bytesMax: number
  readonly #now: () => number
  readonly #queues = new Map<string, Queue>()
  #log: HintLog | null = null
  #order = 0
  #count = 0
  #bytes = 0

  constructor(bytesMax: number, now: () => number) {
    this.#bytesMax = bytesMax
    this.#now = now
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  /** From now on changes are logged. */
  attach(log: HintLog): void {
    this.#log = log
  }

  /**
   * Holds a view, merged with what is held already for the target and key. Not held: the budget is used up, or the hint would grow
   * beyond `mergedBytesMax`, which is for those to raise who have seen to its size themselves.
   */
  add(
    target: string,
    address: HintAddress,
    conflict: Conflict,
    view: View,
    mergedBytesMax: number = MERGED_BYTES_MAX,
  ): { readonly held: true; readonly lsn: Lsn } | { readonly held: false } {
    const held = this.#queues.get(target)?.hints.get(addressKey(address))
    const bytes = splitView(held ? mergeViews(decodeView(held.view), view, conflict) : view)
    // Its revision is the change that wrote it: whoever waits for that waits for these very bytes.
    if (held && held.conflict === conflict && areAlike(held.view, bytes)) return { held: true, lsn: held.revision }
    if (held && bytes.length > mergedBytesMax && bytes.length > held.view.length) return { held: false }
    const log = this.#attached()
    const hint: StoredHint = {
      target,
      partition: address.partition,
      bucket: address.bucket,
      key: address.key,
      conflict,
      view: kept(bytes),
      revision: log.nextLsn,
      sinceMs: held?.sinceMs ?? Math.max(0, Math.floor(this.#now())),
      order: held?.order ?? this.#order + 1,
    }
    if (this.#bytes + sizeOf(hint) - (held ? sizeOf(held) : 0) > this.#bytesMax) return { held: false }
    const lsn = log.hint(hint)
    this.restore(hint)
    return { held: true, lsn }
  }

  /** The hints of a key for all targets: what a stand-in answers reads from. */
  get(address: HintAddress): Hint[] {
    const at = addressKey(address)
    const found: Hint[] = []
    for (const { hints } of this.#queues.values()) {
      const hint = hints.get(at)
      if (hint) found.push(opened(hint))
    }
    return found
  }

  /** Whether any hint is for a key of this bucket. */
  holdsBucket(bucket: string): boolean {
    for (const { hints } of this.#queues.values())
      for (const hint of hints.values()) if (hint.bucket === bucket) return true
    return false
  }

  /** The oldest first, after a hint's `position`; at least one when there is any, then up to about `bytesMax`. */
  next(target: string, bytesMax: number, after: number = 0): Hint[] {
    const page: Hint[] = []
    let bytes = 0
    for (const hint of this.#queues.get(target)?.hints.values() ?? []) {
      if (hint.order <= after) continue
      bytes += sizeOf(hint)
      if (page.length > 0 && bytes > bytesMax) break
      page.push(opened(hint))
    }
    return page
  }

  /** Null, and nothing happens, when the hint has changed since it was given out, or is gone. */
  remove(hint: Hint): Lsn | null {
    const held = this.#queues.get(hint.target)?.hints.get(addressKey(hint))
    if (held?.revision !== hint.revision) return null
    const lsn = this.#attached().hintRemoved(hint.target, hint)
    this.restoreRemoval(hint.target, hint)
    return lsn
  }

  /** Gives up everything held for a member that left for good. Null: there was nothing. */
  dropTarget(target: string): { readonly count: number; readonly bytes: number; readonly lsn: Lsn } | null {
    const queue = this.#queues.get(target)
    if (!queue) return null
    const dropped = { count: queue.hints.size, bytes: queue.bytes, lsn: this.#attached().hintsDropped(target) }
    this.restoreDrop(target)
    return dropped
  }

  stats(): HintStats {
    const perTarget = this.targets().map((target) => {
      const { hints, bytes } = this.#queues.get(target) as Queue
      let oldestMs = Infinity
      // The first in the queue is the oldest, but for a wall clock that was set back.
      for (const hint of hints.values()) {
        oldestMs = hint.sinceMs
        break
      }
      return { target, count: hints.size, bytes, oldestMs }
    })
    return { count: this.#count, bytes: this.#bytes, perTarget }
  }

  /** Members that something is held for, by name. */
  targets(): string[] {
    return [...this.#queues.keys()].sort()
  }

  // ── for recovery and checkpoints ─────────────────────────────────────────────────────────────────────────────────

  /** Takes a hint as it was logged. Its view must not be a view on a larger buffer. */
  restore(hint: StoredHint): void {
    let queue = this.#queues.get(hint.target)
    if (!queue) this.#queues.set(hint.target, (queue = { hints: new Map(), bytes: 0 }))
    const at = addressKey(hint)
    const held = queue.hints.get(at)
    if (held && held.order !== hint.order) queue.hints.delete(at)
    queue.hints.set(at, hint)
    const grown = sizeOf(hint) - (held ? sizeOf(held) : 0)
    queue.bytes += grown
    this.#bytes += grown
    if (!held) this.#count++
    if (hint.order > this.#order) this.#order = hint.order
  }

  restoreRemoval(target: string, address: HintAddress): void {
    const queue = this.#queues.get(target)
    const held = queue?.hints.get(addressKey(address))
    if (!queue || !held) return
    queue.hints.delete(addressKey(address))
    queue.bytes -= sizeOf(held)
    this.#bytes -= sizeOf(held)
    this.#count--
    if (queue.hints.size === 0) this.#queues.delete(target)
  }

  restoreDrop(target: string): void {
    const queue = this.#queues.get(target)
    if (!queue) return
    this.#queues.delete(target)
    this.#bytes -= queue.bytes
    this.#count -= queue.hints.size
  }

  /** After recovery: a checkpoint taken while hints changed may have brought them out of order. */
  sort(): void {
    for (const queue of this.#queues.values()) {
      const sorted = [...queue.hints].sort(([, a], [, b]) => a.order - b.order)
      queue.hints.clear()
      for (const [at, hint] of sorted) queue.hints.set(at, hint)
    }
  }

  /** Everything, for a checkpoint; changes between steps are tolerated. */
  *all(): IterableIterator<StoredHint> {
    for (const { hints } of this.#queues.values()) yield* hints.values()
  }

  #attached(): HintLog {
    if (this.#log === null) throw new Error('hints are changed before the log is open')
    return this.#log
  }
}

function opened(hint: StoredHint): Hint {
  return {
    target: hint.target,
    partition: hint.partition,
    bucket: hint.bucket,
    key: hint.key,
    conflict: hint.conflict,
    view: decodeView(hint.view),
    revision: hint.revision,
    sinceMs: hint.sinceMs,
    bytes: sizeOf(hint),
    position: hint.order,
  }
}
