// Opens storages for tests, and says what one holds as text that can be compared.

import { whole } from '../../src/core/bytes.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { DotSet } from '../../src/core/causality/dot-set.ts'
import { type View, writeView } from '../../src/core/causality/view.ts'
import type { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { SeededRandom as Seeded } from '../../src/simulator/seeded-random.ts'
import { Storage, type StorageOptions } from '../../src/storage/storage.ts'
import { SILENT_LOGGER } from '../../src/telemetry/log.ts'

let now = 1_767_225_600_000
export const CLOCK: Clock = {
  now: () => now++,
  monotonic: () => now,
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
}

export const LIFE = 'a1b2c3d4e5f60718'
export const OTHER_LIFE = '0011223344556677'

export function openStorage(
  disk: Disk | null,
  options: Partial<StorageOptions> & { seed?: number } = {},
): Promise<Storage> {
  const random: SeededRandom = new Seeded(options.seed ?? 1)
  return Storage.open({
    disk,
    clock: CLOCK,
    random,
    logger: SILENT_LOGGER,
    segmentBytesMax: 1 << 20,
    checkpointBytesMin: 1 << 30,
    hintBytesMax: 1 << 20,
    bytesMax: 1 << 30,
    ...options,
  })
}

/** Everything that must survive. */
export function contentOf(storage: Storage): string {
  const lines: string[] = []
  for (const partition of storage.partitions()) {
    lines.push(`${partition} ${storage.clockOf(partition)}`)
    for (const { bucket, key, bytes } of storage.memtable.scan(partition, null)) {
      lines.push(
        `${partition} ${bucket}/${key} ${bytes.length > 64 ? `${bytes.length}×${whole(bytes)[0]}` : whole(bytes).toString('hex')}`,
      )
    }
  }
  for (const name of storage.catalogNames(''))
    lines.push(`${name}=${Buffer.from(storage.catalog(name) ?? []).toString('hex')}`)
  for (const target of storage.hints.targets()) {
    for (const hint of storage.hints.next(target, Infinity)) {
      const dots = hint.view.versions.map((v) => `${v.dot.life}-${v.dot.counter}`)
      lines.push(
        `for ${target} ${hint.partition} ${hint.bucket}/${hint.key} ${hint.conflict} ${dots} ${hint.view.seen}`,
      )
    }
  }
  return lines.join('\n')
}

export function viewOf(counter: number, seen: readonly number[] = [], life: string = LIFE): View {
  const version = {
    dot: { life, counter },
    stamp: 1000 + counter,
    deadlineMs: null,
    tag: null,
    content: { contentType: 'text/plain', meta: [], bytes: Buffer.from(`value ${counter}`) },
  }
  return writeView(version, DotSet.of(...seen.map((c) => ({ life, counter: c }))), [])
}
