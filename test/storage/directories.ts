// Small data directories with everything that is known of them: what was written when, how each file grew, which files are gone. Made
// through `Storage` and `Disk` alone. Invariant: every value is unique, so whatever is found says which change it came from.

import { whole } from '../../src/core/bytes.ts'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { encodeView } from '../../src/core/causality/view.ts'
import { contentOf } from '../../src/simulator/crash-points/content.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { CrashDisk, type Image } from './crash-disk.ts'
import { LIFE, openStorage, OTHER_LIFE, viewOf } from './fixture.ts'

/** What is stored where. */
export type Cells = ReadonlyMap<string, Buffer>

export interface Step {
  readonly content: string
  readonly cells: Cells
  readonly clocks: ReadonlyMap<number, DotSet>
  readonly sizes: ReadonlyMap<string, number>
}

export interface Directory {
  readonly plan: Plan
  readonly identity: string
  readonly image: Image
  /** The empty storage first. */
  readonly steps: readonly Step[]
  /** Each file of the image as it was before, the oldest first. */
  readonly older: ReadonlyMap<string, readonly Uint8Array[]>
  /** Files that a checkpoint has replaced, as they were last. */
  readonly gone: Image
  /** All values that were ever in a cell. */
  readonly written: ReadonlyMap<string, ReadonlySet<string>>
  /** All dots that were ever in a clock. */
  readonly dots: ReadonlyMap<number, DotSet>
}

export interface Plan {
  readonly name: string
  readonly close: boolean
  readonly segmentBytesMax: number
  /** Checkpoints, each with steps before and after it; of ranges: rounds through most of them. */
  readonly generations: number
  /**
   * A checkpoint is of a few partitions, so that there are several at once. `overlapping`: killed before what the last one replaced was
   * removed. `restored`: all checkpoints that ever were are there.
   */
  readonly ranges?: 'tidy' | 'overlapping' | 'restored'
}

const RANGES = { segmentBytesMax: 400, generations: 3 } as const

const ROUNDS: readonly Omit<Plan, 'close'>[] = [
  { name: 'only a log', segmentBytesMax: 1 << 20, generations: 0 },
  { name: 'several segments', segmentBytesMax: 300, generations: 0 },
  { name: 'a checkpoint and a log', segmentBytesMax: 1 << 20, generations: 1 },
  { name: 'several generations', segmentBytesMax: 400, generations: 3 },
  { name: 'ranges', ranges: 'tidy', ...RANGES },
]

export const PLANS: readonly Plan[] = [
  ...ROUNDS.flatMap((round) => [
    { ...round, name: `${round.name}, killed`, close: false },
    { ...round, name: `${round.name}, closed`, close: true },
  ]),
  { name: 'overlapping ranges, killed', ranges: 'overlapping', close: false, ...RANGES },
  { name: 'ranges and all before them, closed', ranges: 'restored', close: true, ...RANGES },
]

/** As it was made, so that what replaces its files is of ranges where they are. */
export function limitsOf(plan: Plan): { readonly segmentBytesMax: number; readonly checkpointBytesMin: number } {
  const { generations, ranges, segmentBytesMax } = plan
  return { segmentBytesMax, checkpointBytesMin: ranges ? 900 : generations > 0 ? 2500 : 1 << 30 }
}

/** Of the partitions that the other changes do not touch. */
const CROWD = [5, 20, 30, 200, 700, 1000]

type Change = (storage: Storage) => void

/** Each inner list is one batch. */
function changesOf(round: number, seed: number): readonly (readonly Change[])[] {
  const dot = (counter: number, life = LIFE): { life: string; counter: number } => ({
    life,
    counter: 10 * round + counter,
  })
  const value = (name: string): Buffer => Buffer.from(`value ${name} of round ${round} in ${seed}`)
  const hint = (storage: Storage, counter: number): void => {
    storage.hints.add('n2', { bucket: 'b', key: 'k1', partition: 16 }, 'siblings', viewOf(10 * round + counter))
  }
  return [
    [(storage) => storage.putRecord(16, 'b', 'k1', value('one'), [dot(1)])],
    [
      (storage) => storage.setCatalog('members', value('members')),
      (storage) => storage.putRecord(900, 'b', `only ${round}`, value('only'), [dot(1, OTHER_LIFE)]),
    ],
    [(storage) => hint(storage, 3)],
    [(storage) => storage.putRecord(35, 'b', 'k2', value('two'), [dot(2)])],
    [(storage) => storage.joinClock(51, DotSet.of(dot(4), dot(5)))],
    [(storage) => storage.putRecord(16, 'b', 'k1', value('three'), [dot(6)]), (storage) => hint(storage, 7)],
    [
      (storage) =>
        storage.hints.add('n3', { bucket: 'b', key: `h${round}`, partition: 16 }, 'lww', viewOf(10 * round + 8)),
    ],
    [(storage) => storage.putRecord(35, 'b', 'k2', null, [dot(9)])],
    [
      (storage) => {
        const [first] = storage.hints.next('n3', 1)
        if (first && round % 2 === 0) storage.hints.remove(first)
        else storage.setCatalog('mark', value('mark'))
      },
    ],
  ]
}

