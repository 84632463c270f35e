// Collection looks only where something can be due. It must not miss anything by that, nor look elsewhere.
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { IDEMPOTENCY_WINDOW_MS } from '../../src/core/causality/attempts.ts'
import { decodeRecord } from '../../src/core/causality/record.ts'
import { HybridClock } from '../../src/core/causality/hybrid-clock.ts'
import { LEAVES } from '../../src/core/merkle/merkle-tree.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { Collection } from '../../src/repair/collection.ts'
import { ReportedClocks } from '../../src/repair/reported-clocks.ts'
import {
  A,
  B,
  keyIn,
  type MemoryHome,
  memoryHomes,
  NOW_MS,
  STILL_CLOCK,
  version,
  write,
} from '../replica/memory-home.ts'

const PEERS = ['y', 'z'] as const
const NEVER = new AbortController().signal

class CollectingHome {
  readonly home: MemoryHome
  readonly reported = new ReportedClocks()
  readonly collection: Collection
  nowMs = NOW_MS
  #counter = 0

  constructor(home: MemoryHome) {
    this.home = home
    const clock: Clock = {
      ...STILL_CLOCK,
      now: () => this.nowMs,
      after: (_delayMs, callback) => {
        const handle = setImmediate(callback)
        return { cancel: () => clearImmediate(handle) }
      },
    }
    const { storage, replica, indexes, directory } = home
    const parts = { storage, replica, indexes, directory: () => directory, reported: this.reported }
    this.collection = new Collection({ ...parts, clock, hybrid: new HybridClock(), clockBoundMs: 500 })
  }

  static async open(): Promise<CollectingHome> {
    const [x] = await memoryHomes(['x', ...PEERS])
    return new CollectingHome(x!)
  }

  async put(
    number: number,
    text: string | null,
    how: { isBlind?: boolean; ttlMs?: number | undefined; tag?: number | undefined } = {},
  ): Promise<void> {
    const key = keyIn(this.home.directory, number)
    const { view } = await this.home.replica.look(key, false)
    const id = String(how.tag ?? 0).padStart(16, '0')
    const tag = how.tag === undefined ? null : { id, fingerprint: '00000000', basis: 0, replaces: false }
    const deadlineMs = how.ttlMs === undefined ? null : this.nowMs + how.ttlMs
    const made = {
      ...version({ life: ++this.#counter % 2 === 0 ? A : B, counter: this.#counter }, text, tag),
      deadlineMs,
    }
    await this.home.receive(key, write(made, how.isBlind ? undefined : view?.seen))
  }

  /** The peer says that it has what this home has by now. */
  report(peer: (typeof PEERS)[number]): void {
    const { storage } = this.home
    for (const partition of storage.partitions())
      this.reported.report(partition, peer, `storage of ${peer}`, storage.clockOf(partition).clone())
  }

  pass(): Promise<void> {
    return this.collection.pass(NEVER)
  }

  /** Every record as it is kept. */
  records(): string[] {
    const { memtable } = this.home.storage
    return memtable
      .partitions()
      .flatMap((partition) =>
        [...memtable.scan(partition, null)].map(({ key, bytes }) => `${key} ${JSON.stringify(decodeRecord(bytes))}`),
      )
  }
}

describe('collection', () => {
  it('leaves nothing to a pass that looks through everything', async () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('put' as const),
          key: fc.nat(6),
          isBlind: fc.boolean(),
          ttlMs: fc.option(fc.nat(9000), { nil: undefined }),
          tag: fc.option(fc.nat(3), { nil: undefined }),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), key: fc.nat(6) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('report' as const),
          peers: fc.constantFrom(PEERS, PEERS, ['y'] as const),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('time' as const),
          ms: fc.oneof(fc.nat(4000), fc.constant(IDEMPOTENCY_WINDOW_MS)),
        }),
      },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const) }) },
    )
    let collected = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), async (steps) => {
        const x = await CollectingHome.open()
        for (const one of steps) {
          if (one.do === 'put') await x.put(one.key, 'v', one)
          else if (one.do === 'delete') await x.put(one.key, null)
          else if (one.do === 'report') for (const peer of one.peers) x.report(peer)
          else if (one.do === 'time') x.nowMs += one.ms
          else await x.pass()
        }
        // What a pass took away may have left something for the next.
        await x.pass()
        await x.pass()
        const left = x.records()
        collected += x.collection.collected
        for (const partition of x.home.storage.partitions()) x.home.indexes.forget(partition)
        await x.pass()
        expect(x.records()).toEqual(left)
      }),
    )
    expect(collected).toBeGreaterThan(0)
  })

  it('looks through no more leaves than were changed, and through none where nothing was', async () => {
    const x = await CollectingHome.open()
    const keys = 3000
    for (let i = 0; i < keys; i++) await x.put(i, 'first', { ttlMs: i < 10 ? 5000 : 3_600_000 })
    for (const peer of PEERS) x.report(peer)
    const sift = vi.spyOn(x.home.storage.memtable, 'sift')
    const lookedThrough = async (): Promise<number> => {
      sift.mockClear()
      await x.pass()
      return sift.mock.calls.length
    }
    expect(await lookedThrough()).toBe(x.home.storage.partitions().length * LEAVES)
    expect(await lookedThrough()).toBe(0)
    for (let i = 101; i < 108; i += 2) await x.put(i, 'second')
    const changed = await lookedThrough()
    expect(changed).toBeGreaterThan(0)
    expect(changed).toBeLessThanOrEqual(4)
    expect(await lookedThrough(), 'it waits for the peers').toBe(0)
    for (const peer of PEERS) x.report(peer)
    expect(await lookedThrough(), 'they have it now').toBe(changed)
    expect(await lookedThrough(), 'what was stripped is looked at once more').toBeLessThanOrEqual(changed)
    expect(await lookedThrough()).toBe(0)
    x.nowMs += 10_000
    expect(await lookedThrough()).toBeLessThanOrEqual(10)
    expect(x.collection.collected).toBe(10)
  })

  it('gives others a turn while it looks through many, and keeps what is written then', async () => {
    const x = await CollectingHome.open()
    // An odd number: each is overwritten by the other life.
    const keys = 2001
    for (let i = 0; i < 2 * keys; i++) await x.put(i % keys, `put ${i}`)
    for (const peer of PEERS) x.report(peer)
    let turns = 0
    const others = async (): Promise<void> => {
      for (; !isOver; turns++) {
        await x.put(turns % keys, turns % 3 === 0 ? null : 'later')
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    let isOver = false
    const busy = others()
    await x.pass()
    isOver = true
    await busy
    expect(turns).toBeGreaterThan(2)
    for (const peer of PEERS) x.report(peer)
    await x.pass()
    await x.pass()
    const left = x.records()
    for (const partition of x.home.storage.partitions()) x.home.indexes.forget(partition)
    await x.pass()
    expect(x.records()).toEqual(left)
    const live = left.filter((record) => !record.includes('"content":null'))
    expect(live).toHaveLength(left.length)
  })
})
