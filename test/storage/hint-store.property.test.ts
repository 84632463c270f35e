// The hint store against a map from (target, key) to a set of writes: whatever is held, replaced, removed, dropped or read, with restarts
// and crashes in between. What was synced is there after a crash; what was not, is there or is not, and nothing else is.

import { deepEqual, equal, ok } from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { formatDot } from '../../src/core/causality/dot.ts'
import { mergeViews, type View } from '../../src/core/causality/view.ts'
import type { Hint } from '../../src/storage/hint-store.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { CrashDisk } from './crash-disk.ts'
import { openStorage, viewOf } from './fixture.ts'

const TARGETS = ['n1', 'n2'] as const
const KEYS = ['a', 'b', 'ab'] as const
type Target = (typeof TARGETS)[number]
type Key = (typeof KEYS)[number]

type Step =
  | { readonly do: 'add'; readonly target: Target; readonly key: Key; readonly counter: number; readonly over: number }
  | { readonly do: 'remove'; readonly target: Target; readonly nth: number; readonly stale: boolean }
  | { readonly do: 'drop'; readonly target: Target }
  | { readonly do: 'sync' | 'restart' }

const target = fc.constantFrom(...TARGETS)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('add'),
      target,
      key: fc.constantFrom(...KEYS),
      counter: fc.integer({ min: 1, max: 12 }),
      /** Supersedes the write with this counter; 0: none. */
      over: fc.nat(12),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove'), target, nth: fc.nat(2), stale: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop'), target }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('sync', 'restart') }) },
)

/** By target and key: the view that is held, in the order in which the first write for it came. */
type Model = Map<string, { readonly target: Target; readonly key: Key; readonly view: View }>

const nameOf = (of: Target, key: Key): string => `${of} ${key}`
const addressOf = (key: Key): { bucket: string; key: string; partition: number } => ({
  bucket: 'b',
  key,
  partition: 16,
})

function textOf(key: string, { versions, seen }: View): string {
  return `${key}: ${versions.map(({ dot }) => formatDot(dot)).join()} of ${seen.toString()}`
}

/** All that the store says of what it holds. */
function contentOf({ hints }: Storage): string[] {
  const held = hints.targets().toSorted()
  const lines = held.flatMap((of) => hints.next(of, Infinity).map(({ key, view }) => `${of} ${textOf(key, view)}`))
  // Every way to ask agrees.
  equal(hints.count, lines.length)
  const { perTarget } = hints.stats()
  deepEqual(perTarget.map((one) => one.target).toSorted(), held)
  equal(
    perTarget.reduce((sum, { bytes }) => sum + bytes, 0),
    hints.bytes,
  )
  equal(hints.holdsBucket('b'), lines.length > 0)
  for (const key of KEYS)
    for (const hint of hints.get(addressOf(key))) ok(lines.includes(`${hint.target} ${textOf(key, hint.view)}`))
  return lines
}

function contentOfModel(model: Model): string[] {
  return TARGETS.flatMap((of) =>
    [...model.values()].filter((one) => one.target === of).map(({ key, view }) => `${of} ${textOf(key, view)}`),
  )
}

class Play {
  #storage: Storage
  #disk: CrashDisk
  model: Model = new Map()
  /** What it was at each change since the last sync, and then. */
  #since: string[][] = [[]]

  constructor(storage: Storage, disk: CrashDisk) {
    this.#storage = storage
    this.#disk = disk
  }

  async do(one: Step): Promise<void> {
    const { hints } = this.#storage
    switch (one.do) {
      case 'add': {
        const view = viewOf(one.counter, one.over === one.counter || one.over === 0 ? [] : [one.over])
        ok(hints.add(one.target, addressOf(one.key), 'siblings', view).held)
        const name = nameOf(one.target, one.key)
        const held = this.model.get(name)?.view
        const united = held ? mergeViews(held, view, 'siblings') : view
        this.model.set(name, { target: one.target, key: one.key, view: united })
        break
      }
      case 'remove':
        this.#remove(one.target, one.nth, one.stale)
        break
      case 'drop': {
        const doomed = [...this.model].filter(([, held]) => held.target === one.target)
        equal(hints.dropTarget(one.target)?.count ?? 0, doomed.length)
        for (const [name] of doomed) this.model.delete(name)
        break
      }
      case 'sync':
        await this.#storage.synced(this.#storage.lastLsn)
        this.#since = []
        break
      case 'restart':
        await this.#storage.close()
        this.#storage = await openStorage(this.#disk)
        this.#since = []
    }
    const expected = contentOfModel(this.model)
    this.#since.push(expected)
    deepEqual(contentOf(this.#storage), expected)
  }

  #remove(of: Target, nth: number, isStale: boolean): void {
    const { hints } = this.#storage
    const given: Hint | undefined = hints.next(of, Infinity)[nth]
    if (!given) return
    // It grows between being given out and being delivered: then it stays.
    const name = nameOf(of, given.key as Key)
    const grown = viewOf(99, [])
    const before = this.model.get(name)
    if (isStale && before && !before.view.seen.has(grown.versions[0]!.dot)) {
      hints.add(of, addressOf(given.key as Key), 'siblings', grown)
      this.model.set(name, { ...before, view: mergeViews(before.view, grown, 'siblings') })
      equal(hints.remove(given), null)
      return
    }
    ok(hints.remove(given) !== null)
    this.model.delete(name)
  }

  /** The process ends at this moment; what its files hold now is what is left. */
  async crash(): Promise<void> {
    const image = this.#disk.image()
    const left = contentOf(await openStorage(CrashDisk.of(image)))
    ok(this.#since.map((lines) => lines.join('\n')).includes(left.join('\n')))
    await this.#storage.close()
  }
}

test('holds what a map would', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
      const disk = new CrashDisk()
      const play = new Play(await openStorage(disk), disk)
      for (const one of steps) await play.do(one)
      await play.crash()
    }),
    { numRuns: 300 },
  )
})