/** Two in three of them in each round, so that ranges change, and end elsewhere, from one generation to the next. */
function crowdOf(round: number, seed: number): readonly (readonly Change[])[] {
  const changed = CROWD.filter((_, i) => (i + round) % 3 !== 0)
  return changed.map((partition, i) => [
    (storage) => {
      const value = Buffer.from(
        `one of many, ${partition}, of round ${round} in ${seed}${' '.repeat(60 + 20 * round)}.`,
      )
      storage.putRecord(partition, 'b', 'crowd', value, [{ life: LIFE, counter: 1000 + 10 * round + i }])
    },
  ])
}

/** `seed`: of the storage's identity and its values; for the rest, and in their files' names, two directories of one plan are alike. */
export async function makeDirectory(plan: Plan, seed: number = 1): Promise<Directory> {
  const disk = new CrashDisk()
  const storage = await openStorage(disk, { ...limitsOf(plan), seed })
  const steps: Step[] = []
  const seen = new Map<string, Uint8Array[]>()
  const written = new Map<string, Set<string>>()
  const dots = new Map<number, DotSet>()
  const note = (): void => {
    const image = disk.image()
    for (const [name, bytes] of image) {
      const versions = seen.get(name) ?? []
      if (versions.length === 0 || !same(versions.at(-1), bytes)) seen.set(name, [...versions, bytes])
    }
    const cells = cellsOf(storage)
    for (const [cell, bytes] of cells) {
      const values = written.get(cell) ?? new Set<string>()
      written.set(cell, values.add(bytes.toString('hex')))
    }
    for (const partition of storage.partitions()) {
      const known = dots.get(partition) ?? DotSet.empty()
      known.addAll(storage.clockOf(partition))
      dots.set(partition, known)
    }
    const sizes = new Map([...image].map(([name, bytes]) => [name, bytes.length] as const))
    steps.push({ content: contentOf(storage), cells, clocks: clocksOf(storage), sizes })
  }
  const make = async (batch: readonly Change[]): Promise<void> => {
    for (const change of batch) change(storage)
    await storage.synced(storage.lastLsn)
    note()
  }
  note()
  for (let round = 0; round <= plan.generations; round++) {
    const isLast = round === plan.generations
    if (isLast && plan.ranges === 'overlapping') holdRemovals(disk)
    for (const batch of changesOf(round, seed)) await make(batch)
    if (plan.ranges) {
      for (const batch of crowdOf(round, seed)) await make(batch)
      // In the end some ranges are of the last generation, others older, and the log tells the rest.
      if (isLast) continue
      await quiet(disk)
      note()
    } else if (!isLast) await checkpoint(storage, make)
  }
  if (plan.close) await storage.close()
  const image = disk.image()
  for (const name of image.keys()) if (name.endsWith('.tmp')) image.delete(name)
  if (plan.ranges === 'restored') {
    for (const [name, versions] of seen)
      if (/^checkpoint-\d+$/.test(name) && !image.has(name)) image.set(name, versions.at(-1) as Uint8Array)
  }
  const gone = new Map<string, Uint8Array>()
  const older = new Map<string, readonly Uint8Array[]>()
  for (const [name, versions] of seen) {
    const now = image.get(name)
    if (now) {
      older.set(
        name,
        versions.filter((bytes) => !same(bytes, now)),
      )
    } else if (!name.endsWith('.tmp')) gone.set(name, versions.at(-1) as Uint8Array)
  }
  return { plan, identity: storage.identity, image, steps, older, gone, written, dots }
}

/** Checkpoints are still published, and then wait for ever. */
function holdRemovals(disk: CrashDisk): void {
  disk.delay = (operation) => (operation === 'remove' ? new Promise(() => {}) : Promise.resolve())
}

/** Until no more is done. */
async function quiet(disk: CrashDisk): Promise<void> {
  for (let before = -1; before !== disk.operations;) {
    before = disk.operations
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Its filler is in the log only, and that goes. */
async function checkpoint(storage: Storage, make: (batch: readonly Change[]) => Promise<void>): Promise<void> {
  const before = storage.stats.checkpoints
  await make([(changed) => changed.setCatalog('filler', Buffer.alloc(2500, 'f'))])
  await make([(changed) => changed.setCatalog('filler', null)])
  for (let turn = 0; storage.stats.checkpoints === before; turn++) {
    if (turn > 100) throw new Error('no checkpoint comes')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

export function cellsOf(storage: Storage): Map<string, Buffer> {
  const cells = new Map<string, Buffer>()
  for (const partition of storage.partitions()) {
    for (const { bucket, key, bytes } of storage.memtable.scan(partition, null))
      cells.set(`record ${partition} ${bucket}/${key}`, whole(bytes))
  }
  for (const name of storage.catalogNames('')) cells.set(`catalog ${name}`, Buffer.from(storage.catalog(name) ?? []))
  for (const target of storage.hints.targets()) {
    for (const { partition, bucket, key, view } of storage.hints.next(target, Infinity))
      cells.set(`hint ${target} ${partition} ${bucket}/${key}`, Buffer.from(encodeView(view)))
  }
  return cells
}

export function clocksOf(storage: Storage): Map<number, DotSet> {
  return new Map(storage.partitions().map((partition) => [partition, storage.clockOf(partition).clone()] as const))
}

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0
}
