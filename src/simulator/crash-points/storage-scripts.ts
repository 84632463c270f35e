// The scripts of one storage that are crashed everywhere: records that come, change and go; a stream of them that waits for no sync, under
// checkpoints of many blocks; large values; hints that are added, merged, delivered and dropped. All through several segments,
// checkpoints, ends and starts, some again with files so small that nearly every change begins one.
// Invariant: all choices come from the script's own random stream.

import type { Dot } from '../../core/causality/dot.ts'
import { DotSet } from '../../core/causality/dot-set.ts'
import { splitRecord } from '../../core/causality/record.ts'
import { type View, writeView } from '../../core/causality/view.ts'
import type { Storage } from '../../storage/storage.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { ScriptStage, StorageScript } from './storage-script.ts'

const PARTITIONS = [3, 17, 511, 1023] as const
const LIVES = ['a1b2c3d4e5f60718', '0011223344556677'] as const
const GROWING = 40

export const STORAGE_SCRIPTS: readonly StorageScript[] = [
  { name: 'records', limits: { segmentBytesMax: 20 << 10, checkpointBytesMin: 32 << 10 }, run: records },
  { name: 'busy', limits: { segmentBytesMax: 96 << 10, checkpointBytesMin: 64 << 10 }, run: busy },
  { name: 'hints', limits: { segmentBytesMax: 8 << 10, checkpointBytesMin: 12 << 10 }, run: hints },
  { name: 'large', limits: { segmentBytesMax: 600 << 10, checkpointBytesMin: 900 << 10 }, run: large },
  { name: 'records-tiny-files', limits: { segmentBytesMax: 5 << 10, checkpointBytesMin: 8 << 10 }, run: records },
  { name: 'hints-tiny-files', limits: { segmentBytesMax: 2 << 10, checkpointBytesMin: 3 << 10 }, run: hints },
]

async function records(stage: ScriptStage): Promise<void> {
  const random = stage.random.fork('script')
  const dots = counted(random)
  const hot = (): string => `hot${random.integer(0, 14)}`
  const one = (storage: Storage): void => {
    const partition = random.pick(PARTITIONS)
    const kind = random.integer(0, 12)
    if (kind < 7) storage.putRecord(partition, 'b', hot(), blob(random), [dots()])
    else if (kind < 9) storage.putRecord(partition, 'b', hot(), null, random.chance(0.5) ? [dots()] : [])
    else if (kind < 10) storage.joinClock(partition, DotSet.of(dots(), dots()))
    else storage.setCatalog(`fact ${random.integer(0, 4)}`, random.chance(0.7) ? random.bytes(40) : null)
  }
  const grow = async (bucket: string, from: number): Promise<void> => {
    let last = Promise.resolve()
    for (let i = 0; i < GROWING; i++) {
      last = stage.change((storage) => {
        storage.putRecord(PARTITIONS[0], bucket, `key ${from + i}`, Buffer.from(`${bucket} ${i}`), [dots()])
      })
    }
    await last
  }
  await stage.open()
  await grow('many', 0)
  for (let i = 0; i < 60; i++) await stage.change(one)
  await stage.close()

  await stage.open()
  await grow('many', GROWING)
  for (let i = 0; i < 60; i++) await several(stage, one, random.integer(1, 4))
  for (let i = 0; i < 3; i++) void stage.change(one)
  await stage.change(one)
  void stage.change(one)
  stage.crash('killed')

  await stage.open()
  for (let i = 0; i < 40; i++) await several(stage, one, random.integer(1, 3))
  await stage.change((storage) => storage.replaceClock(PARTITIONS[1], DotSet.of(dots())))
  void stage.change((storage) => storage.putRecord(PARTITIONS[1], 'b', 'torn', Buffer.alloc(3000, 7), []))
  // Its append is under way.
  await Promise.resolve()
  stage.crash('power-cut')

  await stage.open()
  for (let i = 0; i < GROWING; i += 2) {
    void stage.change((storage) => storage.putRecord(PARTITIONS[0], 'many', `key ${i}`, null, []))
  }
  await grow('more', 0)
  for (let i = 0; i < 30; i++) await stage.change(one)
  await stage.close()
}

