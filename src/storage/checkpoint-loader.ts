// Puts together what the checkpoints of a directory say: for each unit the newest whole file, and damaged ones only where the log does not
// reach back to that. Knows nothing of the log's inside. Invariant: nothing of a file is kept whose damage was found later, unless what its
// units were can't be told without it.

import type { Dot } from '../core/causality/dot.ts'
import type { PartitionId } from '../core/ring/partition.ts'
import type { Disk } from '../ports/disk.ts'
import { type CheckpointFound, type Fault, readCheckpoint } from './checkpoint-reader.ts'
import type { Entry, Lsn } from './entries.ts'
import type { EntryTarget } from './entry-reader.ts'
import { type FileHeader, HEADER_BYTES } from './file-header.ts'
import type { StorageState } from './storage-state.ts'
import {
  type Coverage,
  FACTS,
  firstBatchOf,
  type Layer,
  layerAt,
  layered,
  layersOf,
  NOTHING,
  type Unit,
  unitOf,
} from './units.ts'

export interface CheckpointFile {
  readonly name: string
  /** Null: damaged. Then nobody knows what it covers. */
  readonly header: FileHeader | null
  readonly bytes: number
}

export interface Loaded {
  readonly state: StorageState
  readonly layers: readonly Layer<Coverage>[]
  /** Every unit's checkpoint is whole. Otherwise all that is there of the log may tell something of what is missing. */
  readonly isWhole: boolean
  /** The first batch of the log that is needed; 0: unknown. */
  readonly batch: number
  /** Names of the files that count for a unit. */
  readonly inForce: ReadonlySet<string>
  /** What was loaded of a partition has all changes below this one, */
  readonly lsnOf: (partition: PartitionId) => Lsn
  /** and perhaps some up to this one; Infinity where it is damaged. */
  readonly throughOf: (partition: PartitionId) => Lsn
  /** What the log must reach, or its end is lost: it was synced so far when the files were published. */
  readonly reaches: { readonly batch: number; readonly lsn: Lsn }
}

export interface LoaderWork {
  readonly disk: Disk
  readonly saltCrc: number
  /** In order, the oldest first. */
  readonly files: readonly CheckpointFile[]
  /** The first batch of the log that is there. */
  readonly logFrom: number
  readonly newState: () => StorageState
  readonly damage: (file: string, offset: number, bytes: number, what: string) => void
  /** Called now and then. */
  readonly progress: (bytes: number, state: StorageState) => void
}

/** What counts for some units. */
interface Source extends Coverage {
  /** Each over those before it: one that is whole, or what is intact of several. */
  readonly files: readonly CheckpointFile[]
  readonly isWhole: boolean
}

/** A file may turn out to be damaged when most of it is in the state already: then everything is read again without it. */
export async function loadCheckpoints(work: LoaderWork): Promise<Loaded> {
  const faulty = new Set(work.files.filter(({ header }) => header === null))
  for (const { name } of faulty) work.damage(name, 0, HEADER_BYTES, 'the header is damaged')
  const told = new Set<CheckpointFile>()
  for (;;) {
    const known = new Set(faulty)
    const loaded = await loadOnce(work, known, (file, faults) => {
      faulty.add(file)
      if (told.has(file)) return
      told.add(file)
      for (const fault of faults) work.damage(file.name, fault.offset, fault.bytes, fault.what)
    })
    if (faulty.size === known.size) return loaded
  }
}

async function loadOnce(
  work: LoaderWork,
  faulty: ReadonlySet<CheckpointFile>,
  found: (file: CheckpointFile, faults: readonly Fault[]) => void,
): Promise<Loaded> {
  const state = work.newState()
  const layers = sourcesOf(work, faulty)
  const inForce = new Set<string>()
  const throughs = new Map<CheckpointFile, Lsn>()
  const reaches = {
    batch: Math.max(...layers.map(({ by }) => by.batch)),
    lsn: Math.max(...layers.map(({ by }) => by.lsn)),
  }
  for (const file of work.files) {
    if (!layers.some(({ by }) => by.files.includes(file))) continue
    inForce.add(file.name)
    const { faults, through } = await readOne(work, file, new UnitFilter(state, layers, file))
    if (!faulty.has(file)) {
      reaches.lsn = Math.max(reaches.lsn, through + 1)
      throughs.set(file, through)
    }
    if (faults.length > 0) found(file, faults)
    work.progress(file.bytes, state)
  }
  const isWhole = layers.every(({ by }) => by.isWhole)
  const sourceOf = (partition: PartitionId): Source => layerAt(layers, unitOf(partition)).by
  const lsnOf = (partition: PartitionId): Lsn => sourceOf(partition).lsn
  const throughOf = (partition: PartitionId): Lsn =>
    Math.max(0, ...sourceOf(partition).files.map((file) => throughs.get(file) ?? Infinity))
  return { state, layers, isWhole, batch: firstBatchOf(layers), inForce, lsnOf, throughOf, reaches }
}

