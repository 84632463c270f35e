// What checkpoints cover: unit 0 is the facts (catalog and hints), unit 1 + id a partition. Decides which file counts for which unit, and
// how far back the log is needed. Knows nothing of disks. Invariant: layers always tile all units; the last one put on a unit counts.

import type { PartitionId } from '../core/ring/partition.ts'
import type { Lsn } from './entries.ts'

export type Unit = number

export const FACTS: Unit = 0
/** Behind every unit. */
export const UNITS_END: Unit = 0xffff_ffff

export function unitOf(partition: PartitionId): Unit {
  return partition + 1
}

/** What a checkpoint stands for: all changes of its units, `from` to before `to`, that are below `lsn`; others from `batch` on. */
export interface Coverage {
  readonly from: Unit
  readonly to: Unit
  readonly lsn: Lsn
  /** 0: unknown, because its header is damaged (and reported). */
  readonly batch: number
}

/** Where no checkpoint is: the log from its beginning. */
export const NOTHING: Coverage = { from: FACTS, to: UNITS_END, lsn: 1, batch: 1 }

/** Consecutive units for which `by` counts. */
export interface Layer<T extends Coverage> {
  readonly from: Unit
  readonly to: Unit
  readonly by: T
}

/** Lays each over those before it. */
export function layered<T extends Coverage>(over: readonly Layer<T>[], by: T): Layer<T>[] {
  const { from, to } = by
  const layers: Layer<T>[] = []
  for (const layer of over) {
    if (layer.from < from) layers.push({ ...layer, to: Math.min(layer.to, from) })
    if (layer.from <= from && from < layer.to) layers.push({ from, to, by })
    if (layer.to > to) layers.push({ ...layer, from: Math.max(layer.from, to) })
  }
  return layers
}

export function layersOf<T extends Coverage>(bottom: T, files: readonly T[]): Layer<T>[] {
  let layers: Layer<T>[] = [{ from: FACTS, to: UNITS_END, by: bottom }]
  for (const file of files) layers = layered(layers, file)
  return layers
}

/** The one that covers a unit; all units are covered. */
export function layerAt<T extends Coverage>(layers: readonly Layer<T>[], unit: Unit): Layer<T> {
  let low = 0
  let high = layers.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((layers[middle] as Layer<T>).from <= unit) low = middle
    else high = middle - 1
  }
  return layers[low] as Layer<T>
}

/** The first batch that is not contained everywhere; 0 when it is unknown. */
export function firstBatchOf(layers: readonly Layer<Coverage>[]): number {
  return Math.min(...layers.map(({ by }) => by.batch))
}

/** The first of these segments, in order, that holds anything from the batch on. `batch` of a segment: the next one at its beginning. */
export function firstNeeded(
  segments: readonly { readonly number: number; readonly batch: number }[],
  batch: number,
): number {
  return segments.findLast((segment) => segment.batch > 0 && segment.batch <= batch)?.number ?? 0
}