/** Changes are made while a checkpoint is under way, and are in part of it: what it shows must not outrun the log. */
async function busy(stage: ScriptStage): Promise<void> {
  const random = stage.random.fork('script')
  const dots = counted(random)
  const put = (storage: Storage, place: number): void => {
    const partition = PARTITIONS[place % PARTITIONS.length] as number
    storage.putRecord(partition, 'b', `k${place}`, Buffer.alloc(5000 + random.integer(0, 2000), place), [dots()])
  }
  const stream = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      // One after the other at far ends, so that a checkpoint that has the second and not the first would show.
      void stage.change((storage) => put(storage, 4 * random.integer(0, 10)))
      void stage.change((storage) => storage.setCatalog(`fact ${i % 3}`, random.bytes(20)))
      void stage.change((storage) => put(storage, 4 * random.integer(0, 10) + 3))
      await stage.pause(0.02 + 0.15 * random.next())
      if (i % 20 === 19) await stage.change((storage) => put(storage, random.integer(0, 40)))
    }
  }
  await stage.open()
  for (let place = 0; place < 39; place++) void stage.change((storage) => put(storage, place))
  await stage.change((storage) => put(storage, 39))
  await stream(60)
  stage.crash('power-cut')

  await stage.open()
  await stream(60)
  await stage.close()
}

/** Values that stay where they came, are checked in turns, and make a checkpoint's blocks one each. */
async function large(stage: ScriptStage): Promise<void> {
  const random = stage.random.fork('script')
  const dots = counted(random)
  const one = (storage: Storage): void => {
    const partition = random.pick(PARTITIONS)
    const key = `k${random.integer(0, 3)}`
    if (random.chance(0.2)) return void storage.putRecord(partition, 'b', key, null, [dots()])
    const dot = dots()
    const bytes = Buffer.alloc(random.pick([300, 66_000, 120_000]), dot.counter)
    const content = { contentType: 'text/plain', meta: [], bytes }
    const versions = [{ dot, stamp: 1000 + dot.counter, deadlineMs: null, tag: null, content }]
    const record = splitRecord({ versions, past: DotSet.empty(), span: null, deadTags: [] })
    storage.putRecord(partition, 'b', key, record, [dot])
  }
  await stage.open()
  for (let i = 0; i < 30; i++) await several(stage, one, random.integer(1, 3))
  void stage.change(one)
  stage.crash('killed')

  await stage.open()
  for (let i = 0; i < 30; i++) await several(stage, one, random.integer(1, 3))
  await stage.close()
}

async function hints(stage: ScriptStage): Promise<void> {
  const random = stage.random.fork('script')
  const dots = counted(random)
  const target = (): string => random.pick(['n1', 'n2', 'n3'])
  const add = (storage: Storage): void => {
    // Few keys: most are merged into a hint that is held already.
    const address = { bucket: 'b', key: `k${random.integer(0, 5)}`, partition: random.pick(PARTITIONS) }
    storage.hints.add(target(), address, random.pick(['siblings', 'siblings', 'lww'] as const), viewOf(random, dots()))
  }
  const deliver = (storage: Storage): void => {
    for (const hint of storage.hints.next(target(), 1)) storage.hints.remove(hint)
  }
  const one = (storage: Storage): void => {
    const kind = random.integer(0, 20)
    if (kind < 11) add(storage)
    else if (kind < 17) deliver(storage)
    else if (kind < 18) storage.hints.dropTarget(target())
    else
      storage.putRecord(random.pick(PARTITIONS), 'b', `k${random.integer(0, 5)}`, Buffer.from(random.bytes(30)), [
        dots(),
      ])
  }
  await stage.open()
  for (let i = 0; i < 40; i++) await stage.change(one)
  await stage.close()

  await stage.open()
  for (let i = 0; i < 40; i++) await several(stage, one, random.integer(1, 4))
  void stage.change(add)
  void stage.change(deliver)
  stage.crash('killed')

  await stage.open()
  for (let i = 0; i < 30; i++) await several(stage, one, random.integer(1, 4))
  void stage.change(add)
  await Promise.resolve()
  stage.crash('power-cut')

  await stage.open()
  await stage.change((storage) => void storage.hints.dropTarget('n1'))
  for (let i = 0; i < 20; i++) await stage.change(one)
  await stage.close()
}

/** As one batch. */
async function several(stage: ScriptStage, change: (storage: Storage) => void, count: number): Promise<void> {
  const durable = Array.from({ length: count }, () => stage.change(change))
  await Promise.all(durable)
}

function counted(random: SeededRandom): () => Dot {
  let counter = 0
  return () => ({ life: random.pick(LIVES), counter: ++counter })
}

function blob(random: SeededRandom): Buffer {
  return Buffer.from(random.bytes(random.pick([1, 30, 700, 2500, 6000])))
}

function viewOf(random: SeededRandom, dot: Dot): View {
  const version = {
    dot,
    stamp: 1000 + dot.counter,
    deadlineMs: null,
    tag: null,
    content: { contentType: 'text/plain', meta: [], bytes: random.bytes(random.pick([5, 200, 900])) },
  }
  // Some supersede what came before, so that hints do not only grow.
  const seen = random.chance(0.5) ? LIVES.map((life) => [life, dot.counter - 1] as const) : []
  const set = DotSet.empty()
  for (const [life, last] of seen) for (let counter = 1; counter <= last; counter++) set.add({ life, counter })
  return writeView(version, set, [])
}