/**
 * A damaged file counts for nothing where a whole one and the log behind it tell all. Elsewhere what is intact of it is laid over what is
 * there, an older whole file among it.
 */
function sourcesOf({ files, logFrom }: LoaderWork, faulty: ReadonlySet<CheckpointFile>): Layer<Source>[] {
  let layers = layersOf<Source>({ ...NOTHING, files: [], isWhole: true }, [])
  for (const file of files) {
    const { from, to, lsn, batch } = file.header ?? { ...NOTHING, batch: 0 }
    if (!faulty.has(file)) {
      layers = layered(layers, { from, to, lsn, batch, files: [file], isWhole: true })
      continue
    }
    for (const { by, ...layer } of layers) {
      const part = { from: Math.max(from, layer.from), to: Math.min(to, layer.to) }
      if (part.from >= part.to || (by.isWhole && by.batch >= logFrom)) continue
      // What it lacks may be in the log: nothing is left out there.
      const since = { lsn: 1, batch: by.isWhole ? batch : Math.min(batch, by.batch) }
      layers = layered(layers, { ...part, ...since, files: [...by.files, file], isWhole: false })
    }
  }
  return layers
}

async function readOne(work: LoaderWork, file: CheckpointFile, target: EntryTarget): Promise<CheckpointFound> {
  const opened = await work.disk.open(file.name, 'existing')
  try {
    return await readCheckpoint(opened, work.saltCrc, file.header ?? NOTHING, target)
  } finally {
    await opened.close()
  }
}

/** Lets through what is of the units for which a file counts. */
class UnitFilter implements EntryTarget {
  readonly #state: StorageState
  readonly #layers: readonly Layer<Source>[]
  readonly #file: CheckpointFile
  #partition: PartitionId = -1
  #isOwn = false

  constructor(state: StorageState, layers: readonly Layer<Source>[], file: CheckpointFile) {
    this.#state = state
    this.#layers = layers
    this.#file = file
  }

  record(
    partition: PartitionId,
    bucket: string,
    key: Uint8Array,
    record: Uint8Array | null,
    received: readonly Dot[],
    lsn: Lsn,
  ): void {
    if (partition !== this.#partition) {
      this.#partition = partition
      this.#isOwn = this.#counts(unitOf(partition))
    }
    if (this.#isOwn) this.#state.record(partition, bucket, key, record, received, lsn)
  }

  entry(entry: Entry): void {
    if (this.#counts(unitOfEntry(entry))) this.#state.entry(entry)
  }

  #counts(unit: Unit): boolean {
    return layerAt(this.#layers, unit).by.files.includes(this.#file)
  }
}

function unitOfEntry(entry: Entry): Unit {
  return entry.type === 'clock' ? unitOf(entry.partition) : FACTS
}

/** What a log is replayed into: leaves out the changes that a unit's checkpoint contains. */
export class Uncontained implements EntryTarget {
  readonly #state: StorageState
  readonly #layers: readonly Layer<Coverage>[]
  /** From here on nothing is contained anywhere. */
  readonly #lsn: Lsn

  constructor(state: StorageState, layers: readonly Layer<Coverage>[]) {
    this.#state = state
    this.#layers = layers
    this.#lsn = Math.max(...layers.map(({ by }) => by.lsn))
  }

  record(
    partition: PartitionId,
    bucket: string,
    key: Uint8Array,
    record: Uint8Array | null,
    received: readonly Dot[],
    lsn: Lsn,
  ): void {
    if (lsn < this.#lsn && lsn < layerAt(this.#layers, unitOf(partition)).by.lsn) return
    this.#state.record(partition, bucket, key, record, received, lsn)
  }

  entry(entry: Entry, lsn: Lsn): void {
    if (lsn < this.#lsn && lsn < layerAt(this.#layers, unitOfEntry(entry)).by.lsn) return
    this.#state.entry(entry)
  }
}
